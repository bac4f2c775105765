// HTTP/1.1 as bytes: written in whatever pieces a test wants, and read so strictly that a split or joined answer shows.
import { connect } from "node:net";

/** Nothing here takes longer, however busy the machine is: who waits longer hangs. */
const LONGEST_MS = 20_000;

/** Bytes of a request. Header lines are given as they are to stand on the wire; strings are latin1. */
export function requestBytes({ method = "GET", target, lines = [], body }) {
  const head = [`${method} ${target} HTTP/1.1`, "Host: localhost", ...lines, "", ""].join("\r\n");
  return body === undefined ? Buffer.from(head, "latin1") : Buffer.concat([Buffer.from(head, "latin1"), body]);
}

/**
 * Sends bytes, cut where `cuts` says (shares of the whole), and gives back all that comes until the server closes, or
 * until nothing has come for `leaveAfterMs`. Rejects where the server neither answers nor closes.
 */
export function exchange(port, bytes, { cuts = [], heads = [], leaveAfterMs } = {}) {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: "127.0.0.1", port, noDelay: true });
    let heard = Buffer.alloc(0);
    const timer = setTimeout(() => {
      socket.destroy();
      reject(new Error(`hangs: ${heard.length} bytes came in ${LONGEST_MS} ms: ${shown(heard)}`));
    }, LONGEST_MS);
    const done = () => {
      clearTimeout(timer);
      clearTimeout(leaving);
      try {
        resolve(answersIn(heard, heads));
      } catch (error) {
        reject(error);
      }
    };
    const leaving = leaveAfterMs === undefined ? undefined : setTimeout(() => socket.destroy(), leaveAfterMs);
    socket.on("connect", () => void send(socket, bytes, cuts));
    socket.on("data", (data) => {
      heard = Buffer.concat([heard, data]);
      leaving?.refresh();
    });
    socket.on("error", () => undefined);
    socket.on("close", done);
  });
}

async function send(socket, bytes, cuts) {
  const places = cuts.map((share) => Math.floor(share * bytes.length)).sort((a, b) => a - b);
  let from = 0;
  for (const place of [...places, bytes.length]) {
    if (place > from) socket.write(bytes.subarray(from, place));
    from = Math.max(from, place);
    await new Promise((turn) => setImmediate(turn));
  }
}

/** Takes bytes apart into answers. @throws where they are not a sequence of whole HTTP/1.1 answers. */
export function answersIn(bytes, heads = []) {
  const answers = [];
  for (let at = 0; at < bytes.length; ) {
    const end = bytes.indexOf("\r\n\r\n", at);
    if (end === -1) throw new Error(`not an answer: ${shown(bytes.subarray(at))}`);
    const [first, ...lines] = bytes.toString("latin1", at, end).split("\r\n");
    const status = Number(/^HTTP\/1\.1 (\d{3}) [\x20-\x7e]*$/.exec(first)?.[1]);
    if (Number.isNaN(status)) throw new Error(`not a status line: ${JSON.stringify(first)}`);
    const headers = lines.map((line) => {
      const parts = /^([!#$%&'*+\-.^_`|~0-9A-Za-z]+):[ \t]*([\t\x20-\x7e\x80-\xff]*?)[ \t]*$/.exec(line);
      if (parts === null) throw new Error(`not a header: ${JSON.stringify(line)}`);
      return [parts[1].toLowerCase(), parts[2]];
    });
    const one = (name) => headers.filter(([key]) => key === name).map(([, value]) => value);
    at = end + 4;
    let body = Buffer.alloc(0);
    const bodiless = status < 200 || status === 204 || status === 304 || heads[answers.length] === true;
    if (!bodiless && one("transfer-encoding").length > 0) [body, at] = chunks(bytes, at);
    else if (!bodiless) {
      const [length, ...more] = one("content-length");
      if (length === undefined || more.length > 0) throw new Error(`no length, or two: ${JSON.stringify(lines)}`);
      body = bytes.subarray(at, at + Number(length));
      if (body.length < Number(length)) throw new Error(`${body.length} of ${length} bytes of a body`);
      at += Number(length);
    }
    if (status >= 200) answers.push({ status, headers, body, one, text: () => body.toString() });
  }
  return answers;
}

function chunks(bytes, from) {
  const pieces = [];
  for (let at = from; ; ) {
    const end = bytes.indexOf("\r\n", at);
    const size = /^[0-9a-f]+$/i.exec(bytes.toString("latin1", at, end === -1 ? at : end))?.[0];
    if (size === undefined) throw new Error(`not a chunk size: ${shown(bytes.subarray(at))}`);
    const start = end + 2;
    const length = Number.parseInt(size, 16);
    if (bytes.toString("latin1", start + length, start + length + 2) !== "\r\n")
      throw new Error("a chunk without its end");
    if (length === 0) return [Buffer.concat(pieces), start + 2];
    pieces.push(bytes.subarray(start, start + length));
    at = start + length + 2;
  }
}

function shown(bytes) {
  return JSON.stringify(bytes.toString("latin1", 0, 200));
}
