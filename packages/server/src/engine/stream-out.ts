/** A streamed answer on its way from a worker to its client, no faster than the client takes it. */
import type { InFlight } from "./in-flight.ts";
import { CREDIT_STEP } from "./wire.ts";
import type { WorkerLink } from "./worker-link.ts";

/** Writes a piece, and gives the worker credit for more when the client has room. */
export function passOn(link: WorkerLink, request: InFlight, chunk: string | Uint8Array): void {
  request.owed++;
  const goOn = request.sink.write(chunk, () => {
    request.stalled = false;
    credit(link, request);
  });
  if (!goOn) request.stalled = true;
  else if (!request.stalled && request.owed >= CREDIT_STEP) credit(link, request);
}

function credit(link: WorkerLink, request: InFlight): void {
  if (request.owed === 0 || request.worker !== link || request.stage !== "streaming") return;
  link.post({ type: "credit", slot: request.slot, chunks: request.owed });
  request.owed = 0;
}
