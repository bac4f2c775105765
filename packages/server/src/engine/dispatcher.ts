/**
 * Main's side of the request path: takes requests in, places them, hands answers out, and sees to it that no handler can
 * keep anybody else's answer. Knows workers as links and clients as sinks; threads are started and replaced elsewhere
 * (generation.ts), HTTP is spoken elsewhere (src/http).
 */

import { Answers, type AnswersOptions } from "./answers.ts";
import { BodyFeed } from "./body-feed.ts";
import { Custody } from "./custody.ts";
import type { InFlight, Outcome } from "./in-flight.ts";
import { place, type RequestLoad } from "./placement.ts";
import { RequestQueue } from "./queue.ts";
import type { CostClass } from "./route-cost.ts";
import { AWAITING, SENT } from "./slots.ts";
import type { FromWorker, ToWorker } from "./wire.ts";
import type { WorkerLink } from "./worker-link.ts";
import { WorkerMessages } from "./worker-messages.ts";

/** Light requests came within the last so many milliseconds: a worker is left to them. */
const LIGHT_MEMORY_MS = 1000;

/**
 * Where so many heavy requests wait for each thread, the cores are what all wait for: requests that come are gathered for
 * a few milliseconds and leave together, as each for itself would wake a thread, main and its client. That takes a third
 * off what a light one costs, and the heavy ones get it.
 */
const BACKLOG = 2;
const GATHER_MS = 3;

export interface DispatcherOptions extends AnswersOptions {
  readonly maxQueue: number;
  /** Counts requests sent to workers, by the worker's place and by what was known of the route's cost. */
  readonly placements: Record<CostClass, number>[];
  /** A worker holds nothing any more, or is draining and holds less. */
  onIdle(link: WorkerLink): void;
}

