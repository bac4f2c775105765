/** What workers say, and what follows from it for the requests that they have. */
import type { Answers } from "./answers.ts";
import type { Custody } from "./custody.ts";
import { costOf, isAsync, REPLY_FIELDS } from "./envelope.ts";
import type { InFlight, SocketSink } from "./in-flight.ts";
import { behindPieces, passOn } from "./stream-out.ts";
import type { FromWorker } from "./wire.ts";
import type { WorkerLink } from "./worker-link.ts";

export class WorkerMessages {
  readonly #custody: Custody;
  readonly #answers: Answers;
  readonly #onReleased: (link: WorkerLink) => void;

  /** @param onReleased a worker has fewer requests than before. */
  constructor(custody: Custody, answers: Answers, onReleased: (link: WorkerLink) => void) {
    this.#custody = custody;
    this.#answers = answers;
    this.#onReleased = onReleased;
  }

  receive(link: WorkerLink, message: FromWorker): void {
    link.heard = true;
    if (link.blocked && link.state === "ready") link.blocked = false;
    switch (message.type) {
      case "replies":
        this.#replies(link, message.batch);
        return;
      case "skipped":
        for (const slot of message.slots) link.skipped(slot);
        this.#onReleased(link);
        return;
      case "stream-head": {
        const request = link.requests[message.slot];
        if (request === undefined) return;
        this.#custody.learn(link, request, message.costUs, true);
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
        request.pieces++;
        passOn(link, request, message.chunk);
        return;
      }
      case "stream-end": {
        const request = link.requests[message.slot];
        if (request === undefined) this.#onReleased(link);
        else behindPieces(link, request, () => this.#streamEnd(link, request, message.failed));
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
        const request = this.#custody.release(link, message.slot);
        if (request !== undefined && request.stage !== "settled") this.#answers.settle(request, 101, "answered");
        this.#onReleased(link);
        return;
      }
      case "hello":
      case "log":
        return;
      default:
        throw new TypeError(`A worker said what main does not know: ${JSON.stringify(message satisfies never)}`);
    }
  }

  /** A worker has taken a socket: it stays there, and no deadline counts. */
  #opened(request: InFlight, socket: SocketSink): void {
    request.stage = "streaming";
    request.deadline = Number.POSITIVE_INFINITY;
    socket.open();
  }

  #streamEnd(link: WorkerLink, request: InFlight, failed: boolean): void {
    // Its thread may have died since it said so.
    if (link.requests[request.slot] === request) this.#custody.release(link, request.slot);
    if (request.stage === "streaming") {
      if (failed) request.sink.destroy();
      else request.sink.end();
      this.#answers.settle(request, request.status, failed ? "broken-off" : "answered");
    }
    this.#onReleased(link);
  }

  #replies(link: WorkerLink, batch: readonly unknown[]): void {
    for (let at = 0; at < batch.length; at += REPLY_FIELDS) {
      const slot = batch[at] as number;
      const status = batch[at + 1] as number;
      const cost = batch[at + 5] as number;
      const request = link.requests[slot];
      if (request === undefined) continue;
      this.#custody.learn(link, request, costOf(cost), isAsync(cost));
      // Status 0 is the notice that the handler awaits: the thread is free, the answer comes later.
      if (status === 0) {
        if (request.socket !== null && request.stage === "sent") this.#opened(request, request.socket);
        continue;
      }
      this.#custody.release(link, slot);
      if (request.stage !== "sent") continue;
      request.stage = "settled";
      request.sink.whole(status, batch[at + 2] as 0, batch[at + 3] as string | null, batch[at + 4] as string | null);
      this.#answers.settle(request, status, "answered");
    }
    this.#onReleased(link);
  }
}
