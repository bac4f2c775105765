// Starts `duck-ts serve` as a process of its own, from the built package, and listens to what it says.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { root } from "./tool.mjs";

const START_MS = 60_000;

/**
 * @param config the config file, relative to the repository
 * @param onLine is told of each log line, parsed
 */
export async function serve(config, onLine = () => undefined) {
  const child = spawn(
    process.execPath,
    [join(root, "packages/server/bin/duck-ts.mjs"), "serve", "--port", "0", "--config", config],
    { cwd: root, env: { ...process.env, PORT: "", HOST: "" }, stdio: ["ignore", "pipe", "inherit"] },
  );
  const ended = once(child, "close").then(([code, signal]) => signal ?? code);
  const lines = createInterface({ input: child.stdout });
  const url = await new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`it does not listen after ${START_MS} ms`)), START_MS);
    void ended.then((how) => reject(new Error(`it ended with ${how} before it listened`)));
    lines.on("line", (text) => {
      if (!text.startsWith("{")) return;
      const line = JSON.parse(text);
      if (String(line.msg).startsWith("duck-ts listens")) {
        clearTimeout(timer);
        resolve(line.url);
      } else onLine(line);
    });
  }).catch((error) => {
    child.kill("SIGKILL");
    throw error;
  });
  return { child, ended, url, port: Number(new URL(url).port) };
}
