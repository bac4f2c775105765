/** Server-sent events: a stream of them, kept alive by heartbeats. */
import { type Reply, reply } from "./reply.ts";

/** One event of a stream. `data` that is no string is sent as JSON. */
export interface ServerSentEvent {
  readonly data: unknown;
  readonly event?: string | undefined;
  readonly id?: string | undefined;
  /** After how many milliseconds the client shall reconnect when it has lost the connection. */
  readonly retryMs?: number | undefined;
}

/**
 * Answers with a stream of server-sent events; one that is a string is nothing but its data. A comment is sent whenever
 * `heartbeatMs` pass without an event, so that neither proxies nor clients take the connection for dead. When the client
 * goes away, the source's `finally` runs.
 *
 * @example
 * ```ts check
 * import { get, sse } from "@duck-ts/server";
 *
 * export const clock = get("/clock", ({ signal }) =>
 *   sse(async function* () {
 *     while (!signal.aborted) {
 *       yield { event: "tick", data: Date.now() };
 *       await new Promise((resolve) => setTimeout(resolve, 1000));
 *     }
 *   }()),
 * );
 * ```
 */
export function sse(
  events: AsyncIterable<ServerSentEvent | string> | Iterable<ServerSentEvent | string>,
  options: { readonly heartbeatMs?: number | undefined } = {},
): Reply<AsyncIterable<string>> {
  return reply(200, encode(events, options.heartbeatMs ?? 15_000), {
    "content-type": "text/event-stream; charset=utf-8",
    "cache-control": "no-cache, no-transform",
    "x-accel-buffering": "no",
  });
}

async function* encode(
  events: AsyncIterable<ServerSentEvent | string> | Iterable<ServerSentEvent | string>,
  heartbeatMs: number,
): AsyncGenerator<string> {
  const source = Symbol.asyncIterator in events ? events[Symbol.asyncIterator]() : events[Symbol.iterator]();
  // The head leaves at once, so that the client knows that it is connected.
  yield ":\n\n";
  try {
    let next = Promise.resolve(source.next());
    for (;;) {
      const step = heartbeatMs > 0 ? await orHeartbeat(next, heartbeatMs) : await next;
      if (step === undefined) {
        yield ":\n\n";
        continue;
      }
      if (step.done === true) return;
      yield line(step.value);
      next = Promise.resolve(source.next());
    }
  } finally {
    void Promise.resolve(source.return?.()).catch(() => undefined);
  }
}

async function orHeartbeat<T>(next: Promise<T>, heartbeatMs: number): Promise<T | undefined> {
  let timer: NodeJS.Timeout | undefined;
  const beat = new Promise<undefined>((resolve) => {
    timer = setTimeout(() => resolve(undefined), heartbeatMs);
  });
  try {
    return await Promise.race([next, beat]);
  } finally {
    clearTimeout(timer);
  }
}

function line(given: ServerSentEvent | string): string {
  if (typeof given !== "string" && (typeof given !== "object" || given === null)) {
    throw new TypeError(`An event is an object with data, or a string; got ${given === null ? "null" : typeof given}.`);
  }
  const { data, event, id, retryMs }: ServerSentEvent = typeof given === "string" ? { data: given } : given;
  const text = typeof data === "string" ? data : ((JSON.stringify(data) as string | undefined) ?? "");
  let out = "";
  if (event !== undefined) out += `event: ${oneLine(event)}\n`;
  if (id !== undefined) out += `id: ${oneLine(id)}\n`;
  if (retryMs !== undefined) out += `retry: ${Math.round(retryMs)}\n`;
  for (const part of text.split(/\r\n|\r|\n/)) out += `data: ${part}\n`;
  return `${out}\n`;
}

function oneLine(text: string): string {
  return text.replace(/[\r\n\0]+/g, " ");
}
