/** What runs in each worker of a hosted pool (the server's request threads): the module that the pool was made for. */
import type { MessagePort } from "node:worker_threads";
import {
  adoptBell,
  adoptIdentity,
  adoptLine,
  type CarriedIdentity,
  currentThread,
  encodeError,
  Host,
  Inbox,
  isUp,
  lineageLinks,
  lineHandlers,
  line as ownLine,
  type RunMessage,
  type ThreadLink,
} from "@duck-ts/runtime/internal";
import { ownExecutor } from "../own-executor.ts";
import { SERVICE, type ToService } from "../protocol.ts";
import { connectService } from "../service-client.ts";

export type HostedAgentData = {
  readonly identity: Omit<CarriedIdentity, "root">;
  readonly key: string;
  readonly line: MessagePort;
  readonly bell: Int32Array;
  readonly control: MessagePort;
  readonly traffic: MessagePort;
  readonly exitCode: Int32Array;
  readonly module: string;
  readonly data: unknown;
};

/** What the host hears over `control`. */
export type FromHostedAgent =
  | { readonly t: "ready"; readonly links: readonly ThreadLink[] }
  | { readonly t: "failed"; readonly error: unknown };

type HostedModule = {
  start(context: {
    readonly port: MessagePort;
    readonly data: unknown;
    readonly thread: { readonly id: number; readonly name: string };
  }): unknown;
};

export default async function hostedAgent({
  identity,
  key,
  line,
  bell,
  control,
  traffic,
  exitCode,
  module,
  data,
}: HostedAgentData): Promise<void> {
  adoptIdentity(identity);
  adoptBell(bell);
  adoptLine(line);
  ownExecutor().key = key;
  let uncaught = false;
  process.on("uncaughtExceptionMonitor", () => {
    uncaught = true;
  });
  process.on("exit", (code) => {
    if (!uncaught) Atomics.store(exitCode, 0, code);
  });
  runSubmittedTasks(key);
  const { id, name } = currentThread();
  let started: { stop?(): unknown } | undefined;
  try {
    const { start } = (await import(module)) as HostedModule;
    started = (await start({ port: traffic, data, thread: { id, name } })) as { stop?(): unknown } | undefined;
  } catch (error) {
    control.postMessage({ t: "failed", error: encodeError(error) } satisfies FromHostedAgent);
    throw error;
  } finally {
    isUp();
  }
  control.postMessage({ t: "ready", links: lineageLinks(currentThread()) } satisfies FromHostedAgent);
  await new Promise<void>((resolve) => {
    control.once("message", () => resolve()); // "retire"
    control.once("close", () => resolve());
  });
  await started?.stop?.();
}

/** Tasks that descendants submit to the pool through its manager run beside the requests, on this thread's event loop. */
function runSubmittedTasks(key: string): void {
  const host = new Host("concurrent", {
    ended: ({ callId }, ok) => tell({ op: "hostedDone", key, callId, ok }),
  });
  const tell = (message: ToService): void => ownLine().tell(SERVICE, message);
  connectService(); // sets this thread's handler now, so that it cannot replace ours later
  const before = lineHandlers().events.get(SERVICE);
  lineHandlers().events.set(SERVICE, (body) => {
    const event = body as { op: string; from: number; message: RunMessage };
    if (event.op !== "runHosted") {
      before?.(body);
      return;
    }
    const { from, message } = event;
    const inbox = new Inbox(from, (answers) => tell({ op: "hostedAnswers", key, to: from, answers }));
    host.receive(inbox, [message]);
    if (host.job(from, message[1]) !== undefined) tell({ op: "hostedAwaits", key, from, callId: message[1] });
  });
}
