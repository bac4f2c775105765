/** Checks what users give, before anything changes. */
import { availableParallelism } from "node:os";
import { types } from "node:util";
import type { ResourceLimits } from "node:worker_threads";
import type { TaskCall } from "@duck-ts/runtime";
import { isTaskCall } from "@duck-ts/runtime/internal";
import type { ManagerId } from "./protocol.ts";

/** How a manager is looked up. */
export interface ResolveOptions {
  /** Which manager; `undefined` is the default one. Ids of loops and of pools are separate. */
  readonly id?: ManagerId | undefined;
  /** Always create one for the current thread, replacing its own of that id. */
  readonly forceCreate?: boolean | undefined;
  /** Never create: throw `ManagerNotFound` instead. */
  readonly strictlyGet?: boolean | undefined;
}

/** How a task is submitted. */
export interface SubmitOptions {
  /** Must equal the manager's task type, if it has one. */
  readonly taskType?: string | undefined;
  /** Cancels the task when aborted. */
  readonly signal?: AbortSignal | undefined;
  /** From submission to result, in milliseconds; then the task is cancelled with a `TaskTimeoutError`. With 0 it never begins. */
  readonly timeoutMs?: number | undefined;
  /** What is moved to the worker instead of copied. */
  readonly transfer?: readonly Transferable[] | undefined;
  /** Whether a failure is logged. Pools log each failing task at warn; default true. */
  readonly logException?: boolean | undefined;
  /** Accepted for those who come from Duck: every future here can be blocked on. */
  readonly returnSyncFuture?: boolean | undefined;
}

/** What can be moved between threads. */
type Transferable = import("node:worker_threads").Transferable;

export interface LoopStartOptions {
  /** Only tasks submitted with this type are taken. `""` is a type. */
  readonly taskType?: string | undefined;
  readonly threadName?: string | undefined;
  /** `true`: pending tasks do not keep the process alive. Default `false`. */
  readonly daemon?: boolean | undefined;
  readonly resourceLimits?: ResourceLimits | undefined;
  /** How long a cancelled task has, after its `taskSignal()` was aborted, before its thread is terminated. Default 500. */
  readonly abortGraceMs?: number | undefined;
}

export interface PoolStartOptions {
  /** The most threads at one time. Threads are started when tasks come. */
  readonly maxWorkers: number;
  /** Threads that are kept ready. Default 0. */
  readonly minWorkers?: number | undefined;
  readonly taskType?: string | undefined;
  /** `true`: pending tasks do not keep the process alive. Default `false`. */
  readonly daemon?: boolean | undefined;
  readonly threadNamePrefix?: string | undefined;
  /** The most tasks that wait for a thread. Default: no bound. */
  readonly maxQueue?: number | undefined;
  /** A thread above `minWorkers` that has had nothing to do for so long ends. Default: never. */
  readonly idleTimeoutMs?: number | undefined;
  /** A thread whose heap and buffers pass this is replaced after its task. Default: no bound. */
  readonly memoryLimitMb?: number | undefined;
  /** Runs in each new thread before its first task. */
  readonly workerInit?: TaskCall<void> | undefined;
  readonly resourceLimits?: ResourceLimits | undefined;
  readonly abortGraceMs?: number | undefined;
}

export interface StopOptions {
  /** `false`: what is queued is cancelled, only what runs is finished. Default `true`. */
  readonly wait?: boolean | undefined;
  /** After this long what is left is terminated. Default 10,000. */
  readonly timeoutMs?: number | undefined;
}

export function checkId(id: unknown, where: string): ManagerId | undefined {
  if (id === undefined || typeof id === "string" || (typeof id === "number" && Number.isFinite(id))) return id;
  throw new TypeError(
    `${where}: id must be a string, a finite number or undefined (the default manager), got ${show(id)}.`,
  );
}

