// What `npm start` and `npm test` run: everything from a fresh clone to the step that was asked for, on a machine
// that has nothing but Node and npm. It may import nothing that an install would have to bring.
//
//   node scripts/bootstrap.mjs <start|check> [arguments of that step]
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const { packageManager } = JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8"));
const [step, ...rest] = process.argv.slice(2);

const steps = {
  start: ["pnpm", "--filter", "demo", "start"],
  check: [process.execPath, "scripts/check.mjs"],
};

if (!Object.hasOwn(steps, step)) {
  console.error(`bootstrap: expected one of ${Object.keys(steps).join(", ")}, got ${step ?? "nothing"}`);
  process.exit(2);
}

const env = { ...process.env, TURBO_TELEMETRY_DISABLED: "1", DO_NOT_TRACK: "1", npm_config_update_notifier: "false" };

/** Runs a command to its end; a failure ends this process with the same exit code. */
function run(command, args, stdio = "inherit") {
  const result = spawnSync(command, args, { cwd: root, env, stdio, shell: process.platform === "win32" });
  if (result.error) console.error(`bootstrap: ${command}: ${result.error.message}`);
  if (result.status !== 0) process.exit(result.status ?? 1);
}

if (process.env.DUCK_BOOTSTRAP !== packageManager) {
  // Started once more inside `npm exec`, which puts the pinned pnpm first on the PATH. turbo looks for it there, and
  // corepack need not exist.
  env.DUCK_BOOTSTRAP = packageManager;
  const inner = [process.execPath, fileURLToPath(import.meta.url), step, ...rest];
  run("npm", ["exec", "--yes", `--package=${packageManager}`, "--", ...inner]);
} else {
  delete env.DUCK_BOOTSTRAP;
  // pnpm asks before it replaces a node_modules folder, unless it knows that nobody is there to answer.
  env.CI ??= "true";
  run("pnpm", ["install", "--frozen-lockfile", "--prefer-offline"], ["ignore", "inherit", "inherit"]);
  if (process.env.CI === undefined) delete env.CI;
  if (step !== "check") run("pnpm", ["build"]); // check.mjs builds by itself
  const [command, ...args] = steps[step];
  run(command, [...args, ...rest]);
}
