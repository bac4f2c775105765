// Slow clients, in a process of their own: each gives, or takes, one byte a second. Told `{ kind, port, count }` it opens
// them and says `{ open }`; told `"leave"` it closes them; and of those that the server cut it says when that was.
import { connect } from "node:net";

const heads = {
  headers: "GET /quick HTTP/1.1\r\nHost: localhost\r\nX-Slow: ",
  bodies: "POST /body HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/plain\r\nContent-Length: 100000\r\n\r\n",
  readers: "GET /endless HTTP/1.1\r\nHost: localhost\r\n\r\n",
};
const everyMs = 1000;
let sockets = new Set();

process.on("message", async (said) => {
  if (said === "leave") {
    for (const { socket, drip } of sockets) {
      clearTimeout(drip);
      socket.destroy();
    }
    sockets = new Set();
    process.send({ left: true });
    return;
  }
  const { kind, port, count } = said;
  await Promise.all(Array.from({ length: count }, (_, index) => open(kind, port, (index * everyMs) / count)));
  process.send({ open: sockets.size });
});

/** @param offsetMs when its first byte is due: all of them in the same millisecond would be a burst of this process's own. */
function open(kind, port, offsetMs) {
  return new Promise((resolve) => {
    // A stream would take 64 KiB in advance: with a buffer of one byte and a pause behind it, it is a byte at a time.
    const onread = { buffer: Buffer.alloc(1), callback: () => false };
    const socket = connect({ port, host: "127.0.0.1", ...(kind === "readers" ? { onread } : {}) });
    const begun = performance.now();
    const client = { socket, drip: undefined };
    let heard = "";
    socket.on("connect", () => {
      socket.write(heads[kind]);
      const drip = () => {
        if (kind === "readers") socket.resume();
        else socket.write("x");
      };
      client.drip = setTimeout(() => {
        drip();
        client.drip = setInterval(drip, everyMs);
      }, offsetMs);
      sockets.add(client);
      resolve();
    });
    if (kind !== "readers") {
      socket.on("data", (data) => {
        heard += data.toString("latin1");
      });
    }
    socket.on("error", () => resolve());
    // A reader does not hear of the end behind all that it has not read: it is the server that counts connections.
    socket.on("close", () => {
      clearTimeout(client.drip);
      if (!sockets.delete(client)) return;
      process.send({ cut: performance.now() - begun, status: heard.slice(9, 12) });
    });
  });
}
