import { fileURLToPath } from "node:url";
import { createSyncFn } from "synckit";

export const echo = createSyncFn(fileURLToPath(new URL("synckit-worker.mjs", import.meta.url)));
