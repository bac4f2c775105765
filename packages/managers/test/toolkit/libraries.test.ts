/** Real blocking libraries in threads. */
import { createHash, randomBytes } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire, isBuiltin } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { eventually, failure, newWords } from "../support/gates.ts";
import * as libraries from "./fixtures/libraries.mjs";
import { leavesNoThread } from "./support/threads.ts";

leavesNoThread();

/**
 * SQLite as WebAssembly is everywhere. Node's own came with Node 22. better-sqlite3 is compiled where it is installed,
 * and so is none of our dependencies: `NODE_PATH=<where it is>/node_modules` lets these tests find one.
 */
const sqlite = ["node-sqlite3-wasm", ...["node:sqlite", "better-sqlite3"].filter(isThere)];

function isThere(library: string): boolean {
  if (library.startsWith("node:")) return isBuiltin(library);
  try {
    libraries.openDatabase(library).close();
    return true;
  } catch {
    return false;
  }
}

describe.each(["pooled", "separate"] as const)("in a %s body", (form) => {
  const quiet = { logException: false } as const;

  test("a large file, read synchronously line by line", async () => {
    const folder = mkdtempSync(join(tmpdir(), "lines-"));
    onTestFinished(() => rmSync(folder, { recursive: true }));
    const lines = Array.from({ length: 200_000 }, (_, n) => `line ${n} ${n % 7 === 0 ? "ünïcode ☃" : "plain"}`);
    const path = join(folder, "lines.txt");
    writeFileSync(path, lines.join("\n"));
    let n = 0;
    for await (const line of libraries.linesOf[form](path)) {
      if (line !== lines[n]) expect(line).toBe(lines[n]);
      n += 1;
    }
    expect(n).toBe(200_000);
  });

  test("zlib's synchronous functions, whole and in chunks", async () => {
    const data = Buffer.concat([randomBytes(200_000), Buffer.alloc(300_000)]);
    const zipped = await libraries.gzip[form](data);
    expect(zipped.byteLength).toBeLessThan(data.byteLength);
    expect(md5(await libraries.gunzip[form](zipped))).toBe(md5(data));
    const chunks = [randomBytes(10), Buffer.alloc(500_000), randomBytes(100_000)];
    const back: Buffer[] = [];
    for await (const chunk of libraries.packed[form](chunks))
      back.push(Buffer.from(await libraries.unpack[form](chunk)));
    expect(Buffer.concat(back).equals(Buffer.concat(chunks))).toBe(true);
    const error = (await failure(libraries.gunzip[form].with(quiet)(randomBytes(50)))) as NodeJS.ErrnoException;
    expect(error.code).toBe("Z_DATA_ERROR");
  });

  test("a parser from npm that has only a synchronous form: the tree, the tokens, the error", async () => {
    const source = readFileSync(createRequire(import.meta.url).resolve("acorn"), "utf8");
    const tree = await libraries.parsed[form](source);
    expect(tree.type).toBe("Program");
    expect(JSON.stringify(tree)).toBe(JSON.stringify(libraries.parsed[form].syncCall(source)));
    let n = 0;
    const expected = libraries.tokens[form].syncCall(source)[Symbol.iterator]();
    for await (const token of libraries.tokens[form](source)) {
      n += 1;
      expect(token).toEqual(expected.next().value);
      if (n === 3_000) break;
    }
    expect(n).toBe(3_000);
    const error = (await failure(libraries.parsed[form].with(quiet)("const const"))) as SyntaxError;
    expect(error).toBeInstanceOf(SyntaxError);
    expect(error).toMatchObject({ pos: 6, loc: { line: 1, column: 6 } });
  });

  test.each(sqlite)(
    "SQLite by %s: rows while the query runs, and the database closed when the loop is left",
    async (library) => {
      const closed = newWords(1);
      const seen: number[] = [];
      for await (const { n, text, half, bytes, absent } of libraries.rows[form](library, 5_000, closed)) {
        if (text !== `number ${n}` || half !== n / 2 || absent !== null) expect({ n, text, half, absent }).toBe(n);
        if (n % 1_000 === 0) expect(Buffer.from(bytes).toString()).toBe(String(n));
        seen.push(n);
        if (n === 2_000) break;
      }
      expect(seen).toEqual(Array.from({ length: 3_000 }, (_, i) => 4_999 - i));
      await eventually(() => Atomics.load(closed, 0) === 1, "the database to be closed");
      let count = 0;
      for await (const _ of libraries.rows[form].with({ maxSize: 4 })(library, 300, closed)) count += 1;
      expect([count, Atomics.load(closed, 0)]).toEqual([300, 2]);
    },
  );

  test.each(sqlite)("SQLite by %s: one blocking query, and its error", async (library) => {
    expect(await libraries.sum[form](library, 1_000)).toEqual({ count: 1_000, sum: 249_750 });
    const error = (await failure(libraries.failingQuery[form].with(quiet)(library))) as Error;
    expect(error.message).toMatch(/no such table: nowhere/);
  });
});

function md5(data: Uint8Array): string {
  return createHash("md5").update(data).digest("hex");
}
