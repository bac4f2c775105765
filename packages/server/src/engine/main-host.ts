/** Main's own copy of the app, for the routes that say `run: "main"`: the worker's code, with nothing in between. */

import type { LogWireMessage } from "../logs/wire.ts";
import { createWorkerLogger } from "../logs/worker-logger.ts";
import type { Answers } from "./answers.ts";
import { pushRequest, REPLY_FIELDS } from "./envelope.ts";
import type { InFlight, MainRoute } from "./in-flight.ts";
import { Slots } from "./slots.ts";
import type { FromWorker, WorkerData } from "./wire.ts";
import { loadApp } from "./worker/load-app.ts";
import { RequestHost } from "./worker/request-host.ts";

export class MainHost {
  readonly #slots = new Slots();
  readonly #requests: (InFlight | undefined)[] = [];
  readonly #free: number[] = [];
  readonly #answers: Answers;
  readonly #maxQueue: number;
  /** Of those that await, by slot: nobody else watches them. */
  readonly #deadlines: (NodeJS.Timeout | undefined)[] = [];
  /** Held back by `maxConcurrent`, with how long they wait for their turn. */
  readonly #waiting = new Map<InFlight, NodeJS.Timeout>();
  readonly #onIdle: (() => void)[] = [];
  #running = 0;
  /** Of them, those that nobody waits for any more. */
  #abandoned = 0;
  #lettingIn = false;
  #host!: RequestHost;

  private constructor(answers: Answers, maxQueue: number) {
    this.#answers = answers;
    this.#maxQueue = maxQueue;
  }

