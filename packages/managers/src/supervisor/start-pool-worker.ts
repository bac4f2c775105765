import { MessageChannel } from "node:worker_threads";
import { newThreadBell, type ThreadExit } from "@duck-ts/runtime/internal";
import * as board from "../board.ts";
import type { AgentData } from "../pool/agent.ts";
import type { Crew } from "../pool/crew.ts";
import type { FromAgent, PoolSettings } from "../protocol.ts";
import type { HostContext } from "./host-api.ts";
import { PoolWorker } from "./pool-worker.ts";

/** Whom a new worker tells what happens to it. */
export type WorkerListener = {
  heard(worker: PoolWorker, message: FromAgent): void;
  exited(worker: PoolWorker, exit: ThreadExit): void;
};

/** Starts the pool's thread of that number. */
export function startPoolWorker(
  { manager, started, api }: HostContext,
  settings: PoolSettings,
  crew: Crew,
  number: number,
  listener: WorkerListener,
): PoolWorker {
  const { head, key, owner } = manager.intro;
  const bell = newThreadBell();
  const { record, port } = api.openLine(bell);
  const { port1: control, port2: controlThere } = new MessageChannel();
  const block = board.newBlock();
  const data: AgentData = {
    identity: { name: `${started.threadName}-${number}`, kind: "pool", ancestors: owner },
    line: port,
    bell,
    control: controlThere,
    key,
    head,
    block,
    isOnly: settings.maxWorkers === 1,
    workerInit: settings.workerInit,
    memoryLimitMb: settings.memoryLimitMb,
  };
  const worker = new PoolWorker(number, control, block, record, head);
  worker.member = crew.start(
    data,
    [port, controlThere],
    { port: control, bell },
    () => Atomics.load(block, board.EXIT_CODE),
    (exit) => listener.exited(worker, exit),
  );
  control.on("message", (message: FromAgent) => listener.heard(worker, message));
  return worker;
}
