/** The command's entry: what `bin/duck-ts.mjs` runs. */
import { run } from "./run.ts";

const exitCode = await run(process.argv.slice(2));
// A server that listens keeps the process; nothing else may, least of all what an app's top level left behind.
if (exitCode !== null) process.exit(exitCode);
