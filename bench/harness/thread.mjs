import { MessageChannel, Worker } from "node:worker_threads";

/** A worker of its own that sends back what comes: the least that a hop can cost. */
export async function openHop() {
  const { port1, port2 } = new MessageChannel();
  const module = new URL("../peers/bare-port.mjs", import.meta.url);
  const worker = new Worker(module, { workerData: port2, transferList: [port2] });
  const hop = {
    send: (message, transfer) =>
      new Promise((resolve) => {
        port1.once("message", resolve);
        port1.postMessage(message, transfer);
      }),
    async close() {
      port1.close();
      await worker.terminate();
    },
  };
  await hop.send(0);
  return hop;
}
