/** A worker that sends back what comes over its port: the least that a hop can cost. */
import { workerData as port } from "node:worker_threads";

port.on("message", (message) => {
  const moved = ArrayBuffer.isView(message) ? [message.buffer] : [];
  port.postMessage(message, moved);
});
