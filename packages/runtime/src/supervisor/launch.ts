import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { fileURLToPath, pathToFileURL } from "node:url";
import { MessageChannel, type MessagePort, type Worker } from "node:worker_threads";
import { DuckError } from "../errors.ts";
import { ownDoorbell } from "../future/doorbell.ts";
import {
  becomeRoot,
  currentThread,
  lineageLinks,
  type RootShared,
  rootShared,
  SUPERVISOR_STATE,
} from "../thread/identity.ts";
import { loaderFlags, spawnThread } from "../thread/spawn.ts";

export const SUPERVISOR_NONE = 0;
const SUPERVISOR_STARTING = 1;
export const SUPERVISOR_READY = 2;
export const SUPERVISOR_DEAD = 3;

/** What the supervisor's thread is started with. */
export type SupervisorData = {
  readonly port: MessagePort;
  readonly bell: Int32Array;
  readonly root: RootShared;
  readonly links: ReturnType<typeof lineageLinks>;
  /** The loader flags of the process, for the threads that load user code; the supervisor itself runs without them. */
  readonly execArgv: readonly string[];
};

/**
 * The URL of one of this package's built entry files. Beside this module where it was installed; a bundle holds this
 * module but not the entry, so there the installed package is asked.
 */
export function entryUrl(file: string, packageName: string, from: string | undefined): URL {
  if (from === undefined) throw entryNotFound("a bundle of CommonJS format has no import.meta.url to look from");
  for (const place of [file, `.${file}`]) {
    // One folder up: esbuild puts code that several entries share into a folder of its own.
    const beside = new URL(place, from);
    if (beside.protocol === "file:" && existsSync(fileURLToPath(beside))) return beside;
  }
  try {
    const manifest = createRequire(from).resolve(`${packageName}/package.json`);
    return new URL(file.replace(/^\.\//, "dist/"), pathToFileURL(manifest));
  } catch (cause) {
    throw entryNotFound(`it was found neither beside ${from} nor in an installed ${packageName}`, { cause });
  }
}

function entryNotFound(why: string, options?: ErrorOptions): DuckError {
  return new DuckError(
    "DUCK_ENTRY_NOT_FOUND",
    `There is no file for a thread to begin with: ${why}. Leave the packages out of the bundle (esbuild: ` +
      `--external:@duck-ts/*), or make it an ES module and install them where it runs.`,
    options,
  );
}

/** Starts the supervisor as this root's child and returns the root's end of its line. Returns at once. */
export function launchSupervisor(): MessagePort {
  const { port1, port2 } = new MessageChannel();
  const root = currentThread().parent === null ? rootShared() : becomeRoot();
  Atomics.store(root.words, SUPERVISOR_STATE, SUPERVISOR_STARTING);
  const links = lineageLinks(currentThread());
  const data: SupervisorData = {
    port: port2,
    bell: ownDoorbell(),
    root,
    links,
    execArgv: loaderFlags(process.execArgv),
  };
  const worker: Worker = spawnThread(entryUrl("./supervisor/entry.cjs", "@duck-ts/runtime", import.meta.url), {
    identity: { name: "duck:supervisor", kind: "supervisor", ancestors: links, root },
    data: { supervisor: data },
    transfer: [port2],
  });
  worker.once("error", (error) => {
    // Whatever happens in the supervisor is a bug of ours: it must be seen, and nobody may go on waiting for it.
    process.stderr.write(
      `duck-ts: the supervisor thread failed: ${error instanceof Error ? error.stack : String(error)}\n`,
    );
  });
  worker.once("exit", () => {
    Atomics.store(root.words, SUPERVISOR_STATE, SUPERVISOR_DEAD);
    Atomics.notify(root.words, SUPERVISOR_STATE);
  });
  worker.unref();
  return port1;
}
