import { readdirSync, rmSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";

/**
 * A server needs its build for as long as it lives: a thread that is replaced after a month imports it again. So each
 * process leaves a lease in the folder of the build that it uses, and only builds without a living lease are swept.
 */
const leasePattern = /^lease-(\d+)-(.+)$/;

const dayMs = 24 * 60 * 60 * 1000;

/** How long an unused build is kept, for a switch back to another branch. */
const unusedMs = dayMs;

/** Processes in other containers cannot be asked whether they live: their lease is believed this long. */
const foreignMs = 30 * dayMs;

/** How old something half written has to be before it is nobody's. */
const abandonedMs = 10 * 60 * 1000;

/** Says that this process uses the build in `folder`. */
export function leaseBuild(folder: string): void {
  try {
    writeFileSync(join(folder, `lease-${process.pid}-${hostname()}`), "");
    const now = new Date();
    utimesSync(folder, now, now);
  } catch {
    // A cache that cannot be written cannot be swept either.
  }
}

/** Removes builds that nobody has used for a day, but never `current`. Failures are left for the next sweep. */
export function sweepBuilds(cache: string, current: string): void {
  const now = Date.now();
  for (const entry of readdirSync(cache, { withFileTypes: true })) {
    if (!entry.isDirectory() || entry.name === current) continue;
    const folder = join(cache, entry.name);
    try {
      const age = now - statSync(folder).mtimeMs;
      const unneeded = entry.name.startsWith(".writing-")
        ? age > abandonedMs
        : age > unusedMs && !isLeased(folder, now);
      if (unneeded) rmSync(folder, { recursive: true, force: true });
    } catch {
      // Another server sweeps at the same time.
    }
  }
}

function isLeased(folder: string, now: number): boolean {
  return readdirSync(folder).some((name) => {
    const [, pid, host] = leasePattern.exec(name) ?? [];
    if (pid === undefined) return false;
    if (host === hostname()) return isAlive(Number(pid));
    return now - statSync(join(folder, name)).mtimeMs < foreignMs;
  });
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // EPERM: somebody else's, and alive.
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}
