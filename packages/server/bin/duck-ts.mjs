#!/usr/bin/env node
// The command itself is built; this file only has to exist before the build, so that it can be linked.
import module from "node:module";

// Before anything else is loaded: on an older Node that fails or hangs, for reasons that name no version.
const [major, minor] = process.versions.node.split(".").map(Number);
if (major < 20 || (major === 20 && minor < 19)) {
  process.stderr.write(
    `duck-ts: needs Node.js 20.19 or newer; this is ${process.versions.node}, ${process.execPath}.\n`,
  );
  process.exit(1);
}

// From Node 22.8 on, what has been compiled once is kept: half the time that Fastify, pino and zod take to load.
module.enableCompileCache?.();
await import("../dist/cli/main.js");
