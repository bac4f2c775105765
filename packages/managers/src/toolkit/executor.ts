/** Where a threaded function runs, and how its caller's options reach that place. */
import { inspect } from "node:util";
import type { Task, TaskCall, TaskFuture } from "@duck-ts/runtime";
import type { SubmitOptions } from "../options.ts";
import { submitFor } from "../submit-for.ts";
import { currentPool } from "./current-pool.ts";
import { submitSeparate } from "./submit-separate.ts";

/** What takes tasks: a `ThreadPoolManager`, a `LoopManager`, a `ThreadPoolExecutor`. */
export interface TaskExecutor {
  submitTask<R>(call: TaskCall<R> | Task<[], R>, options?: SubmitOptions): TaskFuture<R>;
}

/** What `.with()` takes. */
export interface ThreadedOptions {
  /** Runs it there instead of in the current pool. */
  readonly executor?: TaskExecutor | undefined;
  /** The task type that the executor wants. */
  readonly taskType?: string | undefined;
  /** Cancels the call when aborted. */
  readonly signal?: AbortSignal | undefined;
  /** From the call to its result, in milliseconds. */
  readonly timeoutMs?: number | undefined;
  /** What is moved to the thread instead of copied. */
  readonly transfer?: SubmitOptions["transfer"];
  /** Whether the pool logs a failure. Default true. */
  readonly logException?: boolean | undefined;
}

/** What `.with()` takes where each call has a thread of its own. */
export interface SeparateOptions extends Omit<ThreadedOptions, "executor" | "taskType"> {
  /** `false`: the process does not end before the thread has. Default `true`: only what somebody awaits is waited for. */
  readonly detach?: boolean | undefined;
}

/** Either of the two places. `options` are what the user gave, `submit` what the executor gets. */
export type Place =
  | {
      readonly separate: false;
      readonly options: ThreadedOptions;
      readonly executor: TaskExecutor | undefined;
      readonly submit: SubmitOptions;
    }
  | { readonly separate: true; readonly options: SeparateOptions };

const POOLED = ["executor", "taskType", "signal", "timeoutMs", "transfer", "logException"];
const SEPARATE = ["detach", "signal", "timeoutMs", "transfer", "logException"];

/** @throws TypeError for an option that is not there. */
export function checkNames(options: object, known: readonly string[], where: string): void {
  if (typeof options !== "object" || options === null) {
    throw new TypeError(`${where}: expected an object of options, got ${inspect(options)}.`);
  }
  for (const name of Object.keys(options))
    if (!known.includes(name))
      throw new TypeError(`${where}: there is no option ${JSON.stringify(name)}. Known: ${known.join(", ")}.`);
}

/**
 * `also`: options that are there too, and were taken out before.
 *
 * @throws TypeError for an option that is not there, or an executor that is none.
 */
export function placeOf(
  separate: boolean,
  options: ThreadedOptions | SeparateOptions,
  where: string,
  also: readonly string[] = [],
): Place {
  checkNames(options, [...also, ...(separate ? SEPARATE : POOLED)], where);
  if (separate) return { separate, options };
  const { executor, ...submit }: ThreadedOptions = options;
  if (executor !== undefined && typeof (executor as Partial<TaskExecutor>).submitTask !== "function")
    throw new TypeError(`${where}: executor must be a ThreadPoolManager or a ThreadPoolExecutor.`);
  return { separate, options, executor, submit };
}

/** The same place with other options, or some of them. */
export function placeWith(
  place: Place,
  options: ThreadedOptions | SeparateOptions,
  where: string,
  also?: readonly string[],
): Place {
  return placeOf(place.separate, { ...place.options, ...options }, where, also);
}

/** Runs the call there. `caller`: whose frames the error's stack leaves out. */
export function submitTo<R>(place: Place, call: TaskCall<R>, caller: (...args: never[]) => unknown): TaskFuture<R> {
  if (place.separate) return submitSeparate(call, place.options, caller);
  return submitFor(caller, place.executor ?? currentPool(), call, place.submit);
}
