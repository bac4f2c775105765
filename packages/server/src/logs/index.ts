export { createLogger, type LogStream } from "./create-logger.ts";
export { forwardConsole } from "./forward-console.ts";
export { type LogWireMessage, receiveLogMessage } from "./wire.ts";
export { createWorkerLogger } from "./worker-logger.ts";
