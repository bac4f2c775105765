/** The server was not ready in time. Exit code 1. */
export class StartTimeoutError extends Error {
  override get name(): string {
    return "StartTimeoutError";
  }
}
