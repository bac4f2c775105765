import { getOrCreateLoopManager, getOrCreateThreadManager } from "@duck-ts/managers";
import { task } from "@duck-ts/runtime";

export const noop = task(() => {});
export const echo = task((value) => value);
export const length = task((bytes) => bytes.byteLength);

export const startLoop = () => getOrCreateLoopManager("bench").start({ daemon: true });
export const startPool = () => getOrCreateThreadManager("bench").start({ maxWorkers: 1, minWorkers: 1, daemon: true });
