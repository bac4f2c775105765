/**
 * Main's side of the request path: takes requests in, places them, hands answers out, and sees to it that no handler can
 * keep anybody else's answer. Knows workers as links and clients as sinks; threads are started and replaced elsewhere
 * (generation.ts), HTTP is spoken elsewhere (src/http).
 */

import { PROBLEM_TYPE } from "../app/encode-reply.ts";
import { problem } from "../app/problem.ts";
import { BodyFeed } from "./body-feed.ts";
import { costOf, isAsync, REPLY_FIELDS } from "./envelope.ts";
import type { InFlight, MainRoute, Outcome, SocketSink } from "./in-flight.ts";
import { place, type RequestLoad } from "./placement.ts";
import { RequestQueue } from "./queue.ts";
import { retryAfterSeconds } from "./retry-after.ts";
import type { CostClass } from "./route-cost.ts";
import { UNKNOWN_US } from "./route-cost.ts";
import { SENT } from "./slots.ts";
import type { AbortReason, FromWorker, ToWorker } from "./wire.ts";
import { STREAM_WINDOW } from "./wire.ts";
import type { WorkerLink } from "./worker-link.ts";

/** Light requests came within the last so many milliseconds: a worker is left to them. */
const LIGHT_MEMORY_MS = 1000;

export interface DispatcherOptions {
  readonly routes: readonly MainRoute[];
  readonly maxQueue: number;
  /** The client has its answer, or never will. */
  onSettled(request: InFlight, status: number, outcome: Outcome): void;
  /** A worker holds nothing any more. */
  onIdle(link: WorkerLink): void;
  /** The id of a request, in full. */
  idOf(request: InFlight): string;
}

