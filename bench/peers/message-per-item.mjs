/** A worker that gives its items as one message each. */
import { parentPort } from "node:worker_threads";
import { itemOf } from "../harness/items.mjs";

parentPort.on("message", ({ kind, count }) => {
  const make = itemOf[kind];
  for (let item = 0; item < count; item++) parentPort.postMessage(make(item));
});
