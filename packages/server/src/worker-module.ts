/**
 * Where request threads begin. Beside index.ts, and not deeper: what is built for several entries lies at the top of
 * dist, so this is where a path relative to the file is the same before and after the build.
 */
export const workerModule: string = new URL("./engine/worker.js", import.meta.url).href;
