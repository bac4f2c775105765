/**
 * Requests that wait on main for a thread, by what they cost: light ones, ones of which nothing is known, heavy ones. Each
 * kind is first come, first served; what has waited for nothing (its client is gone) is passed over. No threads in here.
 */
import { Deque } from "./deque.ts";
import type { InFlight, MainRoute } from "./in-flight.ts";
import type { CostClass } from "./route-cost.ts";

export class RequestQueue {
  readonly #lanes: Readonly<Record<CostClass, Deque<InFlight>>> = {
    light: new Deque(),
    unknown: new Deque(),
    heavy: new Deque(),
  };
  /** Requests that wait and whose clients are still there; those that `maxConcurrent` holds back are counted too. */
  length = 0;

  add(request: InFlight): void {
    this.#count(request, 1);
    request.stage = "queued";
    if (this.#holdBack(request)) return;
    this.#lanes[request.route.cost.kind].push(request);
  }

  /** How many of a kind wait here, those included that have gone since. */
  waiting(kind: CostClass): number {
    return this.#lanes[kind].length;
  }

  /** Back to the front: it had its turn and lost it through no fault of its own. */
  addFirst(request: InFlight): void {
    this.#count(request, 1);
    request.stage = "queued";
    this.#lanes[request.route.cost.kind].unshift(request);
  }

  /** Its client has gone or has its answer: it will be passed over. */
  drop(request: InFlight): void {
    request.stage = "settled";
    this.#count(request, -1);
    this.leave(request);
  }

  /** The request is done in every way: the next that waited for it under `maxConcurrent` moves up. */
  leave(request: InFlight): void {
    if (!request.admitted) return;
    request.admitted = false;
    const { route } = request;
    route.admitted--;
    for (let next = route.waiting.shift(); next !== undefined; next = route.waiting.shift()) {
      if (next.stage !== "queued") continue;
      route.admitted++;
      next.admitted = true;
      this.#lanes[route.cost.kind].push(next);
      return;
    }
  }

  /**
   * Hands each waiting request that `place` finds a thread for to it, lane by lane, until it finds none.
   * `place` says whether it took the request.
   */
  pump(place: (request: InFlight, kind: CostClass) => boolean): void {
    this.#pumpLane("light", place);
    this.#pumpLane("unknown", place);
    this.#pumpLane("heavy", place);
  }

  /** Calls `late` with the oldest of each lane until one is not late; so it costs nothing where none is. */
  expire(late: (request: InFlight) => boolean, routes: readonly MainRoute[]): void {
    for (const lane of Object.values(this.#lanes)) {
      let head = lane.peek();
      while (head !== undefined && (head.stage !== "queued" || late(head))) {
        lane.shift();
        head = lane.peek();
      }
    }
    for (const { waiting } of routes) {
      let head = waiting[0];
      while (head !== undefined && (head.stage !== "queued" || late(head))) {
        waiting.shift();
        head = waiting[0];
      }
    }
  }

  /** Takes everything out. */
  clear(routes: readonly MainRoute[]): InFlight[] {
    const all: InFlight[] = [];
    for (const { waiting } of routes) all.push(...waiting.splice(0).filter((request) => request.stage === "queued"));
    for (const lane of Object.values(this.#lanes)) {
      for (let next = lane.shift(); next !== undefined; next = lane.shift())
        if (next.stage === "queued") all.push(next);
    }
    for (const request of all) this.#count(request, -1);
    return all;
  }

  #count(request: InFlight, by: 1 | -1): void {
    this.length += by;
    request.route.queued += by;
  }

  #pumpLane(kind: CostClass, place: (request: InFlight, kind: CostClass) => boolean): void {
    const lane = this.#lanes[kind];
    for (let request = lane.peek(); request !== undefined; request = lane.peek()) {
      if (request.stage !== "queued") {
        lane.shift();
        continue;
      }
      const now = request.route.cost.kind;
      if (now !== kind) {
        // Learnt since it came: it belongs to another lane. Unknown ones are younger than what is known, light ones first.
        lane.shift();
        this.#lanes[now].push(request);
        if (now === "light") this.#pumpLane("light", place);
        continue;
      }
      if (!place(request, kind)) return;
      lane.shift();
      this.#count(request, -1);
    }
  }

  #holdBack(request: InFlight): boolean {
    const { route } = request;
    if (route.info.maxConcurrent === undefined) return false;
    if (route.admitted >= route.info.maxConcurrent) {
      route.waiting.push(request);
      return true;
    }
    route.admitted++;
    request.admitted = true;
    return false;
  }
}