export function checkResolve(
  given: ManagerId | ResolveOptions | undefined,
  where: string,
): { id: ManagerId | undefined; forceCreate: boolean; strictlyGet: boolean } {
  if (typeof given !== "object" || given === null || Array.isArray(given))
    return { id: checkId(given, where), forceCreate: false, strictlyGet: false };
  rejectUnknown(given, ["id", "forceCreate", "strictlyGet"], where);
  const { id, forceCreate = false, strictlyGet = false } = given;
  flag(forceCreate, "forceCreate", where);
  flag(strictlyGet, "strictlyGet", where);
  if (forceCreate && strictlyGet)
    throw new TypeError(`${where}: strictlyGet (never create) and forceCreate (always create) cannot both be true.`);
  return { id: checkId(id, where), forceCreate, strictlyGet };
}

export function checkLoopStart(options: LoopStartOptions): void {
  const where = "LoopManager.start";
  shape(options, where);
  rejectUnknown(options, ["taskType", "threadName", "daemon", "resourceLimits", "abortGraceMs"], where);
  text(options.taskType, "taskType", where);
  text(options.threadName, "threadName", where);
  flag(options.daemon, "daemon", where);
  limits(options.resourceLimits, where);
  ms(options.abortGraceMs, "abortGraceMs", where);
}

export function checkPoolStart(options: PoolStartOptions): void {
  const where = "ThreadPoolManager.start";
  shape(options, where);
  rejectUnknown(
    options,
    [
      "maxWorkers",
      "minWorkers",
      "taskType",
      "daemon",
      "threadNamePrefix",
      "maxQueue",
      "idleTimeoutMs",
      "memoryLimitMb",
      "workerInit",
      "resourceLimits",
      "abortGraceMs",
    ],
    where,
  );
  if (options.maxWorkers === undefined)
    throw new TypeError(
      `${where}: maxWorkers is required: the most threads this pool may have (this machine has ${availableParallelism()} cores).`,
    );
  whole(options.maxWorkers, "maxWorkers", where, 1, 1024);
  whole(options.minWorkers, "minWorkers", where, 0, options.maxWorkers);
  text(options.taskType, "taskType", where);
  text(options.threadNamePrefix, "threadNamePrefix", where);
  flag(options.daemon, "daemon", where);
  if (options.maxQueue !== Number.POSITIVE_INFINITY)
    whole(options.maxQueue, "maxQueue", where, 0, Number.MAX_SAFE_INTEGER);
  ms(options.idleTimeoutMs, "idleTimeoutMs", where);
  megabytes(options.memoryLimitMb, "memoryLimitMb", where);
  if (options.workerInit !== undefined && !isTaskCall(options.workerInit)) {
    throw new TypeError(
      `${where}: workerInit must be a task call, such as init(config) of a declared task, got ${show(options.workerInit)}.`,
    );
  }
  limits(options.resourceLimits, where);
  ms(options.abortGraceMs, "abortGraceMs", where);
}

export function checkSubmit(options: SubmitOptions, where: string): void {
  shape(options, where);
  rejectUnknown(options, ["taskType", "signal", "timeoutMs", "transfer", "logException", "returnSyncFuture"], where);
  text(options.taskType, "taskType", where);
  ms(options.timeoutMs, "timeoutMs", where);
  flag(options.logException, "logException", where);
  flag(options.returnSyncFuture, "returnSyncFuture", where);
  if (options.signal !== undefined && typeof options.signal?.addEventListener !== "function")
    throw bad(options.signal, "signal", where, "an AbortSignal");
  movable(options.transfer, where);
}

export function checkStop(options: StopOptions, where: string): { wait: boolean; timeoutMs: number } {
  shape(options, where);
  rejectUnknown(options, ["wait", "timeoutMs"], where);
  flag(options.wait, "wait", where);
  ms(options.timeoutMs, "timeoutMs", where);
  return { wait: options.wait ?? true, timeoutMs: options.timeoutMs ?? 10_000 };
}

function shape(options: unknown, where: string): void {
  if (typeof options !== "object" || options === null)
    throw new TypeError(`${where}: expected an object of options, got ${show(options)}.`);
}

