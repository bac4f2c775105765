/**
 * The one thread on which all others depend, ended by force: nobody may go on waiting. In a process of its own each, with
 * a small heap, which the threads inherit, so that "out of memory" does not take long.
 */
import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { MessageChannel, receiveMessageOnPort } from "node:worker_threads";
import { describe, expect, it } from "vitest";

const script = fileURLToPath(new URL("./fixtures/supervisor-ends.mjs", import.meta.url));

function run(how: string, who: string): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const args = ["--max-old-space-size=80", script, how, who];
    // Far more than the second within which they look, far less than for ever.
    execFile(process.execPath, args, { timeout: 15_000, killSignal: "SIGKILL" }, (error, stdout, stderr) => {
      if (error) reject(new Error(`${error.message}\n${stdout}\n${stderr}`));
      else resolve(JSON.parse(stdout));
    });
  });
}

const ended = "DUCK_SUPERVISOR_ENDED";
const told = { pool: ended, loop: ended, shared: ended, submit: ended, start: ended };

describe.each(["terminate", "exit", "throw", "out of memory"])("when the supervisor ends by %s", (how) => {
  it.each([
    ["main awaits", { main: told }],
    ["main blocks", { main: told }],
    ["raw Worker awaits", { main: {}, raw: told }],
    ["raw Worker blocks", { main: {}, raw: told }],
    ["main blocks and raw Worker blocks", { main: told, raw: told }],
  ])("%s: each future fails and says so, and so does what is tried afterwards", async (who, expected) => {
    expect(await run(how, who)).toEqual(expected);
  });
});

it("a port tells whether its other end is still there, by what postMessage returns; this is not documented", () => {
  // A blocked thread has no other sign. Where a Node changed this, nobody would be declared dead (see line.ts), but
  // those who stand still would not learn of it either.
  const { port1, port2 } = new MessageChannel();
  const post = (): unknown => port1.postMessage("there?") as unknown;
  expect(post()).toBe(true);
  port2.close();
  expect(receiveMessageOnPort(port1)).toBeUndefined();
  return new Promise<void>((resolve) => {
    port1.once("close", () => {
      setImmediate(() => {
        expect(post()).not.toBe(true);
        resolve();
      });
    });
  });
});
