// Packs the three packages the way they are published, and can install them the way a user does.
//
//   node scripts/pack.mjs                 prints the tarballs, one a line
//   node scripts/pack.mjs --into DIR      and installs them with npm into DIR
//
// Tests import `packAll` and `installInto`.
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { basename, join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { root } from "./tool.mjs";

const shell = process.platform === "win32";

/** Packs every package whose build exists; returns `{ name, tarball }` in the order of their dependencies. */
export function packAll() {
  const packs = join(root, "node_modules/.cache/packs");
  mkdirSync(packs, { recursive: true });
  const packed = [];
  for (const folder of ["runtime", "managers", "server"]) {
    const cwd = join(root, "packages", folder);
    if (!existsSync(join(cwd, "dist/index.js"))) continue;
    const { name, version } = JSON.parse(readFileSync(join(cwd, "package.json"), "utf8"));
    // Packed aside and renamed: tests in other processes may be reading the same tarball.
    const aside = join(packs, `.${folder}-${process.pid}`);
    mkdirSync(aside, { recursive: true });
    run(...pnpm("pack", "--pack-destination", aside), cwd);
    const made = readdirSync(aside).find((file) => file.endsWith(".tgz"));
    const tarball = join(packs, `${folder}-${version}.tgz`);
    renameSync(join(aside, made), tarball);
    rmSync(aside, { recursive: true, force: true });
    packed.push({ name, tarball });
  }
  return packed;
}

/** Installs the tarballs, and `extra` packages ("zod@4"), into `folder` with npm, as a user would. */
export function installInto(folder, packed = packAll(), extra = []) {
  mkdirSync(folder, { recursive: true });
  const dependencies = Object.fromEntries(packed.map(({ name, tarball }) => [name, `file:${tarball}`]));
  const manifest = join(folder, "package.json");
  const before = existsSync(manifest) ? JSON.parse(readFileSync(manifest, "utf8")) : { private: true, type: "module" };
  // The same tarballs stand as overrides, so that @duck-ts/server's own dependency on @duck-ts/managers is met by
  // the one that lies here, and not looked for at a registry.
  const overrides = Object.fromEntries(packed.map(({ name }) => [name, `$${name}`]));
  const merged = { ...before, dependencies: { ...before.dependencies, ...dependencies }, overrides };
  writeFileSync(manifest, `${JSON.stringify(merged, null, 2)}\n`);
  run("npm", ["install", "--prefer-offline", "--no-audit", "--no-fund", "--loglevel=error", ...extra], folder);
}

/** pnpm is on the PATH under `npm test`; elsewhere npm fetches the one that package.json pins. */
function pnpm(...args) {
  const { packageManager } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
  const found = spawnSync("pnpm", ["--version"], { encoding: "utf8", shell }).stdout?.trim();
  if (`pnpm@${found}` === packageManager) return ["pnpm", args];
  return ["npm", ["exec", "--yes", `--package=${packageManager}`, "--", "pnpm", ...args]];
}

function run(command, args, cwd) {
  const result = spawnSync(command, args, { cwd, encoding: "utf8", shell, stdio: ["ignore", "pipe", "pipe"] });
  if (result.status !== 0) {
    const said = result.error?.message ?? `${result.stdout}\n${result.stderr}`;
    throw new Error(`${command} ${args.join(" ")} in ${basename(cwd)} ended with ${result.status}:\n${said}`);
  }
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
  const packed = packAll();
  for (const { tarball } of packed) console.log(tarball);
  const into = process.argv.indexOf("--into");
  if (into !== -1) installInto(resolve(process.argv[into + 1]), packed, process.argv.slice(into + 2));
}
