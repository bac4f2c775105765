// What holds for everything that crosses from a client to a handler's thread and back. Each property makes requests of
// arbitrary content and compares what the handler saw, or the client got, with what was sent.
import fc from "fast-check";
import { exchange, requestBytes } from "./wire.mjs";

const close = "Connection: close";
const token = fc.string({
  unit: fc.constantFrom(..."!#$%&'*+-.^_`|~0123456789ABCXYZabcxyz"),
  minLength: 1,
  maxLength: 20,
});
/** Names that objects have by themselves, and ones that mean something to a server. */
const names = fc.oneof(
  { weight: 4, arbitrary: token },
  {
    weight: 1,
    arbitrary: fc.constantFrom(
      "__proto__",
      "constructor",
      "toString",
      "Accept",
      "Authorization",
      "Content-Type",
      "Cookie",
    ),
  },
);
/** What frames the message or is main's own business is tried elsewhere. */
const framing = new Set(
  "host connection content-length transfer-encoding expect upgrade keep-alive te trailer x-request-id http2-settings".split(
    " ",
  ),
);
const latin1 = (from, to) => fc.integer({ min: from, max: to }).map((code) => String.fromCharCode(code));
/** A field value as RFC 9110 5.5 allows it, blanks at its ends included. */
const value = fc.string({
  unit: fc.oneof({ weight: 5, arbitrary: latin1(0x20, 0x7e) }, latin1(0x80, 0xff), fc.constant("\t")),
  maxLength: 60,
});
const cuts = fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 6 });
const words = fc.oneof(fc.string({ unit: "binary" }), fc.string({ unit: "grapheme" }), fc.string(), names);
const trimmed = (text) => text.replace(/^[ \t]+|[ \t]+$/g, "");
const encoded = (text) => encodeURIComponent(text);

/** The answer to one request, which must be the only one. */
async function one(port, request, options = {}) {
  const lines = [...(request.lines ?? []), close];
  const answers = await exchange(port, requestBytes({ ...request, lines }), options);
  if (answers.length !== 1) throw new Error(`${answers.length} answers to one request`);
  return answers[0];
}

function same(got, wanted, what) {
  const [a, b] = [JSON.stringify(got), JSON.stringify(wanted)];
  if (a !== b) throw new Error(`${what}: got ${a?.slice(0, 400)}, sent ${b?.slice(0, 400)}`);
}

function ok(answer) {
  if (answer.status !== 200) throw new Error(`status ${answer.status}: ${answer.text().slice(0, 300)}`);
  return answer;
}

/** Refused cleanly: with this status and its problem. */
function refused(answer, statuses) {
  const [type] = answer.one("content-type");
  if (!statuses.includes(answer.status) || !type?.startsWith("application/problem+json"))
    throw new Error(
      `status ${answer.status} (${type}), expected ${statuses.join(" or ")}: ${answer.text().slice(0, 200)}`,
    );
  if (JSON.parse(answer.text()).status !== answer.status) throw new Error(`another status inside: ${answer.text()}`);
}

/** Body lines for a length or for chunks, as the case has it, and the bytes. */
const framed = fc.record({
  sizes: fc.option(fc.array(fc.integer({ min: 1, max: 5000 }), { minLength: 1, maxLength: 8 })),
  capitals: fc.boolean(),
  zeros: fc.integer({ min: 0, max: 4 }),
  extension: fc.constantFrom("", "", ";a", ";a=b", ';a="b;c"'),
});

function frame(body, { sizes, capitals, zeros, extension }) {
  if (sizes === null) return { lines: [`Content-Length: ${body.length}`], body };
  const parts = [];
  for (let at = 0, i = 0; at < body.length; i++) {
    const piece = body.subarray(at, at + sizes[i % sizes.length]);
    const hex = piece.length.toString(16);
    const size = "0".repeat(zeros) + (capitals ? hex.toUpperCase() : hex);
    parts.push(Buffer.from(`${size}${extension}\r\n`), piece, Buffer.from("\r\n"));
    at += piece.length;
  }
  return { lines: ["Transfer-Encoding: chunked"], body: Buffer.concat([...parts, Buffer.from("0\r\n\r\n")]) };
}

/** What a handler has of headers: joined by name, in lower case. Names that are on the wire anyhow are added by `one`. */
function joined(pairs) {
  const out = new Map();
  for (const [name, text] of pairs) {
    const key = name.toLowerCase();
    const before = out.get(key);
    out.set(key, before === undefined ? text : `${before}${key === "cookie" ? "; " : ", "}${text}`);
  }
  return [...out].sort(byName);
}

