/** RFC 9110 and 9112, request by request over raw sockets: what a server has to make of each. */
import { expect, test } from "vitest";
import { raw, start } from "./support/server.ts";

const H = "Host: a\r\n";
const get = (target: string, headers = "", version = "1.1"): string =>
  `GET ${target} HTTP/${version}\r\n${H}Connection: close\r\n${headers}\r\n`;
const post = (headers: string, body: string): string =>
  `POST /echo HTTP/1.1\r\n${H}Connection: close\r\n${headers}\r\n${body}`;
const text = "Content-Type: text/plain\r\n";
const chunked = `${text}Transfer-Encoding: chunked\r\n`;

type Case = readonly [what: string, bytes: string, status: number | readonly number[]];

const sections: Record<string, readonly Case[]> = {
  "RFC 9112 2 and 3: the request line": [
    ["origin form", get("/text"), 200],
    ["absolute form", get("http://a/text"), 200],
    ["absolute form in capitals", get("HTTP://A/text"), 200],
    ["absolute form without a path", get("http://a"), 404],
    ["absolute form with a query only", get("http://a?x=1"), 404],
    ["a query", get("/text?a=b&c"), 200],
    ["an empty query", get("/text?"), 200],
    ["asterisk form for OPTIONS", `OPTIONS * HTTP/1.1\r\n${H}Connection: close\r\n\r\n`, [200, 204]],
    ["asterisk form for GET", get("*"), 400],
    ["a target without a slash", get("text"), [400, 404]],
    ["no target", `GET HTTP/1.1\r\n${H}\r\n`, 400],
    ["no version", `GET /text\r\n${H}\r\n`, 400],
    ["two blanks", `GET  /text HTTP/1.1\r\n${H}Connection: close\r\n\r\n`, [200, 400]],
    ["a tab for a blank", `GET\t/text HTTP/1.1\r\n${H}\r\n`, 400],
    ["a blank in the target", get("/te xt"), 400],
    ["a blank at the end of the line", `GET /text HTTP/1.1 \r\n${H}\r\n`, [200, 400]],
    ["a lower-case method", `get /text HTTP/1.1\r\n${H}\r\n`, 400],
    ["an unknown method", `FOO /text HTTP/1.1\r\n${H}\r\n`, [400, 501]],
    ["a method with a bracket", `G[T /text HTTP/1.1\r\n${H}\r\n`, 400],
    ["HTTP/1.0 without Host", "GET /text HTTP/1.0\r\n\r\n", 200],
    ["HTTP/0.9 in its own words", "GET /text\r\n\r\n", 400],
    ["HTTP/2.0 in the line", get("/text", "", "2.0"), [400, 505]],
    ["HTTP/1.2", get("/text", "", "1.2"), [200, 400, 505]],
    ["HTTP/11", get("/text", "", "11"), 400],
    ["a lower-case version", `GET /text http/1.1\r\n${H}\r\n`, 400],
    ["an empty line before the request", `\r\n${get("/text")}`, 200],
    ["a NUL in the target", get("/te\u0000xt"), 400],
    ["a control character in the target", get("/te\u0007xt"), 400],
    ["a high byte in the target", get("/te\u00e9xt"), [400, 404]],
    ["a long target", get(`/${"x".repeat(10_000)}`), [404, 414, 431]],
    ["a target that is far too long", get(`/${"x".repeat(100_000)}`), [414, 431]],
    ["dot segments are not resolved upwards", get("/files/../../etc/passwd"), [200, 400, 404]],
    ["a fragment", get("/text#x"), [200, 400, 404]],
  ],
  "RFC 9112 5: headers": [
    ["an empty value", get("/text", "X-Empty:\r\n"), 200],
    ["blanks around a value", get("/text", "X-A:   b   \r\n"), 200],
    ["a tab in a value", get("/text", "X-A: b\tc\r\n"), 200],
    ["a high byte in a value", get("/text", "X-A: \u00e9\r\n"), 200],
    ["a blank before the colon", get("/text", "X-A : b\r\n"), 400],
    ["a blank in a name", get("/text", "X A: b\r\n"), 400],
    ["a name in brackets", get("/text", "X(A): b\r\n"), 400],
    ["no colon", get("/text", "X-A b\r\n"), 400],
    ["no name", get("/text", ": b\r\n"), 400],
    ["a folded value", get("/text", "X-A: b\r\n c\r\n"), 400],
    ["a value that begins with a blank line's blank", `GET /text HTTP/1.1\r\n X: y\r\n${H}\r\n`, 400],
    ["a NUL in a value", get("/text", "X-A: b\u0000c\r\n"), 400],
    ["a bare CR in a value", get("/text", "X-A: b\rc\r\n"), 400],
    ["a bare LF ends a header", `GET /text HTTP/1.1\r\nHost: a\nX: y\r\n\r\n`, 400],
    ["a DEL in a value", get("/text", "X-A: b\u007fc\r\n"), [200, 400]],
    ["64 headers", get("/text", Array.from({ length: 64 }, (_, i) => `X-${i}: y\r\n`).join("")), 200],
    ["a header of 20 kB", get("/text", `X-A: ${"y".repeat(20_000)}\r\n`), 431],
    ["3000 headers", get("/text", "X: y\r\n".repeat(3000)), 431],
  ],
  "RFC 9112 3.2: Host": [
    ["none", "GET /text HTTP/1.1\r\nConnection: close\r\n\r\n", 400],
    ["two that are the same", `GET /text HTTP/1.1\r\n${H}${H}\r\n`, 400],
    ["two that differ", `GET /text HTTP/1.1\r\n${H}Host: b\r\n\r\n`, 400],
    ["two, in different case", `GET /text HTTP/1.1\r\n${H}hOST: b\r\n\r\n`, 400],
    ["two on an unknown path", `GET /none HTTP/1.1\r\n${H}${H}\r\n`, 400],
    ["two on a management path", `GET /healthz HTTP/1.1\r\n${H}${H}\r\n`, 400],
    ["an empty one", "GET /text HTTP/1.1\r\nHost:\r\nConnection: close\r\n\r\n", [200, 400]],
    ["with a port", "GET /text HTTP/1.1\r\nHost: a:80\r\nConnection: close\r\n\r\n", 200],
    ["an IPv6 address", "GET /text HTTP/1.1\r\nHost: [::1]:80\r\nConnection: close\r\n\r\n", 200],
    ["with a blank in it", "GET /text HTTP/1.1\r\nHost: a b\r\n\r\n", 400],
    ["with a path", "GET /text HTTP/1.1\r\nHost: a/b\r\n\r\n", 400],
    ["with a user", "GET /text HTTP/1.1\r\nHost: me@a\r\n\r\n", 400],
    ["with a port in letters", "GET /text HTTP/1.1\r\nHost: a:b\r\n\r\n", 400],
    ["two hosts in one", "GET /text HTTP/1.1\r\nHost: a, b\r\n\r\n", 400],
    ["with a path, on an unknown path", "GET /none HTTP/1.1\r\nHost: a/b\r\n\r\n", 400],
    ["a port that no URL has", "GET /request HTTP/1.1\r\nHost: a:99999\r\nConnection: close\r\n\r\n", 400],
    ["one that is none beside an absolute target", get("http://a/text").replace("Host: a", "Host: a/b"), 200],
  ],
  "RFC 9112 6: the body's length": [
    ["a length", post(`${text}Content-Length: 3\r\n`, "abc"), 200],
    ["a length of zero", post("Content-Length: 0\r\n", ""), 200],
    ["neither length nor coding", post(text, ""), 200],
    ["a length of 0003", post(`${text}Content-Length: 0003\r\n`, "abc"), [200, 400]],
    ["a length with a sign", post(`${text}Content-Length: +3\r\n`, "abc"), 400],
    ["a negative length", post(`${text}Content-Length: -3\r\n`, "abc"), 400],
    ["a length in hex", post(`${text}Content-Length: 0x3\r\n`, "abc"), 400],
    ["a length with letters", post(`${text}Content-Length: 3a\r\n`, "abc"), 400],
    ["an empty length", post(`${text}Content-Length:\r\n`, "abc"), 400],
    ["a length that overflows", post(`${text}Content-Length: 99999999999999999999\r\n`, "abc"), [400, 413]],
    ["a length above the limit", post(`${text}Content-Length: 99999999\r\n`, ""), 413],
    ["two lengths that differ", post(`${text}Content-Length: 3\r\nContent-Length: 4\r\n`, "abcd"), 400],
    ["two lengths that are the same", post(`${text}Content-Length: 3\r\nContent-Length: 3\r\n`, "abc"), [200, 400]],
    ["a list of lengths", post(`${text}Content-Length: 3, 3\r\n`, "abc"), [200, 400]],
    ["length and chunked", post(`${chunked}Content-Length: 3\r\n`, "3\r\nabc\r\n0\r\n\r\n"), 400],
    [
      "chunked and length",
      post(`${text}Content-Length: 3\r\nTransfer-Encoding: chunked\r\n`, "3\r\nabc\r\n0\r\n\r\n"),
      400,
    ],
    ["a coding that is not chunked", post(`${text}Transfer-Encoding: gzip\r\n`, "abc"), [400, 501]],
    [
      "chunked that is not the last coding",
      post(`${text}Transfer-Encoding: chunked, gzip\r\n`, "0\r\n\r\n"),
      [400, 501],
    ],
    ["chunked twice", post(`${text}Transfer-Encoding: chunked, chunked\r\n`, "0\r\n\r\n"), [400, 501]],
    ["another coding below chunked", post(`${text}Transfer-Encoding: gzip, chunked\r\n`, "0\r\n\r\n"), 501],
    ["a coding with a vertical tab", post(`${text}Transfer-Encoding: \u000bchunked\r\n`, "0\r\n\r\n"), [400, 501]],
    ["chunked in capitals", post(`${text}Transfer-Encoding: CHUNKED\r\n`, "3\r\nabc\r\n0\r\n\r\n"), 200],
    ["a GET with a body", `GET /text HTTP/1.1\r\n${H}Connection: close\r\nContent-Length: 3\r\n\r\nabc`, 200],
  ],
  "RFC 9112 7.1: chunks": [
    ["one chunk", post(chunked, "3\r\nabc\r\n0\r\n\r\n"), 200],
    ["no chunk", post(chunked, "0\r\n\r\n"), 200],
    ["several", post(chunked, "1\r\na\r\n2\r\nbc\r\n0\r\n\r\n"), 200],
    ["a size in capitals", post(chunked, `A\r\n${"x".repeat(10)}\r\n0\r\n\r\n`), 200],
    ["a size with zeros in front", post(chunked, "0003\r\nabc\r\n0\r\n\r\n"), 200],
    ["an extension", post(chunked, "3;a=b\r\nabc\r\n0\r\n\r\n"), 200],
    ["a quoted extension", post(chunked, '3;a="b c"\r\nabc\r\n0\r\n\r\n'), 200],
    ["an endless extension", post(chunked, `3;${"a".repeat(40_000)}\r\nabc\r\n0\r\n\r\n`), [400, 413]],
    ["a trailer", post(chunked, "3\r\nabc\r\n0\r\nX-T: y\r\n\r\n"), 200],
    ["a size that is no number", post(chunked, "z\r\nabc\r\n0\r\n\r\n"), 400],
    ["a negative size", post(chunked, "-3\r\nabc\r\n0\r\n\r\n"), 400],
    ["a size with 0x", post(chunked, "0x3\r\nabc\r\n0\r\n\r\n"), 400],
    ["a size that overflows", post(chunked, "fffffffffffffffff\r\nabc\r\n0\r\n\r\n"), 400],
    ["a blank before the size", post(chunked, " 3\r\nabc\r\n0\r\n\r\n"), 400],
    ["a blank after the size", post(chunked, "3 \r\nabc\r\n0\r\n\r\n"), [200, 400]],
    ["a bare LF after the size", post(chunked, "3\nabc\r\n0\r\n\r\n"), 400],
    ["a bare LF after the data", post(chunked, "3\r\nabc\n0\r\n\r\n"), 400],
    ["more data than the size says", post(chunked, "3\r\nabcd\r\n0\r\n\r\n"), 400],
    ["no size at all", post(chunked, "\r\nabc\r\n0\r\n\r\n"), 400],
    ["a size above the limit", post(chunked, `200000\r\n${"x".repeat(0x200000)}\r\n0\r\n\r\n`), 413],
  ],
  "RFC 9110 9: methods": [
    ["HEAD of a GET route", `HEAD /text HTTP/1.1\r\n${H}Connection: close\r\n\r\n`, 200],
    ["HEAD of a stream", `HEAD /generator HTTP/1.1\r\n${H}Connection: close\r\n\r\n`, 200],
    ["HEAD of an unknown path", `HEAD /none HTTP/1.1\r\n${H}Connection: close\r\n\r\n`, 404],
    ["DELETE where there is only GET", `DELETE /text HTTP/1.1\r\n${H}Connection: close\r\n\r\n`, 405],
    ["OPTIONS of a known path", `OPTIONS /text HTTP/1.1\r\n${H}Connection: close\r\n\r\n`, [200, 204]],
    ["OPTIONS of an unknown path", `OPTIONS /none HTTP/1.1\r\n${H}Connection: close\r\n\r\n`, 404],
    ["TRACE", `TRACE /text HTTP/1.1\r\n${H}Connection: close\r\n\r\n`, [404, 405, 501]],
    ["PROPFIND", `PROPFIND /text HTTP/1.1\r\n${H}Connection: close\r\n\r\n`, [404, 405, 501]],
    ["a 204 has no body", get("/nothing"), 204],
    ["a redirect", get("/redirect"), 302],
  ],
  "RFC 9110 8, 10, 15: content and expectations": [
    ["JSON that is none", post("Content-Type: application/json\r\nContent-Length: 1\r\n", "{"), 400],
    ["an unknown expectation", post(`${text}Expect: tea\r\nContent-Length: 3\r\n`, "abc"), [200, 417]],
    ["100-continue", post(`${text}Expect: 100-continue\r\nContent-Length: 3\r\n`, "abc"), [100, 200]],
    ["an unknown charset", post("Content-Type: text/plain; charset=nope\r\nContent-Length: 3\r\n", "abc"), 415],
    ["an upgrade to h2c is not taken up", get("/text", "Upgrade: h2c\r\n"), 200],
    ["a malformed percent sequence", get("/hello/%zz"), [200, 400]],
    ["an encoded NUL", get("/hello/%00"), [200, 400]],
    ["an encoded slash stays in its segment", get("/hello/a%2Fb"), 200],
    ["an overlong encoding", get("/hello/%c0%af"), [200, 400]],
    ["a cookie with everything in it", get("/query", 'Cookie: a="b; c=\u00e9; =; ;;; d\r\n'), 200],
  ],
};

