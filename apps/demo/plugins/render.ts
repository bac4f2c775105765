import { definePlugin } from "@duck-ts/server";

/** Gives every request thread a render loop of its own: see render-worker.ts, which runs there. */
export const render = definePlugin({ name: "render", worker: new URL("./render-worker.ts", import.meta.url) });