  /** Imports the app on main. Its `onWorkerStart` does not run here: this is no request thread, and nothing has to be stopped. */
  static async start(
    data: WorkerData,
    receiveLog: (message: LogWireMessage) => void,
    answers: Answers,
    maxQueue: number,
  ): Promise<MainHost> {
    const app = await loadApp(data.app, []);
    const host = new MainHost(answers, maxQueue);
    const log = createWorkerLogger({ level: data.logLevel, post: receiveLog, bindings: { thread: "main" } });
    host.#host = new RequestHost({
      routes: app.routes,
      onError: app.onError,
      development: data.development,
      idPrefix: data.idPrefix,
      bodyLimitBytes: data.defaults.bodyLimitBytes,
      log,
      slots: host.#slots,
      post: (message) => host.#receive(message),
    });
    return host;
  }

  /** How many `maxConcurrent` holds back. */
  get queued(): number {
    return this.#waiting.size;
  }

  /** Runs a request, or holds it back until its route's `maxConcurrent` lets it in. */
  submit(request: InFlight): void {
    const { route } = request;
    const { maxConcurrent } = route.info;
    if (maxConcurrent === undefined || route.running < maxConcurrent) this.#run(request);
    else if (this.#waiting.size >= this.#maxQueue) {
      this.#answers.refuse(request, "The server has more to do than it can queue.", "queue-full", 1);
    } else {
      route.waiting.push(request);
      route.queued++;
      this.#waiting.set(
        request,
        setTimeout(() => {
          this.#leaveQueue(request);
          this.#answers.refuse(request, "Its turn did not come in time.", "queue-timeout", 1);
        }, route.timeoutMs),
      );
    }
  }

  #leaveQueue(request: InFlight): boolean {
    const timer = this.#waiting.get(request);
    if (timer === undefined) return false;
    clearTimeout(timer);
    this.#waiting.delete(request);
    request.route.queued--;
    return true;
  }

  #run(request: InFlight): void {
    const slot = this.#free.pop() ?? this.#requests.length;
    this.#requests[slot] = request;
    request.slot = slot;
    request.stage = "sent";
    request.threadName = "main";
    request.route.running++;
    this.#running++;
    this.#slots.markSent(slot);
    const batch: unknown[] = [];
    const { route, method, url, headers, ip, id, body } = request;
    pushRequest(batch, slot, route.index, false, method, url, headers, ip, id, body);
    this.#host.receive({ type: "requests", batch });
    if (request.stage === "sent") this.#deadlines[slot] = setTimeout(() => this.#late(request), route.timeoutMs);
  }

  abort(request: InFlight): void {
    if (this.#leaveQueue(request)) return;
    this.#host.receive({ type: "abort", slot: request.slot, reason: "client-gone" });
  }

  /** Event streams end. */
  endEndless(): void {
    for (const request of this.#requests) {
      if (request !== undefined) this.#host.receive({ type: "abort", slot: request.slot, reason: "shutdown" });
    }
  }

  /** Resolves when it has nothing to do any more. */
  async drained(): Promise<void> {
    if (!this.#isIdle) await new Promise<void>((resolve) => this.#onIdle.push(resolve));
  }

  get #isIdle(): boolean {
    return this.#running === this.#abandoned && this.#waiting.size === 0;
  }

  #tellIdle(): void {
    if (this.#isIdle) for (const told of this.#onIdle.splice(0)) told();
  }

  /** Hands every answer to `each` that is being streamed. */
  streams(each: (request: InFlight) => void): void {
    for (const request of this.#requests) if (request?.stage === "streaming") each(request);
  }

  /** Waits no longer for what does not get on. */
  giveUp(isStuck: (request: InFlight) => boolean): void {
    for (const request of [...this.#requests]) {
      if (request === undefined || request.abandoned || !isStuck(request)) continue;
      this.#abandon(request);
      if (request.stage !== "streaming") continue;
      this.#answers.fail(request, 503, "The server is shutting down.", "draining");
      this.#host.receive({ type: "abort", slot: request.slot, reason: "given-up" });
    }
    this.#tellIdle();
  }

  #abandon(request: InFlight): void {
    request.abandoned = true;
    this.#abandoned++;
  }

  /** Gives up what is left: its clients are answered or cut, and no timer of it runs on. */
  close(): void {
    for (const request of [...this.#waiting.keys(), ...this.#requests]) {
      if (request === undefined || request.stage === "settled") continue;
      this.abort(request);
      this.#answers.fail(request, 503, "The server is shutting down.", "draining");
    }
    for (const timer of this.#deadlines) clearTimeout(timer);
  }

  /** What holds main cannot be stopped; what only awaits is told, and its client has its 504. */
  #late(request: InFlight): void {
    if (request.stage === "streaming") return;
    this.#abandon(request);
    this.#host.receive({ type: "abort", slot: request.slot, reason: "timeout" });
    this.#answers.timeOut(request);
    this.#tellIdle();
  }

  #receive(message: FromWorker): void {
    switch (message.type) {
      case "replies":
        for (let at = 0; at < message.batch.length; at += REPLY_FIELDS) this.#reply(message.batch, at);
        return;
      case "stream-head": {
        const request = this.#requests[message.slot];
        if (request?.stage !== "sent") return;
        request.stage = "streaming";
        request.status = message.status;
        request.sink.begin(message.status, message.contentType, message.headers);
        return;
      }
      case "stream-chunk": {
        const request = this.#requests[message.slot];
        if (request?.stage !== "streaming") return;
        request.pieces++;
        const credit = (): void => {
          request.stalled = false;
          this.#host.receive({ type: "credit", slot: message.slot, chunks: 1 });
        };
        if (request.sink.write(message.chunk, credit)) credit();
        else request.stalled = true;
        return;
      }
      case "stream-end": {
        const request = this.#release(message.slot);
        if (request?.stage === "streaming") {
          if (message.failed) request.sink.destroy();
          else request.sink.end();
          this.#answers.settle(request, request.status, message.failed ? "broken-off" : "answered");
        }
        if (request !== undefined) this.#letIn(request.route);
        return;
      }
      default:
        // Sockets and streamed bodies are never placed on main.
        return;
    }
  }

  #reply(batch: readonly unknown[], at: number): void {
    const status = batch[at + 1] as number;
    if (status === 0) return;
    const request = this.#release(batch[at] as number);
    if (request?.stage === "sent") {
      request.sink.whole(status, batch[at + 2] as 0, batch[at + 3] as string | null, batch[at + 4] as string | null);
      this.#answers.settle(request, status, "answered");
    }
    if (request !== undefined) this.#letIn(request.route);
  }

  #release(slot: number): InFlight | undefined {
    const request = this.#requests[slot];
    if (request === undefined) return undefined;
    this.#requests[slot] = undefined;
    clearTimeout(this.#deadlines[slot]);
    this.#slots.release(slot);
    this.#free.push(slot);
    request.route.running--;
    this.#running--;
    if (request.abandoned) this.#abandoned--;
    return request;
  }

  /** There is room again, and the answer that made it has been given: those that waited get their turn. */
  #letIn(route: MainRoute): void {
    // Where one of them answers at once this is entered again.
    if (this.#lettingIn) return;
    this.#lettingIn = true;
    const { maxConcurrent = 0 } = route.info;
    for (let next = route.waiting[0]; next !== undefined && route.running < maxConcurrent; next = route.waiting[0]) {
      route.waiting.shift();
      if (this.#leaveQueue(next)) this.#run(next);
    }
    this.#lettingIn = false;
    this.#tellIdle();
  }
}
