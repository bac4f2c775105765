/** Whether the server is on its way down: every answer then ends its connection. */
export interface ServerPhase {
  readonly draining: boolean;
}
