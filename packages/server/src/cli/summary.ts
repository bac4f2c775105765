import { relative } from "node:path";
import type { ResolvedConfig } from "../config/index.ts";

/** What is said once a server listens. */
export interface StartUp {
  readonly config: ResolvedConfig;
  readonly url: string;
  /** Of a listener for management alone. */
  readonly managementUrl: string | undefined;
  readonly version: string;
  readonly routes: number;
  readonly startupMs: number;
}

/** For people: a few lines. */
export function summaryText({ config, url, managementUrl, version, routes, startupMs }: StartUp, cwd: string): string {
  const shown = (path: string): string => {
    const inside = relative(cwd, path);
    return inside === "" || inside.startsWith("..") ? path : inside;
  };
  const count = (n: number, what: string): string => `${n} ${what}${n === 1 ? "" : "s"}`;
  const rows: [string, string][] = [
    ["app", `${shown(config.app)}, ${count(routes, "route")}`],
    ["config", config.file === null ? "none, all defaults" : shown(config.file)],
    ["threads", `${config.requestHandling.maxWorkers} for requests`],
    ["management", describeManagement(config.management, managementUrl)],
  ];
  const lines = rows.map(([name, value]) => `  ${name.padEnd(11)}${value}`);
  return [`duck-ts ${version} listens on ${url} after ${Math.round(startupMs)} ms`, ...lines, ""].join("\n");
}

/** For log collectors: one line. */
export function summaryLine({ config, url, managementUrl, version, routes, startupMs }: StartUp): string {
  return `${JSON.stringify({
    level: 30,
    time: Date.now(),
    pid: process.pid,
    thread: "main",
    msg: `duck-ts listens on ${url}`,
    url,
    managementUrl,
    version,
    app: config.app,
    config: config.file,
    workers: config.requestHandling.maxWorkers,
    routes,
    startupMs: Math.round(startupMs),
  })}\n`;
}

function describeManagement(
  { health, ready, metrics, expose }: ResolvedConfig["management"],
  url: string | undefined,
): string {
  const paths = [health, ready, metrics].filter((path) => path !== false);
  if (paths.length === 0) return "none";
  const where =
    expose === "loopback"
      ? "from this machine"
      : expose === "all"
        ? "for everybody"
        : `on ${url ?? `${expose.host}:${expose.port}`}`;
  return `${paths.join(" ")} ${where}`;
}
