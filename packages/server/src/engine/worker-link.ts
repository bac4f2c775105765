/** Main's end of one worker: its slots, its load, and the batch that leaves at the end of this turn. */
import type { Transferable as NodeTransferable } from "node:worker_threads";
import { pushRequest } from "./envelope.ts";
import type { HostedWorker } from "./host-pool.ts";
import type { InFlight } from "./in-flight.ts";
import type { WorkerLoad } from "./placement.ts";
import { SLOT_COUNT, Slots } from "./slots.ts";
import type { ToWorker } from "./wire.ts";

export type LinkState =
  /** Takes requests. */
  | "ready"
  /** Takes none any more; is let go of when it has none left. */
  | "draining"
  /** Held by a call that must not be terminated. */
  | "sidelined"
  | "dead";

export class WorkerLink implements WorkerLoad {
  readonly hosted: HostedWorker;
  readonly slots: Slots;
  readonly requests: (InFlight | undefined)[] = [];
  state: LinkState = "ready";
  /** Its thread is held by somebody: nothing new goes there. */
  blocked = false;
  blockedSince = 0;
  /** What the process held when it was found blocked. */
  rssAtBlock = 0;
  /** When the watchdog last saw it move, and what it saw. */
  movedAt = 0;
  lastProgress = -1;
  heard = false;
  pinged = false;
  pingedAt = 0;
  /** Why it is draining, for the count of restarts. */
  reason = "";

  expectedUs = 0;
  exclusive = 0;
  awaiting = 0;
  busy = 0;
  /** Requests it holds, the ones whose clients have their answers included. */
  count = 0;
  /** One above the highest slot in use. */
  high = 0;

  readonly #free: number[] = [];
  #hadExclusive = false;
  #batch: unknown[] = [];

  constructor(hosted: HostedWorker, buffer: SharedArrayBuffer, now: number) {
    this.hosted = hosted;
    this.slots = new Slots(buffer);
    this.movedAt = now;
  }

  get usable(): boolean {
    return this.state === "ready" && !this.blocked;
  }
  get hasRoom(): boolean {
    return this.count < SLOT_COUNT;
  }
  get name(): string {
    return this.hosted.thread.name;
  }
  /** Has it envelopes that wait for the end of the turn? */
  get pending(): boolean {
    return this.#batch.length > 0;
  }

  /** Puts a request into the batch of this turn. */
  take(request: InFlight, watched: boolean, now: number): void {
    const slot = this.#free.pop() ?? this.high++;
    this.requests[slot] = request;
    this.count++;
    request.worker = this;
    request.slot = slot;
    request.stage = "sent";
    request.sentAt = now;
    request.deadline = now + request.route.timeoutMs;
    request.threadName = this.hosted.thread.name;
    this.slots.markSent(slot);
    const { route, method, url, headers, ip, id, body } = request;
    pushRequest(this.#batch, slot, route.index, watched, method, url, headers, ip, id, body);
  }

  /** Sends the batch. */
  flush(): void {
    if (this.#batch.length === 0) return;
    const batch = this.#batch;
    this.#batch = [];
    this.hosted.port.postMessage({ type: "requests", batch } satisfies ToWorker);
  }

  /** Sends one message, behind the requests that came before it. */
  post(message: ToWorker, transfer?: readonly NodeTransferable[]): void {
    if (this.state === "dead") return;
    this.flush();
    this.hosted.port.postMessage(message, transfer);
  }

  /** The worker is done with a slot. */
  release(slot: number): InFlight | undefined {
    const request = this.requests[slot];
    if (request === undefined) return undefined;
    this.requests[slot] = undefined;
    this.slots.release(slot);
    this.#free.push(slot);
    this.count--;
    return request;
  }

  /** Forgets a request that was taken back; its slot stays taken until the worker has seen it. */
  detach(slot: number): void {
    this.requests[slot] = undefined;
  }
  /** The worker has passed over a slot that was taken back. */
  skipped(slot: number): void {
    this.slots.release(slot);
    this.#free.push(slot);
    this.count--;
  }

  /** Whether it has become free of heavy requests since it was last asked. */
  freed(): boolean {
    if (!this.#hadExclusive || this.exclusive > 0) return false;
    this.#hadExclusive = false;
    return true;
  }

  charge(request: InFlight, kind: InFlight["charge"], us: number): void {
    request.charge = kind;
    request.chargedUs = us;
    this.expectedUs += us;
    if (kind === "exclusive") {
      this.exclusive++;
      this.#hadExclusive = true;
    } else if (kind === "awaiting") this.awaiting++;
  }
  discharge(request: InFlight): void {
    this.expectedUs -= request.chargedUs;
    if (request.charge === "exclusive") this.exclusive--;
    else if (request.charge === "awaiting") this.awaiting--;
    request.chargedUs = 0;
    request.charge = "expected";
  }
}
