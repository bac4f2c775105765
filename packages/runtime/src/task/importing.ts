import { AsyncLocalStorage } from "node:async_hooks";
import { threadWide } from "../thread/shared-state.ts";

/** One import that is made to find a task. */
interface TaskImport {
  readonly url: string;
  underWay: boolean;
}

const current: AsyncLocalStorage<TaskImport> = threadWide("task.importing", () => new AsyncLocalStorage());

/**
 * Whether the code that runs belongs to the evaluation of a module that this thread imports only to find a task in
 * it. A script that declares tasks and then puts them to work is evaluated again in each worker; there it must stop.
 */
export function isImportingTasks(): boolean {
  return current.getStore()?.underWay === true;
}

/** Whether the code that runs is the evaluation that was started by importing `url` to find a task. */
export function isImportOf(url: string): boolean {
  const store = current.getStore();
  return store?.underWay === true && store.url === url;
}

/** `import(url)`, with {@link isImportingTasks} true for all that its evaluation runs, after a top-level await too. */
export async function importForTasks(url: string): Promise<Readonly<Record<string, unknown>>> {
  const taskImport: TaskImport = { url, underWay: true };
  const namespace = await current.run(
    taskImport,
    () => import(/* @vite-ignore */ /* webpackIgnore: true */ url) as Promise<Readonly<Record<string, unknown>>>,
  );
  // A module without exports is a script. What it began and did not await (`main()`, a timer) is the script's work
  // too, and not to be done once more in each worker, so its async context stays marked; likewise after a throw.
  taskImport.underWay = Object.keys(namespace).length === 0;
  return namespace;
}
