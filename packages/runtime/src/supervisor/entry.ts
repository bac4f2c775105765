/** The supervisor's thread. It never runs user code and never blocks: every blocking wait in the process depends on it. */
import { workerData } from "node:worker_threads";
import { currentThread, SUPERVISOR_STATE } from "../thread/identity.ts";
import { SUPERVISOR_DEAD, SUPERVISOR_READY, type SupervisorData } from "./launch.ts";
import { Supervisor } from "./supervisor.ts";

const { port, bell, root, links, execArgv } = (workerData as { supervisor: SupervisorData }).supervisor;
const supervisor = new Supervisor(root, currentThread(), execArgv);
supervisor.adopt(port, bell, links);
Atomics.store(root.words, SUPERVISOR_STATE, SUPERVISOR_READY);
Atomics.notify(root.words, SUPERVISOR_STATE);
process.on("exit", () => {
  // Only threads that have no port go by this; the root says the same, but may be busy with code of its own for long.
  Atomics.store(root.words, SUPERVISOR_STATE, SUPERVISOR_DEAD);
  Atomics.notify(root.words, SUPERVISOR_STATE);
});
