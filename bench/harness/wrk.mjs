import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { browserHeaders } from "./workload.mjs";

const run = promisify(execFile);

const hasWrk = await run("wrk", ["--version"]).then(
  () => true,
  // wrk prints its version and exits with 1.
  (error) => error.code !== "ENOENT",
);

export const loadGenerator = hasWrk ? "wrk" : "autocannon";

/** As fast as the server answers, over `connections` connections, for whole seconds. @returns requests a second */
export async function saturate(url, { seconds, connections = 64 }) {
  return hasWrk ? await withWrk(url, seconds, connections) : await withAutocannon(url, seconds, connections);
}

async function withWrk(url, seconds, connections) {
  const headers = Object.entries(browserHeaders).flatMap(([name, value]) => ["-H", `${name}: ${value}`]);
  const { stdout } = await run("wrk", [
    "-t1",
    "--timeout",
    "10s",
    `-c${connections}`,
    `-d${seconds}s`,
    ...headers,
    url,
  ]);
  const wrong = /Non-2xx or 3xx responses: (\d+)|Socket errors: (.*)/.exec(stdout);
  if (wrong !== null) throw new Error(`${url}: ${wrong[0]}`);
  return Number(/Requests\/sec:\s+([\d.]+)/.exec(stdout)[1]);
}

async function withAutocannon(url, seconds, connections) {
  const command = fileURLToPath(import.meta.resolve("autocannon"));
  const headers = Object.entries(browserHeaders).flatMap(([name, value]) => ["-H", `${name}=${value}`]);
  const options = ["-c", connections, "-d", seconds, "--json", "--no-progress", ...headers, url];
  const { stdout } = await run(process.execPath, [command, ...options.map(String)], { maxBuffer: 1 << 24 });
  const { errors, non2xx, requests } = JSON.parse(stdout);
  if (errors + non2xx > 0) throw new Error(`${url}: ${errors} errors, ${non2xx} responses other than 2xx`);
  return requests.average;
}