const byName = ([a], [b]) => (a < b ? -1 : a > b ? 1 : 0);

/** Each takes the port; the name is what holds. */
export const properties = {
  "headers arrive as they were sent": {
    share: 3,
    arbitrary: [
      fc
        .array(fc.tuple(names, value), { maxLength: 20 })
        .map((all) => all.filter(([name]) => !framing.has(name.toLowerCase()))),
      cuts,
    ],
    async holds(port, headers, cuts) {
      const lines = headers.map(([name, text]) => `${name}: ${text}`);
      const answer = ok(await one(port, { target: "/seen/headers", lines }, { cuts }));
      const seen = JSON.parse(answer.text()).headers.sort(byName);
      const sent = headers.map(([name, text]) => [name, trimmed(text)]);
      same(seen, joined([["host", "localhost"], ...sent, ["connection", "close"]]), "headers");
    },
  },

  "a web Request has the headers and the target that were sent": {
    share: 1,
    arbitrary: [
      fc.uniqueArray(
        fc.tuple(
          token.map((name) => `x-${name}`),
          value,
        ),
        { maxLength: 8, selector: ([name]) => name.toLowerCase() },
      ),
      words,
    ],
    async holds(port, headers, word) {
      const target = `/web/${encoded(word).replace(/^\.+$/, "dots")}?q=${encoded(word)}`;
      const answer = ok(await one(port, { target, lines: headers.map(([name, text]) => `${name}: ${text}`) }));
      const seen = JSON.parse(answer.text());
      const sent = headers.map(([name, text]) => [name.toLowerCase(), trimmed(text)]);
      same(seen.headers.filter(([name]) => name.startsWith("x-")).sort(byName), sent.sort(byName), "headers");
      same(new URL(seen.url).searchParams.get("q"), word, "query");
    },
  },

  "cookies arrive, the first of each name": {
    share: 1,
    arbitrary: [fc.array(fc.tuple(token, words, fc.boolean()), { maxLength: 10 })],
    async holds(port, cookies) {
      const line = cookies
        .map(([name, text, quoted]) => `${name}=${quoted ? `"${encoded(text)}"` : encoded(text)}`)
        .join("; ");
      const answer = ok(await one(port, { target: "/seen/cookies", lines: line === "" ? [] : [`Cookie: ${line}`] }));
      const first = new Map();
      for (const [name, text] of cookies) if (!first.has(name)) first.set(name, text);
      same(JSON.parse(answer.text()).cookies.sort(byName), [...first].sort(byName), "cookies");
    },
  },

  "a Cookie header of any bytes does no harm": {
    share: 1,
    arbitrary: [value],
    async holds(port, text) {
      ok(await one(port, { target: "/seen/cookies", lines: [`Cookie: ${text}`] }));
    },
  },

  "query strings arrive, repeated names in their order": {
    share: 2,
    arbitrary: [
      fc.array(fc.tuple(fc.oneof(words, fc.constantFrom("a", "b", "")), words), { maxLength: 12 }),
      fc.boolean(),
    ],
    async holds(port, pairs, plus) {
      const code = (text) => (plus ? encoded(text).replaceAll("%20", "+") : encoded(text));
      const target = `/seen/query?${pairs.map(([name, text]) => `${code(name)}=${code(text)}`).join("&")}`;
      const answer = await one(port, { target });
      if (target.length > 12_000 && answer.status === 431) return;
      const seen = JSON.parse(ok(answer).text());
      same(seen.url, target, "url");
      const wanted = new Map();
      for (const [name, text] of pairs) {
        const before = wanted.get(name);
        wanted.set(name, before === undefined ? text : [before, text].flat());
      }
      same(seen.query.sort(byName), [...wanted].sort(byName), "query");
    },
  },

  "a query of any visible characters does no harm, and the target stays as it was": {
    share: 1,
    arbitrary: [fc.string({ unit: fc.oneof(latin1(0x21, 0x7e), fc.constant("%")), maxLength: 80 })],
    async holds(port, text) {
      const target = `/seen/query?${text}`;
      same(JSON.parse(ok(await one(port, { target })).text()).url, target, "url");
    },
  },

  "path parameters arrive decoded": {
    share: 1,
    arbitrary: [words, words],
    async holds(port, a, b) {
      if (a === "" || b === "") return;
      const answer = ok(await one(port, { target: `/param/${encoded(a)}/${encoded(b)}` }));
      same(
        JSON.parse(answer.text()),
        [
          ["one", a],
          ["two", b],
        ],
        "params",
      );
    },
  },

  "JSON bodies arrive, and come back": {
    share: 3,
    arbitrary: [fc.jsonValue({ stringUnit: "binary", maxDepth: 6 }), framed, cuts],
    async holds(port, json, framing, cuts) {
      const text = JSON.stringify(json);
      const { lines, body } = frame(Buffer.from(text), framing);
      const request = { method: "POST", target: "/json", lines: [...lines, "Content-Type: application/json"], body };
      const answer = await one(port, request, { cuts });
      if (/"__proto__"/.test(text)) refused(answer, [400]);
      else same(ok(answer).text(), `{"body":${text}}`, "body");
    },
  },

  "what is not JSON is refused with 400": {
    share: 2,
    arbitrary: [
      fc.jsonValue(),
      fc.nat(),
      fc.oneof(fc.string({ unit: "binary" }), fc.constantFrom("", "{", "]", ",", '"', "\\u12")),
    ],
    async holds(port, json, at, junk) {
      const whole = JSON.stringify(json);
      const place = at % (whole.length + 1);
      const text = (whole.slice(0, place) + junk + whole.slice(place + 1)).toWellFormed();
      const bytes = Buffer.from(text);
      const lines = [`Content-Length: ${bytes.length}`, "Content-Type: application/json"];
      const answer = await one(port, { method: "POST", target: "/json", lines, body: bytes });
      let parsed;
      try {
        // A byte order mark is taken off, which RFC 8259 8.1 allows.
        parsed = JSON.stringify(JSON.parse(text.replace(/^\ufeff/, "")));
      } catch {
        if (bytes.length > 0) refused(answer, [400]);
        return;
      }
      if (/__proto__/.test(parsed)) return;
      same(ok(answer).text(), `{"body":${parsed}}`, "body");
    },
  },

  "bytes arrive, by length or in chunks of any size, and come back": {
    share: 3,
    arbitrary: [
      fc.uint8Array({ maxLength: 30_000, size: "max" }),
      framed,
      cuts,
      fc.constantFrom("/bytes", "/stream", "/stream"),
    ],
    async holds(port, array, framing, cuts, target) {
      const bytes = Buffer.from(array);
      const { lines, body } = frame(bytes, framing);
      const request = { method: "POST", target, lines: [...lines, "Content-Type: application/octet-stream"], body };
      const answer = ok(await one(port, request, { cuts }));
      if (!answer.body.equals(bytes))
        throw new Error(`${bytes.length} bytes came back as ${answer.body.length}, or others`);
    },
  },

  "text arrives and comes back": {
    share: 1,
    arbitrary: [fc.string({ unit: "binary", maxLength: 2000 }), framed],
    async holds(port, text, framing) {
      // A byte order mark at the front says how the text is encoded and is no part of it.
      const sent = text.toWellFormed().replace(/^\ufeff/, "");
      const { lines, body } = frame(Buffer.from(sent), framing);
      const answer = await one(port, {
        method: "POST",
        target: "/text",
        lines: [...lines, "Content-Type: text/plain"],
        body,
      });
      same(ok(answer).text(), sent, "text");
    },
  },

  "chunk sizes that are none are refused with 400": {
    share: 2,
    arbitrary: [
      fc.oneof(
        fc.string({ unit: latin1(0x00, 0xff), minLength: 1, maxLength: 8 }),
        fc.constantFrom("-1", "+1", "0x1", "1h", "", " 1", "1_0", "ffffffffffffffffff", "1\n", "\r", "\u00b2"),
      ),
      fc.boolean(),
    ],
    async holds(port, size, later) {
      // Right by RFC 9112 7.1, an extension included: not meant here.
      if (/^[0-9a-f]+[ \t]*(;|$)/i.test(size) || /^[0-9a-f]+\r\n/i.test(size)) return;
      const body = Buffer.from(`${later ? "3\r\nabc\r\n" : ""}${size}\r\nabc\r\n0\r\n\r\n`, "latin1");
      const lines = ["Transfer-Encoding: chunked", "Content-Type: application/octet-stream"];
      refused(await one(port, { method: "POST", target: "/bytes", lines, body }), [400]);
    },
  },

  "forms of fields and files arrive, as undici writes them": {
    share: 2,
    arbitrary: [
      fc.array(
        fc.record({
          name: fc.string({ unit: "grapheme", minLength: 1, maxLength: 12 }),
          content: fc.oneof(
            fc.string({ unit: "grapheme", maxLength: 200 }),
            fc.record({
              file: fc.string({ unit: "grapheme", minLength: 1, maxLength: 12 }),
              bytes: fc.uint8Array({ maxLength: 2000 }),
            }),
          ),
        }),
        { minLength: 1, maxLength: 6 },
      ),
    ],
    async holds(port, entries) {
      const form = new FormData();
      const wanted = [];
      for (const { name, content } of entries) {
        if (typeof content === "string") {
          form.append(name, content);
          // HTML has line ends of form fields written so.
          wanted.push([lineEnds(name), lineEnds(content)]);
        } else {
          const type = "application/x-fuzz";
          form.append(name, new File([content.bytes], content.file, { type }));
          wanted.push([
            lineEnds(name),
            { file: content.file, type, bytes: Buffer.from(content.bytes).toString("base64") },
          ]);
        }
      }
      const response = await fetch(`http://127.0.0.1:${port}/form`, {
        method: "POST",
        body: form,
        signal: AbortSignal.timeout(20_000),
      });
      const text = await response.text();
      if (response.status !== 200) throw new Error(`status ${response.status}: ${text.slice(0, 300)}`);
      same(JSON.parse(text), wanted, "form");
    },
  },

  "a reply comes out as the handler gave it, or is a clean 500, and never two answers": {
    share: 3,
    arbitrary: [
      fc.oneof({ weight: 5, arbitrary: fc.constantFrom(200, 201, 299, 404, 599) }, fc.integer({ min: -5, max: 1100 })),
      fc.array(
        fc.tuple(
          fc.oneof(
            { weight: 4, arbitrary: token },
            fc.string({ unit: "binary", maxLength: 8 }),
            fc.constantFrom("set-cookie", "content-type", "content-length", "x\r\ny", ""),
          ),
          fc.oneof(
            { weight: 4, arbitrary: value },
            fc.string({ unit: "binary", maxLength: 20 }),
            fc.constantFrom(
              "content-type",
              "a/b",
              "text/csv; charset=x",
              "a\r\nset-cookie: b",
              "a\r\n\r\nHTTP/1.1 200 OK",
              "0",
            ),
          ),
        ),
        { maxLength: 6 },
      ),
      fc.option(fc.string({ unit: "binary", maxLength: 100 })),
    ],
    async holds(port, status, headers, text) {
      const told = headers
        .map(([name, content]) => [name, content.toWellFormed()])
        .filter(([name]) => !ours.has(name.toLowerCase()));
      const sent = text?.toWellFormed() ?? null;
      const body = Buffer.from(JSON.stringify({ status, headers: told, text: sent }));
      const lines = [`Content-Length: ${body.length}`, "Content-Type: application/json"];
      const first = requestBytes({ method: "POST", target: "/reply", lines, body });
      const second = requestBytes({ target: "/id/second", lines: [close] });
      const answers = await exchange(port, Buffer.concat([first, second]));
      if (answers.length !== 2 || answers[1].text() !== "second")
        throw new Error(`${answers.length} answers, the last: ${answers.at(-1)?.text()}`);
      const [answer] = answers;
      const bodiless = status === 204 || status === 205 || status === 304;
      const fine =
        status >= 200 &&
        status <= 599 &&
        told.every(([name, content]) => isToken.test(name) && isValue.test(content)) &&
        !(bodiless && sent !== null);
      if (!fine) {
        refused(answer, [500]);
        return;
      }
      same(answer.status, status, "status");
      if (!bodiless) same(answer.text(), sent ?? "", "body");
      const names = new Set(told.map(([name]) => name.toLowerCase()));
      for (const name of names) {
        if (name === "content-length") continue;
        const wanted = told.filter(([key]) => key.toLowerCase() === name).map(([, content]) => trimmed(content));
        // Where an answer goes through Fastify, what is no media type gives way to a default there.
        if (name === "content-type" && (wanted.length > 1 || !isMediaType.test(wanted[0]))) continue;
        same(answer.one(name), wanted, `header ${name}`);
      }
      if (sent !== null && !names.has("content-type"))
        same(answer.one("content-type"), ["text/plain; charset=utf-8"], "content-type");
    },
  },

  "a streamed reply is the sum of its pieces": {
    share: 1,
    arbitrary: [
      fc.array(
        fc.record({
          text: fc.option(fc.string({ unit: "binary", maxLength: 300 })),
          bytes: fc.uint8Array({ maxLength: 3000 }),
          pause: fc.boolean(),
        }),
        { maxLength: 40 },
      ),
    ],
    async holds(port, pieces) {
      const told = pieces.map(({ text, bytes, pause }) =>
        text === null ? { bytes: Buffer.from(bytes).toString("base64"), pause } : { text: text.toWellFormed(), pause },
      );
      const body = Buffer.from(JSON.stringify(told));
      const lines = [`Content-Length: ${body.length}`, "Content-Type: application/json"];
      const answer = ok(await one(port, { method: "POST", target: "/pieces", lines, body }));
      const wanted = Buffer.concat(
        told.map(({ text, bytes }) => (text === undefined ? Buffer.from(bytes, "base64") : Buffer.from(text))),
      );
      if (!answer.body.equals(wanted))
        throw new Error(`${wanted.length} bytes came out as ${answer.body.length}, or others`);
    },
  },

  "pipelined requests are answered each, in their order, however they are cut": {
    share: 1,
    arbitrary: [
      fc.array(fc.tuple(fc.nat(1_000_000), fc.constantFrom("GET", "HEAD", "POST")), { minLength: 1, maxLength: 12 }),
      cuts,
    ],
    async holds(port, requests, cuts) {
      const bytes = requests.map(([n, method], i) => {
        const last = i === requests.length - 1 ? [close] : [];
        if (method !== "POST") return requestBytes({ method, target: `/id/${n}`, lines: last });
        const body = Buffer.from(String(n));
        return requestBytes({
          method,
          target: "/text",
          lines: [`Content-Length: ${body.length}`, "Content-Type: text/plain", ...last],
          body,
        });
      });
      const heads = requests.map(([, method]) => method === "HEAD");
      const answers = await exchange(port, Buffer.concat(bytes), { cuts, heads });
      same(
        answers.map((answer) => [answer.status, answer.text()]),
        requests.map(([n, method]) => [200, method === "HEAD" ? "" : String(n)]),
        "answers",
      );
    },
  },

  "bytes that are hardly a request get clean answers or an end": {
    share: 3,
    arbitrary: [
      fc.constantFrom(
        requestBytes({ target: "/id/1", lines: ["Accept: a", "X-A: b"] }),
        requestBytes({
          method: "POST",
          target: "/text",
          lines: ["Content-Length: 3", "Content-Type: text/plain"],
          body: Buffer.from("abc"),
        }),
        requestBytes({
          method: "POST",
          target: "/bytes",
          lines: ["Transfer-Encoding: chunked"],
          body: Buffer.from("3\r\nabc\r\n0\r\n\r\n"),
        }),
      ),
      fc.array(
        fc.tuple(
          fc.double({ min: 0, max: 1, noNaN: true }),
          fc.constantFrom("put", "drop", "set", "twice"),
          latin1(0, 255),
        ),
        { minLength: 1, maxLength: 6 },
      ),
    ],
    async holds(port, whole, changes) {
      let text = whole.toString("latin1");
      for (const [share, change, char] of changes) {
        const at = Math.floor(share * text.length);
        const rest =
          change === "put"
            ? char + text.slice(at)
            : change === "set"
              ? char + text.slice(at + 1)
              : change === "drop"
                ? text.slice(at + 1)
                : text.slice(at, at + 9) + text.slice(at);
        text = text.slice(0, at) + rest;
      }
      // What is left open by a length too large is closed by the request after it, whatever of that is taken for what.
      const bytes = Buffer.concat([
        Buffer.from(text, "latin1"),
        Buffer.from("\r\n\r\n"),
        requestBytes({ target: "/id/last", lines: [close] }),
        Buffer.from("\r\n".repeat(60)),
      ]);
      const answers = await exchangeToEnd(port, bytes);
      for (const { status } of answers)
        if (status >= 500 && status !== 501 && status !== 505) throw new Error(`status ${status}`);
    },
  },
};

/** What Node or main says by itself, whatever the handler does. */
const ours = new Set("date connection keep-alive transfer-encoding upgrade trailer".split(" "));
const isToken = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
const isMediaType = /^[\w.+-]+\/[\w.+-]+(; [\w-]+=[\w-]+)?$/;
const isValue = /^[\t\x20-\x7e\x80-\xff]*$/;
const lineEnds = (text) => text.replace(/\r\n|\r|\n/g, "\r\n");

/** Waits for the server's end, and where it waits for more of a body, gives it a moment and leaves. */
async function exchangeToEnd(port, bytes) {
  return exchange(port, bytes, { leaveAfterMs: 150 });
}
