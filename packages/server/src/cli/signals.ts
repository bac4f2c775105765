/** What signals do to a server. */
export interface SignalHandlers {
  /** The first SIGTERM or SIGINT. */
  drain(signal: NodeJS.Signals): void;
  /** The second. */
  force(signal: NodeJS.Signals): void;
  /** Each SIGHUP, until draining begins. */
  reload(): void;
}

/**
 * Ctrl-C below `npm start` arrives twice: from the terminal, and passed on by npm a moment later. What comes within this
 * time of the first is the same key press.
 */
const samePressMs = 50;

interface SignalSource {
  on(signal: NodeJS.Signals, listener: (signal: NodeJS.Signals) => void): unknown;
  off(signal: NodeJS.Signals, listener: (signal: NodeJS.Signals) => void): unknown;
}

/** Listens to signals from now on. Returns what stops that. */
export function handleSignals(
  handlers: SignalHandlers,
  source: SignalSource = process,
  now: () => number = Date.now,
): () => void {
  let drainingSince: number | null = null;
  const end = (signal: NodeJS.Signals): void => {
    if (drainingSince === null) {
      drainingSince = now();
      handlers.drain(signal);
    } else if (now() - drainingSince > samePressMs) {
      handlers.force(signal);
    }
  };
  const hangUp = (): void => {
    if (drainingSince === null) handlers.reload();
  };
  source.on("SIGTERM", end);
  source.on("SIGINT", end);
  source.on("SIGHUP", hangUp);
  return () => {
    source.off("SIGTERM", end);
    source.off("SIGINT", end);
    source.off("SIGHUP", hangUp);
  };
}
