/** This thread's side of the managers' service: what it says is posted on the line, what comes back is handled here. */

import { TaskCancelledError, TaskTimeoutError, WorkerCrashedError } from "@duck-ts/runtime";
import {
  decodeThrown,
  drainAnswers,
  entryUrl,
  line,
  lineHandlers,
  openTask,
  threadFromLinks,
  threadWide,
} from "@duck-ts/runtime/internal";
import { type FromService, SERVICE, type ToService, type WhyDropped } from "./protocol.ts";

/** What a manager of this thread does with news about its workers. */
export interface WorkerNews {
  connected(event: Extract<FromService, { op: "connect" }>): void;
  up(event: Extract<FromService, { op: "up" }>): void;
  gone(event: Extract<FromService, { op: "gone" }>): void;
  withdraw(event: Extract<FromService, { op: "withdraw" }>): void;
}

type Client = { connected: boolean; readonly news: Map<string, WorkerNews> };

const client = (): Client => threadWide("managers-client", () => ({ connected: false, news: new Map() }));

/** Makes sure that the supervisor runs the managers' service and that this thread hears it. */
export function connectService(): void {
  const own = client();
  if (own.connected) return;
  own.connected = true;
  lineHandlers().events.set(SERVICE, (body) => hear(own, body as FromService));
  line().post({
    t: "service",
    name: SERVICE,
    url: entryUrl("./supervisor/service.cjs", "@duck-ts/managers", import.meta.url).href,
  });
}

/** Posts without waiting for anything. */
export function tell(message: ToService, transfer?: readonly unknown[]): void {
  connectService();
  line().tell(SERVICE, message, transfer as never);
}

/** Blocks for one round trip to the supervisor. */
export function ask<T>(message: ToService): T {
  connectService();
  return line().ask<T>(SERVICE, message);
}

export function askAsync<T>(message: ToService): Promise<T> {
  connectService();
  return line().askAsync<T>(SERVICE, message);
}

/** From now on `news` hears of the workers of the manager `key`. */
export function listenForWorkers(key: string, news: WorkerNews): void {
  client().news.set(key, news);
}

function hear(own: Client, event: FromService): void {
  switch (event.op) {
    case "connect": {
      const news = own.news.get(event.key);
      if (news === undefined) event.port.close();
      else news.connected(event);
      return;
    }
    case "up":
      own.news.get(event.key)?.up(event);
      return;
    case "gone":
      own.news.get(event.key)?.gone(event);
      return;
    case "withdraw":
      own.news.get(event.key)?.withdraw(event);
      return;
    case "answers": {
      const worker = event.links.length > 0 ? threadFromLinks(event.links) : undefined;
      for (const answer of event.answers) {
        const future = openTask(answer[1]);
        if (worker !== undefined) future?.assign(worker);
        future?.settleFromWire(answer);
      }
      return;
    }
    case "lost":
      // Its answer may have come by another port before the thread ended.
      drainAnswers();
      openTask(event.callId)?.fail(
        new WorkerCrashedError(event.thread, event.exit.reason, event.exit.exitCode, cause(event.exit.message)),
      );
      return;
    case "dropped":
      openTask(event.callId)?.fail(droppedFor(event));
      return;
    case "expired":
      drainAnswers();
      openTask(event.callId)?.fail(new TaskTimeoutError(event.timeoutMs));
      return;
    default:
      event satisfies never;
  }
}

/** The error of a task that was cancelled before it began. */
export function droppedFor({ why, cause }: WhyDropped): TaskCancelledError {
  return new TaskCancelledError(
    `The task was cancelled: ${why}.`,
    cause === undefined ? undefined : decodeThrown(cause),
  );
}

/** What ended a thread, as the cause of the error that its tasks get. */
export function cause(message: string | undefined): ErrorOptions | undefined {
  return message === undefined ? undefined : { cause: new Error(message.split("\n")[0] ?? message) };
}
