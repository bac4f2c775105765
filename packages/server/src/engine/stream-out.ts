/**
 * Streamed answers on their way from workers to their clients, no faster than the clients take them. A write is a copy into
 * the kernel, some 20 to 60 us for a piece: hundreds of clients that begin at once would hold main's loop with them, and
 * with it everybody else. So all together they have it for one slice at a time; in between it comes round.
 */
import { Deque } from "./deque.ts";
import type { InFlight } from "./in-flight.ts";
import { CREDIT_STEP } from "./wire.ts";
import type { WorkerLink } from "./worker-link.ts";

/** So long in one go. */
const SLICE_MS = 3;

interface Waiting {
  readonly link: WorkerLink;
  readonly request: InFlight;
  /** A piece, or what is to happen behind the last one. */
  readonly what: string | Uint8Array | (() => void);
}

/** In the order in which they came, whosever they are; bounded by the credit that their workers have. */
const waiting = new Deque<Waiting>();
let slice = Number.NEGATIVE_INFINITY;
let scheduled = false;

/** Writes a piece, now or in its turn, and gives the worker credit for more when the client has room. */
export function passOn(link: WorkerLink, request: InFlight, chunk: string | Uint8Array): void {
  if (waiting.length === 0 && hasTime()) write(link, request, chunk);
  else wait({ link, request, what: chunk });
}

/** Runs `then` behind all pieces of this request that wait for their turn. */
export function behindPieces(link: WorkerLink, request: InFlight, then: () => void): void {
  if (request.piecesWaiting === 0) then();
  else wait({ link, request, what: then });
}

function wait(one: Waiting): void {
  one.request.piecesWaiting++;
  waiting.push(one);
}

function hasTime(): boolean {
  const now = performance.now();
  if (!scheduled) {
    // The first since the loop came round.
    scheduled = true;
    slice = now;
    setImmediate(next);
  }
  return now - slice <= SLICE_MS;
}

/** The loop has come round: a new slice. */
function next(): void {
  scheduled = false;
  while (waiting.length > 0 && hasTime()) {
    const { link, request, what } = waiting.shift() as Waiting;
    request.piecesWaiting--;
    if (typeof what === "function") what();
    // Its client may have gone meanwhile.
    else if (request.worker === link && request.stage === "streaming") write(link, request, what);
  }
}

function write(link: WorkerLink, request: InFlight, chunk: string | Uint8Array): void {
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
