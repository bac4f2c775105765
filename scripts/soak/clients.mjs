// The soak's clients. Each resolves to what became of a request: "right", "error" (a clean one), "cut" (a stream that
// broke off and did not look complete), "left" (the client went away) - or throws what is wrong.
import { createHash } from "node:crypto";
import { Agent, request } from "node:http";
import { createRequire } from "node:module";

const { WebSocket } = createRequire(new URL("../../packages/server/package.json", import.meta.url))("ws");

/** Nothing may take longer: the handlers' deadline, the queue's, and a good deal for a machine that is busy. */
const LONGEST_MS = 30_000;
export const agent = new Agent({ keepAlive: true });
const cleanErrors = new Set([502, 503, 504]);

/** By weight, in percent. */
export const kinds = {
  light: [40, (at, random) => echoes(at, `/light/${int(random, 1e6)}`)],
  heavy: [12, (at, random) => echoes(at, `/heavy/${int(random, 1e6)}`)],
  async: [14, (at, random) => echoes(at, `/async/${int(random, 1e6)}`)],
  body: [8, echo],
  upload: [6, upload],
  stream: [6, stream],
  events: [2, events],
  socket: [4, socket],
  leaver: [4, leaver],
  health: [2, health],
  loop: [1, (at) => fails(at, "GET", "/loop")],
  outOfMemory: [1, (at) => fails(at, "POST", "/out-of-memory")],
};

export const die = (at) => fails(at, "POST", "/die");

function int(random, below) {
  return Math.floor(random() * below);
}

async function echoes(at, path) {
  const answer = await send(at, "GET", path);
  if (answer.status !== 200) return cleanError(answer);
  const n = path.split("/").at(-1);
  return right(JSON.parse(answer.text()).n === n, `${path}: ${answer.text()}`);
}

async function echo(at, random) {
  const body = JSON.stringify({ text: "ü".repeat(int(random, 50_000)), n: random() });
  const answer = await send(at, "POST", "/echo", body, { "content-type": "application/json" });
  if (answer.status !== 200) return cleanError(answer);
  return right(answer.text() === body, `/echo: ${body.length} characters came back as ${answer.text().length}`);
}

async function upload(at, random) {
  const body = Buffer.alloc(1 + int(random, 2_000_000), int(random, 256));
  const answer = await send(at, "POST", "/upload", body, { "content-type": "application/octet-stream" });
  if (answer.status !== 200) return cleanError(answer);
  const expected = createHash("sha256").update(body).digest("hex");
  return right(answer.text() === expected, `/upload: ${body.length} bytes arrived as others`);
}

async function stream(at, random) {
  const kb = 1 + int(random, 1000);
  const answer = await send(at, "GET", `/stream/${kb}`);
  if (answer.status !== 200) return cleanError(answer);
  if (answer.broken) return "cut";
  const text = answer.text();
  let good = text.length === kb * 1024;
  for (let i = 0; i < kb && good; i++) good = text.charCodeAt(i * 1024) === 97 + (i % 26);
  return right(good, `/stream/${kb}: ended cleanly after ${text.length} bytes`);
}

async function events(at) {
  const answer = await send(at, "GET", "/events");
  if (answer.status !== 200) return cleanError(answer);
  if (answer.broken) return "cut";
  // A reload may end them early, and cleanly; none may be missing in between.
  const ids = [...answer.text().matchAll(/^id: (\d)$/gm)].map(([, id]) => Number(id));
  return right(
    ids.every((id, index) => id === index),
    `/events: ${ids}`,
  );
}

async function health(at) {
  const begun = performance.now();
  const answer = await send(at, "GET", "/healthz");
  const took = performance.now() - begun;
  return right(answer.status === 200 && took < 5000, `/healthz: ${answer.status} after ${Math.round(took)} ms`);
}

async function fails(at, method, path) {
  return cleanError(await send(at, method, path));
}

/** Goes away in the middle: of a stream, or before there is an answer. */
function leaver(at, random) {
  const path = random() < 0.5 ? "/endless" : "/slow/1";
  return new Promise((resolve, reject) => {
    const sent = request(at + path, { agent: false });
    sent.on("response", (response) => response.resume().on("error", () => undefined));
    sent.on("error", () => undefined);
    sent.on("close", () => resolve("left"));
    setTimeout(() => sent.destroy(), 5 + int(random, 60));
    setTimeout(() => reject(new Error(`${path}: the connection was never closed`)), LONGEST_MS).unref();
    sent.end();
  });
}

function socket(at, random) {
  const wanted = Array.from({ length: 1 + int(random, 8) }, (_, i) => `${i} ${"y".repeat(int(random, 5000))}`);
  return new Promise((resolve, reject) => {
    const ws = new WebSocket(`${at.replace("http", "ws")}/socket`);
    const heard = [];
    const timer = setTimeout(() => {
      ws.terminate();
      reject(new Error("/socket: neither answered nor closed"));
    }, LONGEST_MS);
    const done = (what) => {
      clearTimeout(timer);
      if (what instanceof Error) reject(what);
      else resolve(what);
    };
    ws.on("open", () => {
      for (const text of wanted) ws.send(text);
    });
    ws.on("message", (data) => {
      const text = String(data);
      if (text !== wanted[heard.length]) done(new Error(`/socket: message ${heard.length} is another one`));
      heard.push(text);
      if (heard.length === wanted.length) ws.close(1000);
    });
    ws.on("close", (code) => {
      if (code === 1000 && heard.length === wanted.length) done("right");
      else if (code === 1012 || code === 1001) done("error");
      else done(new Error(`/socket: closed with ${code} after ${heard.length} of ${wanted.length}`));
    });
    ws.on("unexpected-response", (_request, response) => {
      response.resume();
      ws.terminate();
      done(cleanErrors.has(response.statusCode) ? "error" : new Error(`/socket: ${response.statusCode}`));
    });
    ws.on("error", () => undefined);
  });
}

function cleanError({ status, headers, text }) {
  if (!cleanErrors.has(status)) throw new Error(`status ${status}: ${text().slice(0, 200)}`);
  if (!String(headers["content-type"]).startsWith("application/problem+json") || JSON.parse(text()).status !== status)
    throw new Error(`status ${status} without its problem: ${text().slice(0, 200)}`);
  return "error";
}

function right(good, otherwise) {
  if (!good) throw new Error(otherwise);
  return "right";
}

/** One request; rejects where there is no answer at all. An answer that breaks off is `broken`. */
export function send(at, method, path, body, headers = {}) {
  return new Promise((resolve, reject) => {
    const sent = request(at + path, { method, agent, headers });
    const timer = setTimeout(() => {
      sent.destroy(new Error(`${method} ${path}: nothing for ${LONGEST_MS} ms`));
      reject(new Error(`${method} ${path}: no end within ${LONGEST_MS} ms`));
    }, LONGEST_MS);
    sent.on("error", (error) => {
      clearTimeout(timer);
      reject(new Error(`${method} ${path}: ${error.message}`, { cause: error }));
    });
    sent.on("response", (response) => {
      const pieces = [];
      response.on("data", (piece) => pieces.push(piece));
      response.on("error", () => undefined);
      response.on("close", () => {
        clearTimeout(timer);
        const { statusCode: status } = response;
        const text = () => Buffer.concat(pieces).toString();
        resolve({ status, headers: response.headers, broken: !response.complete, text });
      });
    });
    sent.end(body);
  });
}
