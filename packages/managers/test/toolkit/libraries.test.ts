/** Real blocking libraries in threads. */
import { createHash, randomBytes } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { isBuiltin } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { failure } from "../support/gates.ts";
import { compile, gunzip, gzip, linesOf, packed, rows, unpack } from "./fixtures/libraries.mjs";
import { leavesNoThread } from "./support/threads.ts";

leavesNoThread();

test("a large file, read synchronously line by line", async () => {
  const folder = mkdtempSync(join(tmpdir(), "lines-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const lines = Array.from({ length: 200_000 }, (_, n) => `line ${n} ${n % 7 === 0 ? "ünïcode ☃" : "plain"}`);
  const path = join(folder, "lines.txt");
  writeFileSync(path, lines.join("\n"));
  let n = 0;
  for await (const line of linesOf(path)) {
    if (line !== lines[n]) expect(line).toBe(lines[n]);
    n += 1;
  }
  expect(n).toBe(200_000);
});

test("zlib's synchronous functions, whole and in chunks", async () => {
  const data = Buffer.concat([randomBytes(200_000), Buffer.alloc(300_000)]);
  const zipped = await gzip(data);
  expect(zipped.byteLength).toBeLessThan(data.byteLength);
  expect(
    createHash("md5")
      .update(await gunzip(zipped))
      .digest("hex"),
  ).toBe(createHash("md5").update(data).digest("hex"));
  const chunks = [randomBytes(10), Buffer.alloc(500_000), randomBytes(100_000)];
  const back: Buffer[] = [];
  for await (const chunk of packed(chunks)) back.push(Buffer.from(await unpack(chunk)));
  expect(Buffer.concat(back).equals(Buffer.concat(chunks))).toBe(true);
});

test("a synchronous compiler from npm", async () => {
  expect(await compile("const n: number = 1; enum E { A }")).toMatch(/const n = 1;\nvar E/);
  expect(((await failure(compile.with({ logException: false })("const const"))) as Error).message).toMatch(
    /Expected identifier/,
  );
});

// It came with Node 22.5. better-sqlite3 is not here: its version 13 needs Node 22 too, and has to be compiled.
test.runIf(isBuiltin("node:sqlite"))("SQLite, iterating rows", async () => {
  const seen: number[] = [];
  for await (const { n, text } of rows(1_000)) {
    expect(text).toBe(`number ${n}`);
    seen.push(n);
    if (n === 500) break;
  }
  expect(seen.length).toBe(500);
});
