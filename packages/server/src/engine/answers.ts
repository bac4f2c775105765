/** How requests end: with an error of main's own, with a cut connection, or with what the worker said. Each ends once. */
import { PROBLEM_TYPE } from "../app/encode-reply.ts";
import { problem } from "../app/problem.ts";
import type { InFlight, MainRoute, Outcome } from "./in-flight.ts";
import { retryAfterSeconds } from "./retry-after.ts";

export interface AnswersOptions {
  readonly routes: readonly MainRoute[];
  /** The client has its answer, or never will. */
  onSettled(request: InFlight, status: number, outcome: Outcome): void;
  /** The id of a request, in full. */
  idOf(request: InFlight): string;
}

export class Answers {
  readonly #options: AnswersOptions;

  constructor(options: AnswersOptions) {
    this.#options = options;
  }

  /** The request has ended; its sink knows already. */
  settle(request: InFlight, status: number, outcome: Outcome): void {
    request.stage = "settled";
    this.#options.onSettled(request, status, outcome);
  }

  /** Gives a request its error, or cuts its connection where an answer has begun. */
  fail(request: InFlight, status: number, detail: string, outcome: Outcome, headers: string | null = null): void {
    if (request.stage === "settled") return;
    const begun = request.stage === "streaming";
    request.stage = "settled";
    if (!begun) {
      const body = JSON.stringify(problem(status, detail, { requestId: this.#options.idOf(request) }));
      request.sink.whole(status, PROBLEM_TYPE, headers, body);
    } else if (request.socket !== null) request.socket.close(1012, "The server's thread was lost");
    else request.sink.destroy();
    this.#options.onSettled(request, status, outcome);
  }

  /** Its time is over: 504. */
  timeOut(request: InFlight): void {
    this.fail(request, 504, `${request.what} took longer than ${request.route.timeoutMs} ms.`, "timeout");
  }

  /** No thread for it: 503, and when to come back. */
  refuse(request: InFlight, detail: string, outcome: Outcome, workers: number): void {
    const seconds = retryAfterSeconds(this.#options.routes, workers);
    this.fail(request, 503, detail, outcome, `retry-after\n${seconds}`);
  }
}
