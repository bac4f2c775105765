/** What must be in place as soon as a thread has loaded the runtime. */
import { registerFutureKind } from "../future/shared-handle.ts";
import { registerTaskKinds } from "../task/register-task-kinds.ts";
import { watchForeignWorkers } from "./foreign.ts";
import { currentThread } from "./identity.ts";

currentThread(); // leaves the lineage for Workers that are made from here on
registerFutureKind();
registerTaskKinds();
watchForeignWorkers();