const count = Object.values(sections).flat().length;

test("there are at least 120 of them", () => {
  expect(count).toBeGreaterThanOrEqual(120);
});

test.each(Object.entries(sections))("%s", async (_section, cases) => {
  const { port } = await start("basic.ts", { log: { level: "silent" } });
  const answers = await Promise.all(cases.map(([, bytes]) => raw(port, bytes, 3000)));
  const wrong: string[] = [];
  cases.forEach(([what, bytes, expected], i) => {
    const answer = answers[i] ?? "";
    const status = Number(/^HTTP\/1\.1 (\d{3})/.exec(answer)?.[1]);
    if (![expected].flat().includes(status)) wrong.push(`${what}: ${answer.slice(0, 80)}`);
    // One request, one final answer: nothing behind it was taken for a second one.
    if ((answer.match(/HTTP\/1\.1 [2-5]\d\d/g) ?? []).length !== 1) wrong.push(`${what}: not one answer`);
    if (bytes.startsWith("HEAD") && answer.split("\r\n\r\n")[1] !== "") wrong.push(`${what}: HEAD with a body`);
  });
  expect(wrong).toEqual([]);
});

test("the server answers as before, after all of it", async () => {
  const { port } = await start("basic.ts");
  for (const [, bytes] of Object.values(sections).flat()) await raw(port, bytes, 300);
  expect(await raw(port, get("/text"))).toMatch(/200 OK[\s\S]*plain$/);
});
