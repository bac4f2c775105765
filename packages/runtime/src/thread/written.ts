import { Writable } from "node:stream";

/**
 * Calls `then` once what this thread has written to its standard streams has been taken by the thread that made it. A
 * worker's streams hand over one write at a time: what is behind it when the thread is ended is lost.
 */
export function whenWritten(then: () => void): void {
  afterWrites(process.stdout, () => afterWrites(process.stderr, then));
}

/** By the prototype's write(): who catches output in a test puts one in its place that may not call back. */
function afterWrites(stream: Writable, then: () => void): void {
  if (stream.writable) Writable.prototype.write.call(stream, "", "utf8", () => then());
  else then();
}
