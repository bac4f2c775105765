/** A host pool without threads: workers that say hello with a script of routes, or die, as the test has it. */
import { MessageChannel, type MessagePort } from "node:worker_threads";
import type { HostedPool, HostedWorker, HostPoolOptions, WorkerExit } from "../../src/engine/host-pool.ts";
import { Slots } from "../../src/engine/slots.ts";

/** What the next spawned worker does. */
export interface Script {
  readonly dies?: WorkerExit;
  readonly routes?: readonly string[];
}

export interface FakeHostPool {
  (options: HostPoolOptions): HostedPool;
  readonly spawned: number;
  /** Ends the n-th worker that became ready. */
  kill(index: number, exit: WorkerExit): void;
  /** Every spawned worker has come or died. */
  settled(): Promise<void>;
  until(check: () => boolean): Promise<void>;
}

/** Follows the scripts in turn; after the last one workers come up with no routes. */
export function fakeHostPool(scripts: readonly Script[]): FakeHostPool {
  const left = [...scripts];
  const ready: { worker: HostedWorker; end(exit: WorkerExit): void }[] = [];
  const ports: MessagePort[] = [];
  let spawned = 0;
  const turn = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 5));
  const make = (options: HostPoolOptions): HostedPool => ({
    spawn(): void {
      spawned++;
      const script = left.shift() ?? {};
      setImmediate(() => {
        if (script.dies !== undefined) {
          options.onExit(undefined, script.dies);
          return;
        }
        const { port1, port2 } = new MessageChannel();
        ports.push(port1, port2);
        let gone = false;
        const end = (exit: WorkerExit): void => {
          if (gone) return;
          gone = true;
          options.onExit(worker, exit);
        };
        const worker: HostedWorker = {
          thread: { id: spawned, name: `fake-${spawned}` },
          port: port1,
          terminate: () => setImmediate(() => end({ reason: "terminated", exitCode: 1 })),
          retire: () => setImmediate(() => end({ reason: "exit", exitCode: 0 })),
        };
        ready.push({ worker, end });
        options.onReady(worker);
        const routes = (script.routes ?? []).map((path) => ({
          method: "GET",
          path,
          kind: "http",
          run: "pool",
          kill: "auto",
          streamBody: false,
        }));
        port2.postMessage({ type: "hello", routes, slots: new Slots().buffer });
      });
    },
    async close(): Promise<number> {
      for (const port of ports) port.close();
      return 0;
    },
  });
  Object.defineProperty(make, "spawned", { get: () => spawned });
  return Object.assign(make, {
    kill: (index: number, exit: WorkerExit) => ready[index]?.end(exit),
    settled: turn,
    async until(check: () => boolean): Promise<void> {
      for (let i = 0; i < 1000; i++) {
        if (check()) return;
        await turn();
      }
      throw new Error(`Never: ${check.toString()}`);
    },
  }) as unknown as FakeHostPool;
}
