export { AppLoadError } from "./app-load-error.ts";
export { type PrepareAppOptions, type PreparedApp, prepareApp } from "./prepare.ts";
export { mapStacksInThreads } from "./source-maps.ts";