export class Dispatcher {
  readonly links: WorkerLink[] = [];
  readonly queue: RequestQueue = new RequestQueue();
  /** With workers, settled or not. */
  active = 0;
  /** Of them, those whose clients had their 504 and whose handlers go on regardless. */
  abandoned = 0;
  takenBack = 0;
  rerun = 0;
  readonly #options: DispatcherOptions;
  readonly #load: { kind: CostClass; async: boolean; waitedMs: number } & RequestLoad = {
    kind: "unknown",
    async: false,
    waitedMs: 0,
  };
  #scheduled = false;
  #lastLight = Number.NEGATIVE_INFINITY;
  #now = 0;

  constructor(options: DispatcherOptions) {
    this.#options = options;
  }

  /** Takes a request in. It leaves with the others of this turn of the loop. */
  submit(request: InFlight): void {
    if (request.route.cost.kind === "light") this.#lastLight = request.arrivedAt;
    if (this.queue.length >= this.#options.maxQueue) {
      this.pump();
      if (this.queue.length >= this.#options.maxQueue) {
        this.#refuse(request, "The server has more to do than it can queue.", "queue-full");
        return;
      }
    }
    this.queue.add(request);
    this.#schedule();
  }

  /** The client has gone: its request is dropped, or its handler told. */
  clientGone(request: InFlight): void {
    switch (request.stage) {
      case "settled":
        return;
      case "queued":
        this.queue.drop(request);
        this.#settled(request, 499, "client-gone");
        return;
      case "sent":
      case "streaming":
        if (request.worker?.slots.revoke(request.slot) === true) {
          // Not begun: it never will be.
          request.worker.detach(request.slot);
          request.worker.discharge(request);
          this.active--;
          request.route.running--;
          request.feed?.stop();
          this.queue.leave(request);
          this.#settle(request, 499, "client-gone");
          return;
        }
        this.#callOff(request, "client-gone");
        this.#settle(request, 499, "client-gone");
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
      if (request === undefined || !link.slots.revoke(slot)) continue;
      link.detach(slot);
      link.discharge(request);
      this.active--;
      request.route.running--;
      if (request.stage !== "sent") {
        this.queue.leave(request);
        continue;
      }
      this.takenBack++;
      this.#requeue(request);
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
      this.#ended(request);
      const state = link.slots.state(slot);
      if (request.stage === "settled") {
        request.feed?.stop();
        this.queue.leave(request);
      } else if (request.stage === "sent" && (state === SENT || request.repeatable)) {
        if (state === SENT) this.takenBack++;
        else {
          this.rerun++;
          request.attempts++;
        }
        this.#requeue(request);
      } else {
        request.feed?.stop();
        this.queue.leave(request);
        this.fail(request, status, detail, outcome);
      }
    }
    this.#schedule();
  }

  /** Gives a request its error, or cuts its connection where an answer has begun. */
  fail(request: InFlight, status: number, detail: string, outcome: Outcome, headers: string | null = null): void {
    if (request.stage === "settled") return;
    if (request.stage === "streaming") {
      request.stage = "settled";
      if (request.socket !== null) request.socket.close(1012, "The server's thread was lost");
      else request.sink.destroy();
      this.#settled(request, status, outcome);
      return;
    }
    request.stage = "settled";
    const body = JSON.stringify(problem(status, detail, { requestId: this.#options.idOf(request) }));
    request.sink.whole(status, PROBLEM_TYPE, headers, body);
    this.#settled(request, status, outcome);
  }

  /** The deadline of a request that a worker has begun: the client gets its 504, the handler is told. */
  timeOut(request: InFlight, abort: boolean): void {
    const { route } = request;
    if (abort) this.#callOff(request, "timeout");
    request.abandoned = true;
    this.abandoned++;
    this.fail(
      request,
      504,
      `${route.info.method} ${route.info.path} took longer than ${route.timeoutMs} ms.`,
      "timeout",
    );
  }

  /** Answers what has waited too long for a thread. */
  expire(now: number): void {
    if (this.queue.length === 0) return;
    this.queue.expire((request) => {
      if (now - request.arrivedAt < request.route.timeoutMs) return false;
      this.queue.drop(request);
      request.stage = "queued";
      this.#refuse(request, "No thread was free in time.", "queue-timeout");
      return true;
    }, this.#options.routes);
  }

  /** Refuses all that waits. */
  refuseAll(detail: string): void {
    for (const request of this.queue.clear(this.#options.routes)) {
      this.queue.leave(request);
      this.#refuse(request, detail, "draining");
    }
  }

  /** What a worker says. */
  receive(link: WorkerLink, message: FromWorker): void {
    link.heard = true;
    if (link.blocked && link.state === "ready") link.blocked = false;
    switch (message.type) {
      case "replies":
        this.#replies(link, message.batch);
        return;
      case "skipped":
        for (const slot of message.slots) link.skipped(slot);
        this.#afterRelease(link);
        return;
      case "stream-head": {
        const request = link.requests[message.slot];
        if (request === undefined) return;
        this.#learn(link, request, message.costUs, true);
        if (request.stage !== "sent") return;
        request.stage = "streaming";
        request.deadline = Number.POSITIVE_INFINITY;
        request.sink.begin(message.status, message.contentType, message.headers);
        request.status = message.status;
        return;
      }
      case "stream-chunk": {
        const request = link.requests[message.slot];
        if (request === undefined || request.stage !== "streaming") return;
        this.#chunk(link, request, message.chunk);
        return;
      }
      case "stream-end": {
        const request = this.#release(link, message.slot);
        if (request !== undefined && request.stage === "streaming") {
          if (message.failed) request.sink.destroy();
          else request.sink.end();
          this.#settle(request, request.status, message.failed ? "broken-off" : "answered");
        }
        this.#afterRelease(link);
        return;
      }
      case "body-credit":
        link.requests[message.slot]?.feed?.credit(message.chunks);
        return;
      case "pong":
        link.pinged = false;
        return;
      case "vitals":
        link.busy = message.busy;
        return;
      case "socket-send": {
        const request = link.requests[message.slot];
        if (request?.stage === "streaming" || request?.stage === "sent") request.socket?.send(message.data);
        return;
      }
      case "socket-close":
        link.requests[message.slot]?.socket?.close(message.code, message.reason);
        return;
      case "socket-taken":
        link.requests[message.slot]?.socket?.taken(message.bytes);
        return;
      case "socket-done": {
        const request = this.#release(link, message.slot);
        if (request !== undefined && request.stage !== "settled") this.#settle(request, 101, "answered");
        this.#afterRelease(link);
        return;
      }
      case "hello":
      case "log":
        return;
      default:
        throw new TypeError(`A worker said what main does not know: ${JSON.stringify(message satisfies never)}`);
    }
  }

  /** Something of the client's for the worker that holds its socket. */
  toSocket(request: InFlight, message: ToWorker): void {
    if (request.stage === "streaming") request.worker?.post(message);
  }

  /** Closes every WebSocket. */
  closeSockets(code: number, reason: string): void {
    for (const link of this.links) {
      for (const request of link.requests) if (request?.stage === "streaming") request.socket?.close(code, reason);
    }
  }

  /** A worker has taken a socket: it stays there, and no deadline counts. */
  #opened(request: InFlight, socket: SocketSink): void {
    request.stage = "streaming";
    request.deadline = Number.POSITIVE_INFINITY;
    socket.open();
  }

  #replies(link: WorkerLink, batch: readonly unknown[]): void {
    for (let at = 0; at < batch.length; at += REPLY_FIELDS) {
      const slot = batch[at] as number;
      const status = batch[at + 1] as number;
      const cost = batch[at + 5] as number;
      const request = link.requests[slot];
      if (request === undefined) continue;
      this.#learn(link, request, costOf(cost), isAsync(cost));
      // Status 0 is the notice that the handler awaits: the thread is free, the answer comes later.
      if (status === 0) {
        if (request.socket !== null && request.stage === "sent") this.#opened(request, request.socket);
        continue;
      }
      this.#release(link, slot);
      if (request.stage !== "sent") continue;
      request.stage = "settled";
      request.sink.whole(status, batch[at + 2] as 0, batch[at + 3] as string | null, batch[at + 4] as string | null);
      this.#settled(request, status, "answered");
    }
    this.#afterRelease(link);
  }

  #learn(link: WorkerLink, request: InFlight, costUs: number, async: boolean): void {
    if (request.learnt) return;
    request.learnt = true;
    request.route.cost.record(costUs, async);
    if (async && request.charge !== "awaiting") {
      link.discharge(request);
      link.charge(request, "awaiting", 0);
      if (this.queue.length > 0) this.#schedule();
    }
  }

  #chunk(link: WorkerLink, request: InFlight, chunk: string | Uint8Array): void {
    request.owed++;
    const goOn = request.sink.write(chunk, () => {
      request.stalled = false;
      this.#credit(link, request);
    });
    if (!goOn) request.stalled = true;
    else if (!request.stalled && request.owed >= STREAM_WINDOW / 4) this.#credit(link, request);
  }

  #credit(link: WorkerLink, request: InFlight): void {
    if (request.owed === 0 || request.worker !== link || request.stage !== "streaming") return;
    link.post({ type: "credit", slot: request.slot, chunks: request.owed });
    request.owed = 0;
  }

  /** Tells a worker that nobody waits for this request any more. */
  #callOff(request: InFlight, reason: AbortReason): void {
    request.worker?.post({ type: "abort", slot: request.slot, reason });
  }

  #release(link: WorkerLink, slot: number): InFlight | undefined {
    const request = link.release(slot);
    if (request === undefined) return undefined;
    link.discharge(request);
    this.#ended(request);
    request.feed?.stop();
    this.queue.leave(request);
    return request;
  }

  #requeue(request: InFlight): void {
    request.worker = null;
    request.slot = -1;
    request.learnt = false;
    request.feed?.detach();
    request.feed = null;
    this.queue.addFirst(request);
  }

  /** No worker has it any more. */
  #ended(request: InFlight): void {
    this.active--;
    request.route.running--;
    if (request.abandoned) this.abandoned--;
  }

  #afterRelease(link: WorkerLink): void {
    if (this.queue.length > 0) this.#schedule();
    if (link.count === 0 || link.state === "draining") this.#options.onIdle(link);
  }

  #settle(request: InFlight, status: number, outcome: Outcome): void {
    request.stage = "settled";
    this.#settled(request, status, outcome);
  }

  #settled(request: InFlight, status: number, outcome: Outcome): void {
    this.#options.onSettled(request, status, outcome);
  }

  #refuse(request: InFlight, detail: string, outcome: Outcome): void {
    const { costUs, samples } = request.route.cost;
    const seconds = retryAfterSeconds(this.queue.length, samples === 0 ? UNKNOWN_US : costUs, this.links.length);
    this.fail(request, 503, detail, outcome, `retry-after\n${seconds}`);
  }

  readonly #place = (request: InFlight, kind: CostClass): boolean => {
    const load = this.#load;
    const { cost } = request.route;
    load.kind = kind;
    load.async = cost.async;
    load.waitedMs = this.#now - request.arrivedAt;
    const at = place(load, this.links, this.#now - this.#lastLight < LIGHT_MEMORY_MS);
    const link = at === -1 ? undefined : this.links[at];
    if (link === undefined) return false;
    link.take(request, this.#now);
    this.active++;
    request.route.running++;
    if (kind !== "light") link.charge(request, "exclusive", cost.costUs);
    else if (cost.async) link.charge(request, "awaiting", 0);
    else link.charge(request, "expected", cost.costUs);
    if (request.bodyStream !== null) {
      request.feed = new BodyFeed(request, link, (status, detail) => this.#bodyFailed(request, status, detail));
    }
    return true;
  };

  #bodyFailed(request: InFlight, status: 400 | 413, detail: string): void {
    if (request.stage === "settled") return;
    this.#callOff(request, "client-gone");
    this.fail(request, status, detail, "answered");
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(this.#run);
  }

  readonly #run = (): void => {
    this.#scheduled = false;
    this.pump();
  };
}
