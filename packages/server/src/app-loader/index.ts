export { AppLoadError } from "./app-load-error.ts";
export { type PreparedApp, prepareApp } from "./prepare.ts";
