/** Runs requests in a worker (and, for `run: "main"` routes, on main): takes envelopes, gives answers. */
import { AsyncResource } from "node:async_hooks";
import type { AppDefinition } from "../../app/define-app.ts";
import { flatHeaderLines } from "../../app/encode-headers.ts";
import { BYTES_TYPE, type EncodedReply, encodeReply, isResponse, PROBLEM_TYPE } from "../../app/encode-reply.ts";
import { problemOf, statusOf } from "../../app/problem.ts";
import { requestIdVar } from "../../app/request-id.ts";
import { validateParts } from "../../app/validation.ts";
import { HttpError } from "../../errors.ts";
import type { WorkerLogger } from "../../logs/worker-logger.ts";
import { REQUEST_FIELDS, readRequest, routeAt, STREAMED_BODY } from "../envelope.ts";
import { AWAITING, DONE, type Slots } from "../slots.ts";
import { type FromWorker, type ToWorker, windowBeside } from "../wire.ts";
import { BodySource } from "./body-source.ts";
import { asPromise, isPromise } from "./is-promise.ts";
import type { RunnableRoute } from "./load-app.ts";
import { ReplyBatch } from "./reply-batch.ts";
import { RequestContext } from "./request-context.ts";
import { SocketHost } from "./socket-host.ts";
import { isEventStream, StreamPump } from "./stream-pump.ts";

/** A handler that never took longer than this, a few times in a row, is over at once. */
const BRIEF_US = 300;
/** So many have to have been seen before that is believed. */
const ENOUGH = 4;

export interface RequestHostOptions {
  readonly routes: readonly RunnableRoute[];
  readonly onError: AppDefinition["onError"];
  readonly development: boolean;
  readonly idPrefix: string;
  readonly bodyLimitBytes: number;
  readonly log: WorkerLogger;
  readonly slots: Slots;
  post(message: FromWorker, transfer?: readonly ArrayBuffer[]): void;
}

export class RequestHost {
  readonly #options: RequestHostOptions;
  readonly #replies: ReplyBatch;
  /** Requests whose handlers have the thread no more and that have not ended. */
  readonly #open = new Map<number, RequestContext>();
  readonly #pumps = new Map<number, StreamPump>();
  readonly #sockets: SocketHost;

  constructor(options: RequestHostOptions) {
    this.#options = options;
    this.#replies = new ReplyBatch((message, transfer) => options.post(message, transfer));
    this.#sockets = new SocketHost(options);
  }

  receive(message: ToWorker): void {
    switch (message.type) {
      case "requests":
        this.#runAll(message.batch);
        return;
      case "abort":
        if (message.reason === "shutdown") {
          this.#leave(message.slot);
          return;
        }
        this.#sockets.abort(message.slot);
        this.#open.get(message.slot)?.abort(message.reason);
        this.#pumps.get(message.slot)?.cancel();
        return;
      case "body-chunks":
        this.#open.get(message.slot)?.source?.push(message.chunks);
        return;
      case "body-end":
        this.#open.get(message.slot)?.source?.end(message.error, message.late);
        return;
      case "credit":
        this.#pumps.get(message.slot)?.credit(message.chunks);
        return;
      case "ping":
        this.#options.post({ type: "pong" });
        return;
      case "socket-message":
        this.#sockets.message(message.slot, message.data);
        return;
      case "socket-closed":
        this.#sockets.closed(message.slot, message.code, message.reason);
        return;
      case "socket-buffered":
        this.#sockets.buffered(message.slot, message.bytes);
        return;
      default:
        throw new TypeError(`Main said what a worker does not know: ${JSON.stringify(message satisfies never)}`);
    }
  }

