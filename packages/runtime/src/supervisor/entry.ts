/** The supervisor's thread. It never runs user code and never blocks: every blocking wait in the process depends on it. */
import { workerData } from "node:worker_threads";
import { currentThread, SUPERVISOR_STATE } from "../thread/identity.ts";
import { SUPERVISOR_READY, type SupervisorData } from "./launch.ts";
import { Supervisor } from "./supervisor.ts";

const { port, bell, root, links, execArgv } = (workerData as { supervisor: SupervisorData }).supervisor;
const supervisor = new Supervisor(root, currentThread(), execArgv);
supervisor.adopt(port, bell, links);
Atomics.store(root.words, SUPERVISOR_STATE, SUPERVISOR_READY);
Atomics.notify(root.words, SUPERVISOR_STATE);
