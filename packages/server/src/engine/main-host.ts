/** Main's own copy of the app, for the routes that say `run: "main"`: the worker's code, with nothing in between. */

import type { LogWireMessage } from "../logs/wire.ts";
import { createWorkerLogger } from "../logs/worker-logger.ts";
import type { Answers } from "./answers.ts";
import { pushRequest, REPLY_FIELDS } from "./envelope.ts";
import type { InFlight } from "./in-flight.ts";
import { Slots } from "./slots.ts";
import type { FromWorker, WorkerData } from "./wire.ts";
import { loadApp } from "./worker/load-app.ts";
import { RequestHost } from "./worker/request-host.ts";

export class MainHost {
  readonly #slots = new Slots();
  readonly #requests: (InFlight | undefined)[] = [];
  readonly #free: number[] = [];
  readonly #answers: Answers;
  /** Of those that await, by slot: nobody else watches them. */
  readonly #deadlines: (NodeJS.Timeout | undefined)[] = [];
  #host!: RequestHost;

  private constructor(answers: Answers) {
    this.#answers = answers;
  }

  /** Imports the app on main. Its `onWorkerStart` does not run here: this is no request thread, and nothing has to be stopped. */
  static async start(
    data: WorkerData,
    receiveLog: (message: LogWireMessage) => void,
    answers: Answers,
  ): Promise<MainHost> {
    const app = await loadApp(data.app, []);
    const host = new MainHost(answers);
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

  run(request: InFlight): void {
    const slot = this.#free.pop() ?? this.#requests.length;
    this.#requests[slot] = request;
    request.slot = slot;
    request.stage = "sent";
    request.threadName = "main";
    request.route.running++;
    this.#slots.markSent(slot);
    const batch: unknown[] = [];
    const { route, method, url, headers, ip, id, body } = request;
    pushRequest(batch, slot, route.index, false, method, url, headers, ip, id, body);
    this.#host.receive({ type: "requests", batch });
    if (request.stage === "sent") this.#deadlines[slot] = setTimeout(() => this.#late(request), route.timeoutMs);
  }

  abort(request: InFlight): void {
    this.#host.receive({ type: "abort", slot: request.slot, reason: "client-gone" });
  }

  /** Event streams end. */
  endEndless(): void {
    for (const request of this.#requests) {
      if (request !== undefined) this.#host.receive({ type: "abort", slot: request.slot, reason: "shutdown" });
    }
  }

  /** What holds main cannot be stopped; what only awaits is told, and its client has its 504. */
  #late(request: InFlight): void {
    if (request.stage !== "sent") return;
    this.#host.receive({ type: "abort", slot: request.slot, reason: "timeout" });
    this.#answers.timeOut(request);
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
        const credit = (): void => this.#host.receive({ type: "credit", slot: message.slot, chunks: 1 });
        if (request.sink.write(message.chunk, credit)) credit();
        return;
      }
      case "stream-end": {
        const request = this.#release(message.slot);
        if (request?.stage !== "streaming") return;
        if (message.failed) request.sink.destroy();
        else request.sink.end();
        this.#answers.settle(request, request.status, message.failed ? "broken-off" : "answered");
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
    if (request?.stage !== "sent") return;
    request.sink.whole(status, batch[at + 2] as 0, batch[at + 3] as string | null, batch[at + 4] as string | null);
    this.#answers.settle(request, status, "answered");
  }

  #release(slot: number): InFlight | undefined {
    const request = this.#requests[slot];
    if (request === undefined) return undefined;
    this.#requests[slot] = undefined;
    clearTimeout(this.#deadlines[slot]);
    this.#slots.release(slot);
    this.#free.push(slot);
    request.route.running--;
    return request;
  }
}