export class Dispatcher {
  readonly links: WorkerLink[] = [];
  readonly queue: RequestQueue = new RequestQueue();
  readonly #options: DispatcherOptions;
  readonly #answers: Answers;
  readonly #custody: Custody;
  readonly #messages: WorkerMessages;
  readonly #load: { -readonly [K in keyof RequestLoad]: RequestLoad[K] } = {
    kind: "unknown",
    async: false,
    waitedMs: 0,
    costUs: 0,
    behind: 0,
  };
  #scheduled = false;
  #gathering: NodeJS.Timeout | undefined;
  #ending = false;
  #lastLight = Number.NEGATIVE_INFINITY;
  #now = 0;

  constructor(options: DispatcherOptions) {
    this.#options = options;
    this.#answers = new Answers(options);
    this.#custody = new Custody(this.queue, () => this.#schedule());
    this.#messages = new WorkerMessages(this.#custody, this.#answers, (link) => {
      const isFree = link.freed();
      if (this.queue.length > 0 && (isFree || this.#gathering === undefined)) this.#schedule();
      if (link.count === 0 || link.state === "draining") options.onIdle(link);
    });
  }

  /** What is with workers, and what came back from them. */
  get custody(): Custody {
    return this.#custody;
  }

  /** Takes a request in. It leaves with the others of this turn of the loop. */
  submit(request: InFlight): void {
    if (request.route.cost.kind === "light") this.#lightCame(request.arrivedAt);
    if (this.queue.length >= this.#options.maxQueue) {
      this.pump();
      if (this.queue.length >= this.#options.maxQueue) {
        const detail = "The server has more to do than it can queue.";
        this.#answers.refuse(request, detail, "queue-full", this.links.length);
        return;
      }
    }
    this.queue.add(request);
    if (this.queue.waiting("heavy") < BACKLOG * this.links.length) this.#schedule();
    else this.#gathering ??= setTimeout(this.#run, GATHER_MS);
  }

  /** The client has gone: its request is dropped, or its handler told. */
  clientGone(request: InFlight): void {
    switch (request.stage) {
      case "settled":
        return;
      case "queued":
        this.queue.drop(request);
        this.#answers.settle(request, 499, "client-gone");
        return;
      case "sent":
      case "streaming":
        // An open socket tells its end itself, with its code.
        if (request.socket !== null && request.stage === "streaming") return;
        if (request.worker !== null && this.#custody.revoke(request.worker, request)) {
          request.feed?.stop();
          this.queue.leave(request);
          this.#answers.settle(request, 499, "client-gone");
          return;
        }
        this.#custody.callOff(request, "client-gone");
        if (request.stage === "streaming" && request.sink.complete === true)
          this.#answers.settle(request, request.status, "answered");
        else this.#answers.settle(request, 499, "client-gone");
        return;
    }
  }

  /** A worker has come: it gets what waits. */
  add(link: WorkerLink): void {
    this.links.push(link);
    this.#schedule();
  }

  /** A worker takes nothing more; what it has not begun goes elsewhere. */
  remove(link: WorkerLink): void {
    const at = this.links.indexOf(link);
    if (at !== -1) this.links.splice(at, 1);
  }

  /** Places what waits and sends what is placed. */
  pump(): void {
    this.#now = performance.now();
    if (this.queue.length > 0) this.queue.pump(this.#place);
    for (const link of this.links) link.flush();
  }

  /** Takes back what a worker has not begun, to be placed elsewhere. */
  takeBack(link: WorkerLink): void {
    for (let slot = link.high - 1; slot >= 0; slot--) {
      const request = link.requests[slot];
      if (request === undefined || !this.#custody.revoke(link, request)) continue;
      if (request.stage !== "sent") {
        this.queue.leave(request);
        continue;
      }
      this.#custody.takenBack++;
      this.#custody.requeue(request);
    }
    this.#schedule();
  }

  /**
   * A worker is gone or about to be: each of its requests gets its own end. What it had not begun goes elsewhere; a GET or
   * HEAD that had not begun to answer is run again once; the others get `status`.
   */
  lose(link: WorkerLink, status: 502 | 503, detail: string, outcome: Outcome): void {
    link.state = "dead";
    this.remove(link);
    for (let slot = 0; slot < link.high; slot++) {
      const request = link.requests[slot];
      if (request === undefined) continue;
      link.requests[slot] = undefined;
      link.discharge(request);
      link.count--;
      this.#custody.ended(request);
      const state = link.slots.state(slot);
      if (request.stage === "settled") {
        request.feed?.stop();
        this.queue.leave(request);
      } else if (request.stage === "sent" && (state === SENT || request.repeatable)) {
        if (state === SENT) this.#custody.takenBack++;
        else {
          this.#custody.rerun++;
          request.attempts++;
        }
        this.#custody.requeue(request);
      } else {
        request.feed?.stop();
        this.queue.leave(request);
        this.#answers.fail(request, status, detail, outcome);
      }
    }
    this.#schedule();
  }

  /** The deadline of a request that a worker has begun: the client gets its 504, the handler is told. */
  timeOut(request: InFlight, abort: boolean): void {
    if (abort) this.#custody.callOff(request, "timeout");
    this.#custody.abandon(request);
    this.#answers.timeOut(request);
  }

  /** What does not get on, as `isStuck` has it, shall hold the shutdown no longer: its handler is told, its client cut. */
  giveUp(links: Iterable<WorkerLink>, isStuck: (request: InFlight) => boolean): void {
    for (const link of links) {
      for (const [slot, request] of [...link.requests].entries()) {
        // Whoever holds the thread is at work.
        if (link.blocked || link.slots.state(slot) !== AWAITING) continue;
        if (request === undefined || request.abandoned || !isStuck(request)) continue;
        this.#custody.abandon(request);
        if (request.stage === "streaming") this.#custody.callOff(request, "given-up");
        this.#answers.fail(request, 503, "The server is shutting down.", "draining");
      }
    }
  }

  /** Answers what has waited too long for a thread. */
  expire(now: number): void {
    if (this.queue.length === 0) return;
    this.queue.expire((request) => {
      if (now - request.arrivedAt < request.route.timeoutMs) return false;
      this.queue.drop(request);
      request.stage = "queued";
      this.#answers.refuse(request, "No thread was free in time.", "queue-timeout", this.links.length);
      return true;
    }, this.#options.routes);
  }

  /** Refuses all that waits. */
  refuseAll(detail: string): void {
    for (const request of this.queue.clear(this.#options.routes)) {
      this.queue.leave(request);
      this.#answers.refuse(request, detail, "draining", this.links.length);
    }
  }

  /** What a worker says. */
  receive(link: WorkerLink, message: FromWorker): void {
    this.#messages.receive(link, message);
  }

  /** Something of the client's for the worker that holds its socket. */
  toSocket(request: InFlight, message: ToWorker): void {
    if (request.stage === "streaming") request.worker?.post(message);
  }

  /** Ends what would never end by itself, WebSockets and event streams, now and when more of them begin. */
  endEndless(code: number, reason: string): void {
    this.#ending = true;
    for (const link of this.links) this.endEndlessOf(link, code, reason);
  }

  /** The same for one worker that is to go. */
  endEndlessOf(link: WorkerLink, code: number, reason: string): void {
    for (const request of link.requests) {
      if (request === undefined || request.stage === "settled") continue;
      if (request.socket === null) this.#custody.callOff(request, "shutdown");
      else if (request.stage === "streaming") request.socket.close(code, reason);
    }
  }

  readonly #place = (request: InFlight, kind: CostClass): boolean => {
    const load = this.#load;
    const { cost } = request.route;
    load.kind = kind;
    load.async = cost.async;
    load.waitedMs = this.#now - request.arrivedAt;
    load.costUs = cost.costUs;
    load.behind = this.queue.waiting(kind) - 1;
    const at = place(load, this.links, this.#now - this.#lastLight < LIGHT_MEMORY_MS);
    const link = at === -1 ? undefined : this.links[at];
    if (link === undefined) return false;
    link.take(request, kind !== "light", this.#now);
    this.#custody.taken(request);
    const { placements } = this.#options;
    placements[at] ??= { light: 0, unknown: 0, heavy: 0 };
    (placements[at] as Record<CostClass, number>)[kind]++;
    if (kind !== "light") link.charge(request, "exclusive", cost.costUs);
    else if (cost.async) link.charge(request, "awaiting", 0);
    else link.charge(request, "expected", cost.costUs);
    if (request.bodyStream !== null) {
      request.feed = new BodyFeed(request, link, (status, detail) => this.#bodyFailed(request, status, detail));
    }
    if (this.#ending) this.#custody.callOff(request, "shutdown");
    return true;
  };

  #bodyFailed(request: InFlight, status: 400 | 413, detail: string): void {
    if (request.stage === "settled") return;
    this.#custody.callOff(request, "client-gone");
    this.#answers.fail(request, status, detail, "answered");
  }

  /** The first for a while finds threads that heavy ones wait for: it shall wait for one heavy request at most. */
  #lightCame(now: number): void {
    const first = now - this.#lastLight >= LIGHT_MEMORY_MS;
    this.#lastLight = now;
    if (!first) return;
    for (const link of this.links) if (link.exclusive > 1) this.takeBack(link);
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(this.#run);
  }

  readonly #run = (): void => {
    this.#scheduled = false;
    clearTimeout(this.#gathering);
    this.#gathering = undefined;
    this.pump();
  };
}
