/** A worker that gives its items as a ReadableStream, transferred. */
import { parentPort } from "node:worker_threads";

parentPort.on("message", (count) => {
  let item = 0;
  const stream = new ReadableStream({
    pull(controller) {
      if (item === count) controller.close();
      else controller.enqueue(item++);
    },
  });
  parentPort.postMessage(stream, [stream]);
});
