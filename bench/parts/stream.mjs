/** Large bodies, both ways, and a client that reads slowly. */
import { connect } from "node:net";
import { withChildren } from "../harness/child.mjs";
import { figure } from "../harness/figure.mjs";
import { alternate } from "../harness/rounds.mjs";
import { BODY, CHUNK } from "../harness/workload.mjs";
import { saturate } from "../harness/wrk.mjs";

const ours = { module: new URL("../ours/server.mjs", import.meta.url), env: { BENCH_WORKERS: "2" } };
const inline = { module: new URL("../peers/fastify-inline.mjs", import.meta.url) };
const bare = { module: new URL("../peers/node-http.mjs", import.meta.url) };
const LIMIT_MS = 30_000;

export const benches = {
  async download({ rounds }) {
    const samples = await withChildren({ ours, "Fastify inline": inline, "node:http": bare }, (servers) =>
      alternate(
        rounds,
        each(servers, ({ port }) => download(port)),
      ),
    );
    return [
      figure({
        id: "stream.download",
        what: "100 MB body streamed to a client, 64 KB chunks",
        unit: "MB/s",
        samples,
        baseline: "Fastify inline",
        targets: [{ than: "Fastify inline", atLeast: 0.85 }],
      }),
    ];
  },

  async upload({ rounds }) {
    const samples = await withChildren({ ours, "Fastify inline": inline }, (servers) =>
      alternate(
        rounds,
        each(servers, ({ port }) => upload(port)),
      ),
    );
    return [
      figure({
        id: "stream.upload",
        what: "100 MB upload consumed as a stream in a handler",
        unit: "MB/s",
        samples,
        baseline: "Fastify inline",
        targets: [{ than: "Fastify inline", atLeast: 0.6 }],
      }),
    ];
  },

  async slowClient({ rounds, seconds }) {
    // A fresh process each time: one that has held much before would hide what it grows by.
    const fresh = (child) => () => withChildren({ child }, ({ child: server }) => growth(server, seconds(4)));
    const contenders = { ours: fresh(ours), "Fastify inline": fresh(inline) };
    const samples = await alternate(rounds, contenders, { warmUp: false });
    return [
      figure({
        id: "stream.slow",
        what: "A client that reads the 100 MB at 1 MB/s: growth of the server's memory",
        unit: "MB",
        samples,
        targets: [{ atMost: 16 }],
      }),
    ];
  },
};

const each = (servers, measure) =>
  Object.fromEntries(Object.entries(servers).map(([name, server]) => [name, () => measure(server)]));

async function download(port) {
  const from = performance.now();
  const bytes = await exchange(port, (socket) => socket.write(head("GET", "/stream", port)));
  if (bytes < BODY) throw new Error(`${bytes} of ${BODY} bytes came`);
  return rate(from);
}

async function upload(port) {
  const from = performance.now();
  let answer = "";
  await exchange(
    port,
    async (socket) => {
      socket.write(
        head("POST", "/upload", port, `content-type: application/octet-stream\r\ncontent-length: ${BODY}\r\n`),
      );
      const chunk = new Uint8Array(CHUNK);
      let goOn;
      for (const event of ["drain", "close"]) socket.on(event, () => goOn?.());
      for (let sent = 0; sent < BODY && !socket.destroyed; sent += CHUNK) {
        if (socket.write(chunk)) continue;
        await new Promise((resolve) => {
          goOn = resolve;
        });
      }
    },
    (part) => {
      answer += part.toString("latin1");
    },
  );
  if (!answer.includes(`{"bytes":${BODY}}`)) throw new Error(`the upload was answered ${answer.slice(0, 200)}`);
  return rate(from);
}

/** How far the server's resident memory rises while somebody reads slowly. */
async function growth({ port, ask }, seconds) {
  await saturate(`http://127.0.0.1:${port}/json`, { seconds: 1 });
  const { rssMb: before } = await ask("memory");
  let most = before;
  const socket = connect({ host: "127.0.0.1", port });
  socket.on("error", () => {});
  socket.write(head("GET", "/stream", port));
  const end = performance.now() + seconds * 1000;
  let allowed = 0;
  let read = 0;
  socket.on("data", (part) => {
    read += part.length;
    if (read >= allowed) socket.pause();
  });
  while (performance.now() < end) {
    allowed += CHUNK;
    socket.resume();
    await new Promise((resolve) => setTimeout(resolve, 1000 / 16));
    const { rssMb } = await ask("memory");
    most = Math.max(most, rssMb);
  }
  socket.destroy();
  if (read === 0) throw new Error("nothing came");
  return most - before;
}

/** One connection to its end. @returns how many bytes came */
function exchange(port, send, see = () => {}) {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: "127.0.0.1", port, noDelay: true });
    let bytes = 0;
    const late = setTimeout(() => socket.destroy(new Error(`not over after ${LIMIT_MS} ms`)), LIMIT_MS);
    socket.on("data", (part) => {
      bytes += part.length;
      see(part);
    });
    socket.on("error", reject);
    socket.on("close", () => {
      clearTimeout(late);
      resolve(bytes);
    });
    socket.on("connect", () => send(socket));
  });
}

function head(method, path, port, more = "") {
  return `${method} ${path} HTTP/1.1\r\nhost: 127.0.0.1:${port}\r\nconnection: close\r\n${more}\r\n`;
}

const rate = (from) => (BODY * 1000) / 1e6 / (performance.now() - from);
