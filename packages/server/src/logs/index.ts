export { createLogger, type LogStream } from "./create-logger.ts";
export { forwardConsole } from "./forward-console.ts";
export { type LogWireMessage, receiveLogMessage } from "./wire.ts";
export { createWorkerLogger, type LogMethod, type WorkerLogger } from "./worker-logger.ts";
