/**
 * The load of a mix of light and heavy requests, in a process of its own: raw sockets, so that it takes little of the
 * cores. Closed: every connection sends its next request when it has its answer. Open: requests become due whatever the
 * server does, as those of many independent users do (a Poisson process, the same one for every server), and their
 * latency counts from the moment they were due, not from when a connection was free to send them.
 */
import { connect } from "node:net";
import { quantile } from "./statistics.mjs";
import { browserHeaders } from "./workload.mjs";

const MAX_REQUESTS = 500_000;
/** How long after the end answers are waited for. */
const OVERTIME_MS = 2_000;

process.once("message", async (plan) => process.send(await load(plan), () => process.disconnect()));

async function load({ port, connections, light, heavy, heavyShare, perSecond, warmUpMs, forMs }) {
  const began = performance.now();
  const counted = began + warmUpMs;
  const end = counted + forMs;
  const latencies = { light: [], heavy: [] };
  const random = seeded(1);
  const dueAfter = () => (perSecond === undefined ? 0 : (-Math.log(1 - random()) * 1000) / perSecond);
  let nextDue = began + dueAfter();
  let made = 0;
  let failed = 0;
  let lateMs = 0;

  /** What to ask for next, and since when; undefined where nothing is due, or all is over. */
  const next = () => {
    const now = performance.now();
    const due = perSecond === undefined ? now : nextDue;
    if (due > now || due >= end || now >= end + OVERTIME_MS || made >= MAX_REQUESTS) return undefined;
    made++;
    nextDue += dueAfter();
    return { kind: random() < heavyShare ? "heavy" : "light", due };
  };

  const requests = { light: requestText(light, port), heavy: requestText(heavy, port) };
  const idle = [];
  const unanswered = new Set();
  const done = (connection, request, status) => {
    const { kind, due } = request;
    unanswered.delete(request);
    const now = performance.now();
    if (status !== 200) failed++;
    else if (due >= counted && now < end + OVERTIME_MS) latencies[kind].push(now - due);
    give(connection);
  };
  const give = (connection) => {
    const request = next();
    if (request === undefined) {
      idle.push(connection);
      return;
    }
    unanswered.add(request);
    connection.send(requests[request.kind], (status) => done(connection, request, status));
  };

  const all = await Promise.all(Array.from({ length: connections }, () => open(port)));
  for (const connection of all) give(connection);
  let last = performance.now();
  while (performance.now() < end || (idle.length < all.length && performance.now() < end + OVERTIME_MS)) {
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
  // Who has no answer by now has waited at least this long, those too that no connection was free for.
  const over = performance.now();
  while (perSecond !== undefined && nextDue < end && made < MAX_REQUESTS) {
    unanswered.add({ kind: random() < heavyShare ? "heavy" : "light", due: nextDue });
    nextDue += dueAfter();
    made++;
  }
  for (const { kind, due } of unanswered) if (due >= counted) latencies[kind].push(over - due);

  return {
    perSecond: (answered * 1000) / forMs,
    lightP50: quantile(latencies.light, 0.5),
    lightP99: quantile(latencies.light, 0.99),
    heavyP99: quantile(latencies.heavy, 0.99),
    failed,
    lateMs,
  };
}

/** Mulberry32: numbers from 0 to 1, the same ones for the same seed. */
function seeded(seed) {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
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
