import { registerSpecialKind } from "../wire/special-kinds.ts";
import { taskFromRef } from "./import-tasks.ts";
import { isTask, taskRefOf } from "./known-tasks.ts";
import type { TaskCall } from "./task.ts";
import { isTaskCall } from "./task-call.ts";
import type { TaskRef } from "./task-ref.ts";

/** Lets tasks and their calls travel inside arguments, results and context: by reference, never as code. */
export function registerTaskKinds(): void {
  registerSpecialKind({
    tag: "task",
    is: isTask,
    encode: (value) => taskRefOf(value as never),
    decode: (ref) => taskFromRef(ref as TaskRef),
  });
  registerSpecialKind({
    tag: "task-call",
    is: isTaskCall,
    encode: (value) => [taskRefOf((value as TaskCall<unknown>).task), (value as TaskCall<unknown>).args],
    decode(payload) {
      const [ref, args] = payload as [TaskRef, unknown[]];
      return taskFromRef(ref)(...args);
    },
  });
}