function rejectUnknown(options: object, known: readonly string[], where: string): void {
  for (const name of Object.keys(options)) {
    if (!known.includes(name))
      throw new TypeError(`${where}: there is no option ${JSON.stringify(name)}. Known: ${known.join(", ")}.`);
  }
}

function flag(value: unknown, name: string, where: string): void {
  if (value !== undefined && typeof value !== "boolean") throw bad(value, name, where, "true or false");
}

function text(value: unknown, name: string, where: string): void {
  if (value !== undefined && typeof value !== "string") throw bad(value, name, where, "a string");
}

function ms(value: unknown, name: string, where: string): void {
  if (value === undefined) return;
  if (typeof value !== "number") throw bad(value, name, where, "a number of milliseconds");
  if (Number.isNaN(value) || value < 0)
    throw new RangeError(`${where}: ${name} must be a number of milliseconds >= 0, got ${value}.`);
}

function whole(value: unknown, name: string, where: string, min: number, max: number): void {
  if (value === undefined) return;
  if (typeof value !== "number") throw bad(value, name, where, "a whole number");
  if (!Number.isInteger(value) || value < min || value > max)
    throw new RangeError(`${where}: ${name} must be a whole number from ${min} to ${max}, got ${value}.`);
}

function limits(value: unknown, where: string): void {
  if (value === undefined) return;
  if (typeof value !== "object" || value === null)
    throw bad(value, "resourceLimits", where, "an object as node:worker_threads takes it");
  rejectUnknown(value, LIMITS, `${where}: resourceLimits`); // Node passes over what it does not know
  for (const [name, limit] of Object.entries(value)) megabytes(limit, `resourceLimits.${name}`, where);
}

const LIMITS = ["maxYoungGenerationSizeMb", "maxOldGenerationSizeMb", "codeRangeSizeMb", "stackSizeMb"] as const;

/** What can be seen to be wrong without moving anything; the rest is Node's to say. */
function movable(list: unknown, where: string): void {
  if (list === undefined) return;
  if (!Array.isArray(list)) throw bad(list, "transfer", where, "an array of transferable objects");
  const seen = new Set<unknown>();
  for (const [i, item] of list.entries()) {
    if (isOrdinary(item) || isDetached(item))
      throw bad(item, `transfer[${i}]`, where, "something that can be moved: an ArrayBuffer, a MessagePort, a stream");
    if (seen.has(item)) throw new TypeError(`${where}: transfer[${i}] is in the list twice.`);
    seen.add(item);
  }
}

function isOrdinary(item: unknown): boolean {
  if (typeof item !== "object" || item === null || Array.isArray(item)) return true;
  const prototype: unknown = Object.getPrototypeOf(item);
  return (
    ArrayBuffer.isView(item) || types.isSharedArrayBuffer(item) || prototype === null || prototype === Object.prototype
  );
}

/** Node 20 would move nothing, and say nothing. */
function isDetached(item: unknown): boolean {
  if (!types.isArrayBuffer(item) || item.byteLength > 0) return false;
  try {
    new Uint8Array(item);
    return false;
  } catch {
    return true;
  }
}

function megabytes(value: unknown, name: string, where: string): void {
  if (value === undefined) return;
  if (typeof value !== "number") throw bad(value, name, where, "a number of mebibytes");
  if (!(value > 0)) throw new RangeError(`${where}: ${name} must be a number of mebibytes above 0, got ${value}.`);
}

function bad(value: unknown, name: string, where: string, expected: string): TypeError {
  return new TypeError(`${where}: ${name} must be ${expected}, got ${show(value)}.`);
}

function show(value: unknown): string {
  if (typeof value === "string") return JSON.stringify(value);
  if (typeof value === "function") return "a function";
  if (isDetached(value)) return "an ArrayBuffer that was moved already";
  if (ArrayBuffer.isView(value)) return `a ${value.constructor.name} (its .buffer can be moved)`;
  if (typeof value === "object" && value !== null) return Array.isArray(value) ? "an array" : "an object";
  return String(value);
}
