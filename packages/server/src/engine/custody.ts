/** What main keeps of the requests that workers have: how many there are, what they weigh, and where they go from there. */
import type { InFlight } from "./in-flight.ts";
import type { RequestQueue } from "./queue.ts";
import type { AbortReason } from "./wire.ts";
import type { WorkerLink } from "./worker-link.ts";

export class Custody {
  /** With workers, settled or not. */
  active = 0;
  /** Of them, those that nobody waits for, and whose handlers go on regardless. */
  abandoned = 0;
  takenBack = 0;
  rerun = 0;
  readonly queue: RequestQueue;
  readonly #onRoom: () => void;

  /** @param onRoom what waits may find a thread now. */
  constructor(queue: RequestQueue, onRoom: () => void) {
    this.queue = queue;
    this.#onRoom = onRoom;
  }

  /** A worker has got it. */
  taken(request: InFlight): void {
    this.active++;
    request.route.running++;
  }

  /** Takes a request back, if its worker has not begun it: it never will. */
  revoke(link: WorkerLink, request: InFlight): boolean {
    const { slot } = request;
    if (!link.slots.revoke(slot)) return false;
    link.detach(slot);
    link.discharge(request);
    this.active--;
    request.route.running--;
    return true;
  }

  /** What it costs is known now, from its end or from the notice that it awaits. */
  learn(link: WorkerLink, request: InFlight, costUs: number, async: boolean): void {
    if (request.learnt) return;
    request.learnt = true;
    request.route.cost.record(costUs, async);
    if (async && request.charge !== "awaiting") {
      link.discharge(request);
      link.charge(request, "awaiting", 0);
      if (this.queue.length > 0) this.#onRoom();
    }
  }

  /** Tells a worker that nobody waits for this request any more. */
  callOff(request: InFlight, reason: AbortReason): void {
    request.worker?.post({ type: "abort", slot: request.slot, reason });
  }

  /** It has had its time: from here on nobody waits for its handler. */
  abandon(request: InFlight): void {
    request.abandoned = true;
    this.abandoned++;
  }

  /** The worker is done with a slot. */
  release(link: WorkerLink, slot: number): InFlight | undefined {
    const request = link.release(slot);
    if (request === undefined) return undefined;
    link.discharge(request);
    this.ended(request);
    request.feed?.stop();
    this.queue.leave(request);
    return request;
  }

  /** To be placed once more. */
  requeue(request: InFlight): void {
    request.worker = null;
    request.slot = -1;
    request.learnt = false;
    request.feed?.detach();
    request.feed = null;
    this.queue.addFirst(request);
  }

  /** No worker has it any more. */
  ended(request: InFlight): void {
    this.active--;
    request.route.running--;
    if (request.abandoned) this.abandoned--;
  }
}
