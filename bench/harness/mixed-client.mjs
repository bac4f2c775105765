/**
 * The load of a mix of light and heavy requests, in a process of its own: raw sockets, so that it takes little of the
 * cores. Closed: every connection sends its next request when it has its answer. Open: requests become due at a fixed
 * rate whatever the server does, and their latency counts from the moment they were due, not from when a connection
 * was free to send them.
 */
import { connect } from "node:net";
import { quantile } from "./statistics.mjs";
import { browserHeaders } from "./workload.mjs";

const MAX_REQUESTS = 500_000;

process.once("message", async (plan) => process.send(await load(plan), () => process.disconnect()));

async function load({ port, connections, light, heavy, heavyEvery, perSecond, warmUpMs, forMs }) {
  const began = performance.now();
  const counted = began + warmUpMs;
  const end = counted + forMs;
  const latencies = { light: [], heavy: [] };
  let made = 0;
  let failed = 0;
  let lateMs = 0;

  /** What to ask for next, and since when; undefined where nothing is due, or all is over. */
  const next = () => {
    const now = performance.now();
    const due = perSecond === undefined ? now : began + (made * 1000) / perSecond;
    if (due > now || due >= end || now >= end + 2_000 || made >= MAX_REQUESTS) return undefined;
    made++;
    return { kind: made % heavyEvery === 0 ? "heavy" : "light", due };
  };

  const requests = { light: requestText(light, port), heavy: requestText(heavy, port) };
  const idle = [];
  const done = (connection, { kind, due }, status) => {
    const now = performance.now();
    if (status !== 200) failed++;
    else if (due >= counted && now < end + 2_000) latencies[kind].push(now - due);
    give(connection);
  };
  const give = (connection) => {
    const request = next();
    if (request === undefined) idle.push(connection);
    else connection.send(requests[request.kind], (status) => done(connection, request, status));
  };

  const all = await Promise.all(Array.from({ length: connections }, () => open(port)));
  for (const connection of all) give(connection);
  let last = performance.now();
  while (performance.now() < end || (idle.length < all.length && performance.now() < end + 2_000)) {
    await new Promise((resolve) => setTimeout(resolve, 1));
    const now = performance.now();
    // How late this loop itself came round: what it adds to the latencies it reports.
    lateMs = Math.max(lateMs, now - last - 1);
    last = now;
    while (idle.length > 0) {
      const before = idle.length;
      give(idle.pop());
      if (idle.length >= before) break;
    }
  }
  for (const connection of all) connection.close();

  const answered = latencies.light.length + latencies.heavy.length;
  return {
    perSecond: (answered * 1000) / forMs,
    lightP50: quantile(latencies.light, 0.5),
    lightP99: quantile(latencies.light, 0.99),
    heavyP99: quantile(latencies.heavy, 0.99),
    unanswered: all.length - idle.length,
    failed,
    lateMs,
  };
}

function requestText(path, port) {
  const headers = Object.entries(browserHeaders).map(([name, value]) => `${name}: ${value}\r\n`);
  return `GET ${path} HTTP/1.1\r\nhost: 127.0.0.1:${port}\r\n${headers.join("")}\r\n`;
}

/** A connection that asks one thing at a time and knows answers with a content-length. */
function open(port) {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: "127.0.0.1", port, noDelay: true });
    let answer;
    let text = "";
    socket.setEncoding("latin1");
    socket.on("data", (part) => {
      text += part;
      const head = text.indexOf("\r\n\r\n");
      if (head === -1) return;
      const length = /\r\ncontent-length: *(\d+)/i.exec(text)?.[1];
      if (length === undefined) throw new Error("an answer without content-length");
      if (text.length < head + 4 + Number(length)) return;
      const status = Number(text.slice(9, 12));
      text = "";
      answer(status);
    });
    socket.on("error", reject);
    socket.on("connect", () =>
      resolve({
        send(request, whenAnswered) {
          answer = whenAnswered;
          socket.write(request);
        },
        close: () => socket.destroy(),
      }),
    );
  });
}
