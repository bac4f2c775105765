// The others: requests that become due at a steady rate, whatever the server does; their latency counts from then on.
// In a process of its own. Told `{ port, forMs, perSecond }`, it says `{ latencies, failed }`.
import { connect } from "node:net";

const connections = 16;
const overtimeMs = 5000;
const request = "GET /quick HTTP/1.1\r\nHost: localhost\r\n\r\n";
const right = /^HTTP\/1\.1 200 [\s\S]*\{"quick":true\}$/;
let idle;

process.on("message", async ({ port, forMs, perSecond }) => {
  idle ??= await Promise.all(Array.from({ length: connections }, () => open(port)));
  const begun = performance.now();
  const latencies = [];
  const due = [];
  let made = 0;
  let ended = 0;
  let failed = 0;
  const all = Math.floor((forMs * perSecond) / 1000);
  const give = () => {
    while (due.length > 0 && idle.length > 0) {
      const since = due.shift();
      // In turn: a connection that never asks anything is one that the server cuts.
      const connection = idle.shift();
      void connection.ask().then((good) => {
        ended++;
        if (good) latencies.push(performance.now() - since);
        else failed++;
        idle.push(connection);
        give();
      });
    }
  };
  while (ended < all && performance.now() < begun + forMs + overtimeMs) {
    for (const now = performance.now() - begun; made < all && (made * 1000) / perSecond <= now; made++)
      due.push(begun + (made * 1000) / perSecond);
    give();
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  process.send({ latencies, failed: failed + all - ended });
});

function open(port) {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: "127.0.0.1", port, noDelay: true });
    let text = "";
    let answer;
    socket.setEncoding("latin1");
    socket.on("data", (data) => {
      text += data;
      if (!text.endsWith("}")) return;
      const good = right.test(text);
      text = "";
      answer(good);
    });
    socket.on("error", reject);
    socket.on("close", () => answer?.(false));
    socket.on("connect", () =>
      resolve({
        ask: () =>
          new Promise((done) => {
            answer = done;
            socket.write(request);
          }),
      }),
    );
  });
}
