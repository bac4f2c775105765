/** What sinks have to know of the server. */
export interface ServerPhase {
  /** It is on its way down: every answer ends its connection. */
  readonly draining: boolean;
  /** How long a client may take none of its answer; 0 for ever. */
  readonly stallTimeoutMs: number;
  /** Streamed answers that are under way, which share the room there is for them. */
  streams: number;
}
