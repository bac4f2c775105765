import type { LogWireMessage } from "./wire.ts";

/**
 * Sends what this thread writes to stdout and stderr over the wire, so that it survives the thread's termination: a
 * worker's own streams lose what main has not taken yet. Returns its undoing.
 */
export function forwardConsole(post: (message: LogWireMessage) => void): () => void {
  const undo = [divert(process.stdout, "stdout", post), divert(process.stderr, "stderr", post)];
  return () => {
    for (const restore of undo) restore();
  };
}

function divert(
  stream: NodeJS.WriteStream,
  kind: "stdout" | "stderr",
  post: (message: LogWireMessage) => void,
): () => void {
  const original = stream.write;
  type Done = (error?: Error | null) => void;
  const write = (chunk: string | Uint8Array, encoding?: BufferEncoding | Done, done?: Done): boolean => {
    const text = typeof chunk === "string" ? chunk : Buffer.from(chunk).toString();
    post({ kind, text });
    const callback = typeof encoding === "function" ? encoding : done;
    if (callback !== undefined) process.nextTick(callback);
    return true;
  };
  stream.write = write as typeof stream.write;
  return () => {
    stream.write = original;
  };
}
