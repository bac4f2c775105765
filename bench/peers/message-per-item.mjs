/** A worker that gives its items as one message each. */
import { parentPort } from "node:worker_threads";

parentPort.on("message", (count) => {
  for (let item = 0; item < count; item++) parentPort.postMessage(item);
});
