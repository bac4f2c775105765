// A client on raw sockets that keeps its connection, asks one thing after the other, and tells precisely what became of
// each request. What HTTP libraries do for their users (retries, pools) would hide what this is about.
import { connect } from "node:net";

/** No answer takes longer than this, under any load here. */
const LONGEST_MS = 10_000;

/**
 * Asks until `goesOn()` says no, or the server takes no more. Tells `report(id, outcome)` of each request; an outcome is
 *   answered   the right answer, whole
 *   refused    503 with `Connection: close`, whole
 *   unmet      the connection could not be made, or ended without a byte before its first request was answered
 *   crossed    a kept connection ended, cleanly and without a byte: the request crossed with the end
 *   reset      the same, with a reset
 *   broken     an answer that stops in the middle, a wrong one, or none at all in time
 */
export async function keepAsking({ port, name, random, pauseMs, goesOn, report }) {
  for (let made = 0, n = 0; goesOn(); ) {
    const connection = await open(port);
    if (connection === undefined) {
      report(`${name}.${n++}`, "unmet");
      return;
    }
    made++;
    for (let first = true; ; first = false) {
      if (!goesOn()) {
        connection.end();
        return;
      }
      const id = `${name}.${n++}`;
      const { outcome, last } = await connection.ask(requestOf(id, n, random));
      report(id, first && made > 1 && (outcome === "crossed" || outcome === "reset") ? "unmet" : outcome);
      if (outcome === "refused") return;
      if (last) break;
      const pause = pauseMs();
      if (pause > 0) await new Promise((resolve) => setTimeout(resolve, pause));
    }
  }
}

function requestOf(id, n, random) {
  const kind = random();
  const head = (method, path, more) =>
    `${method} ${path} HTTP/1.1\r\nHost: localhost\r\nX-Request-Id: ${id}\r\n${more}\r\n`;
  if (kind < 0.4) return { text: head("GET", `/quick/${n}`, ""), body: `${n}` };
  if (kind < 0.7) return { text: head("GET", `/wait/${n}`, ""), body: `${n}` };
  if (kind < 0.85) return { text: head("GET", `/hold/${n}`, ""), body: `${n}` };
  const body = `${n} `.repeat(1 + Math.floor(random() * 4000));
  const more = `Content-Type: text/plain\r\nContent-Length: ${body.length}\r\n`;
  return { text: head("POST", `/body/${n}`, more) + body, body };
}

/** A connection, or undefined where there is none to be had. */
function open(port) {
  return new Promise((resolve) => {
    const socket = connect({ host: "127.0.0.1", port, noDelay: true });
    let heard = "";
    let over;
    let tell;
    const look = () => {
      if (tell === undefined) return;
      const result = judge(heard, over, tell.body);
      if (result === undefined) return;
      heard = "";
      const { answer, timer } = tell;
      tell = undefined;
      clearTimeout(timer);
      answer(result);
    };
    socket.setEncoding("latin1");
    socket.on("connect", () =>
      resolve({
        ask: ({ text, body }) =>
          new Promise((answer) => {
            const timer = setTimeout(() => answer({ outcome: "broken", last: true }), LONGEST_MS);
            tell = { body, answer, timer };
            if (over === undefined) socket.write(text);
            look();
          }),
        end: () => socket.end(),
      }),
    );
    socket.on("data", (data) => {
      heard += data;
      look();
    });
    socket.on("end", () => {
      over ??= "end";
      look();
    });
    socket.on("error", () => {
      over = "reset";
      look();
      resolve(undefined);
    });
    socket.on("close", () => resolve(undefined));
  });
}

/** What the bytes so far amount to; undefined while there is more to come. */
function judge(heard, over, body) {
  const head = heard.indexOf("\r\n\r\n");
  const length = Number(/\r\ncontent-length: (\d+)/i.exec(heard)?.[1]);
  if (head === -1 || heard.length < head + 4 + length) {
    if (over === undefined) return undefined;
    if (heard === "") return { outcome: over === "end" ? "crossed" : "reset", last: true };
    return { outcome: "broken", last: true };
  }
  const closes = /\r\nconnection: close\r\n/i.test(heard.slice(0, head + 2));
  const status = heard.slice(9, 12);
  const text = heard.slice(head + 4);
  if (status === "200" && text === body) return { outcome: "answered", last: closes };
  if (status === "503" && closes) return { outcome: "refused", last: true };
  return { outcome: "broken", last: true };
}