  /** The thread, or the server, is to go: an event stream ends, also one that is only about to begin. */
  #leave(slot: number): void {
    const ctx = this.#open.get(slot);
    if (ctx === undefined) return;
    ctx.leaving = true;
    const pump = this.#pumps.get(slot);
    if (pump?.isEventStream !== true) return;
    ctx.abort("shutdown");
    pump.cancel();
  }

  #runAll(batch: readonly unknown[]): void {
    const { slots, routes } = this.#options;
    let skipped: number[] | undefined;
    let now = performance.now();
    for (let at = 0; at < batch.length; at += REQUEST_FIELDS) {
      const slot = batch[at] as number;
      const route = routes[routeAt(batch, at)];
      if (route === undefined) continue;
      this.#replies.flushBefore(route.samples >= ENOUGH && route.peakUs < BRIEF_US, now);
      if (!slots.begin(slot)) {
        skipped ??= [];
        skipped.push(slot);
        continue;
      }
      now = this.#run(new AsyncResource("DuckRequest"), batch, at, route, now);
    }
    this.#replies.flush();
    if (skipped !== undefined) this.#options.post({ type: "skipped", slots: skipped });
  }

  /** Runs one request until its handler gives the thread back; says when that was. */
  #run(scope: AsyncResource, batch: readonly unknown[], at: number, route: RunnableRoute, begun: number): number {
    const envelope = readRequest(batch, at);
    const { slot } = envelope;
    const source =
      envelope.body === STREAMED_BODY
        ? new BodySource((chunks) => this.#options.post({ type: "body-credit", slot, chunks }))
        : undefined;
    const ctx = new RequestContext(envelope, route, this.#options, source);
    if (route.socket !== undefined) {
      this.#options.slots.leave(slot, AWAITING);
      this.#replies.notice(slot, 0, begun);
      // Main opens the socket at this notice: it has to be there before anything is sent.
      this.#replies.flush();
      this.#sockets.open(slot, ctx, route, scope);
      return performance.now();
    }
    let outcome: EncodedReply | Promise<EncodedReply>;
    try {
      // Its own scope: what a handler enters (AsyncLocalStorage.enterWith, context variables) stays its own.
      outcome = scope.runInAsyncScope(this.#enter, this, ctx, route);
    } catch (error) {
      outcome = this.#explain(error, ctx);
    }
    const ended = performance.now();
    const costUs = (ended - begun) * 1000;
    route.samples++;
    route.peakUs = Math.max(costUs, route.samples === 2 ? 0 : route.peakUs * 0.98);
    const safe = envelope.method === "GET" || envelope.method === "HEAD";
    if (!isPromise(outcome) && outcome.stream === null) {
      this.#replies.push(slot, outcome, costUs, false, safe, ended);
      this.#options.slots.leave(slot, DONE);
      return ended;
    }
    this.#open.set(slot, ctx);
    this.#options.slots.leave(slot, AWAITING);
    if (envelope.watched) this.#replies.notice(slot, costUs, ended);
    void this.#settle(outcome, ctx, costUs, safe);
    return ended;
  }

  #enter(ctx: RequestContext, route: RunnableRoute): EncodedReply | Promise<EncodedReply> {
    return requestIdVar.run(ctx.id, () => this.#invoke(ctx, route));
  }

  /** Validation, handler, encoding: the value where all of that is synchronous, else a promise. */
  #invoke(ctx: RequestContext, route: RunnableRoute): EncodedReply | Promise<EncodedReply> {
    if (route.hasSchemas) {
      ctx.checkMediaType();
      const validated = validateParts(route.options, (part) => this.#part(ctx, part), ctx.hasForm);
      if (isPromise(validated)) {
        return validated.then((parts) => {
          ctx.validated = parts;
          return this.#call(ctx, route);
        });
      }
      ctx.validated = validated;
    }
    return this.#call(ctx, route);
  }

  #call(ctx: RequestContext, route: RunnableRoute): EncodedReply | Promise<EncodedReply> {
    const result = route.handler(ctx);
    if (isPromise(result)) return asPromise(result).then((value) => encodeReply(value, ctx, route.options.response));
    return encodeReply(result, ctx, route.options.response);
  }

  #part(ctx: RequestContext, part: "params" | "query" | "headers" | "body"): unknown {
    switch (part) {
      case "params":
        return { ...ctx.rawParams() };
      case "query":
        return { ...ctx.rawQuery() };
      case "headers":
        return { ...ctx.rawHeaders() };
      case "body":
        return ctx.rawBody();
    }
  }

  async #settle(
    outcome: EncodedReply | Promise<EncodedReply>,
    ctx: RequestContext,
    costUs: number,
    safe: boolean,
  ): Promise<void> {
    const { slot } = ctx.envelope;
    let reply: EncodedReply;
    try {
      reply = await outcome;
      if (reply.stream !== null) {
        if (ctx.envelope.method === "HEAD" || ctx.aborted || (ctx.leaving && isEventStream(reply))) {
          reply.stream.return();
          // Whether it is bytes or text its first piece would have told.
          reply = { ...reply, contentType: reply.contentType === BYTES_TYPE ? 0 : reply.contentType, stream: null };
        } else if (await this.#stream(reply, ctx, costUs)) return;
      }
    } catch (error) {
      reply = await this.#explain(error, ctx);
    }
    this.#open.delete(slot);
    ctx.source?.end("The request has been answered");
    this.#options.slots.finish(slot);
    this.#replies.push(slot, reply, costUs, true, safe, performance.now());
    this.#replies.flushSoon();
  }

  /** Streams an answer; resolves when that has ended. @throws what the source throws before its first piece. */
  async #stream(reply: EncodedReply, ctx: RequestContext, costUs: number): Promise<boolean> {
    const { slot } = ctx.envelope;
    const pump = new StreamPump(slot, reply, costUs, windowBeside(this.#pumps.size), this.#options.post, {
      onHead: () => this.#replies.flush(),
      onEnd: (error) => {
        if (error !== undefined && !ctx.aborted) {
          this.#options.log.error({ err: error, requestId: ctx.id }, "A streamed answer broke off");
        }
        this.#pumps.delete(slot);
        this.#open.delete(slot);
        ctx.source?.end("The request has been answered");
        this.#options.slots.finish(slot);
        this.#options.post({ type: "stream-end", slot, failed: error !== undefined });
      },
    });
    this.#pumps.set(slot, pump);
    try {
      await pump.run();
      return true;
    } catch (error) {
      this.#pumps.delete(slot);
      throw error;
    }
  }

  /** The answer that stands for a thrown value: what `onError` says, else a problem. */
  async #explain(error: unknown, ctx: RequestContext): Promise<EncodedReply> {
    let cause = error;
    const { onError, log, development } = this.#options;
    try {
      let value: unknown = onError === undefined ? undefined : await onError(error, ctx as never);
      // `throw new Response(...)`, as Remix and others have it, is a way to answer.
      if (value === undefined && isResponse(error)) value = error;
      if (value !== undefined) {
        const reply = await encodeReply(value, ctx);
        if (reply.stream === null) return reply;
        reply.stream.return();
      }
    } catch (second) {
      cause = second;
    }
    const status = statusOf(cause);
    if (status >= 500 && !ctx.isNews(cause))
      log.error({ err: cause, requestId: ctx.id, method: ctx.method, url: ctx.url }, "A handler failed");
    const headers = HttpError.is(cause) && cause.headers !== undefined ? Object.entries(cause.headers).flat() : [];
    let lines: string | null = null;
    try {
      lines = flatHeaderLines(headers);
    } catch (bad) {
      log.error({ err: bad, requestId: ctx.id }, "The headers of an HttpError cannot be sent");
    }
    const body = stringify(problemOf(cause, development, ctx.id));
    return { status, contentType: PROBLEM_TYPE, headers: lines, body, stream: null };
  }
}

function stringify(problem: ReturnType<typeof problemOf>): string {
  try {
    return JSON.stringify(problem);
  } catch {
    const { details: _, ...rest } = problem;
    return JSON.stringify(rest);
  }
}
