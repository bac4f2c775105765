/**
 * How many imports a thread has under way, in its doorbell, where whoever wants to end the thread sees it. Node reads ES
 * modules through asynchronous handles: a thread that is terminated while a file is being opened for it leaves that file
 * open for as long as the process lives, and one that is terminated in the moment in which it comes up may abort the whole
 * process (Node 24). See docs/adr/0015.
 */
import { type Doorbell, newDoorbell, ownDoorbell } from "../future/doorbell.ts";

/** The third word of a bell. */
const IMPORTS = 2;

/** The doorbell of a thread that is about to be made. Coming up is its first import; see {@link isUp}. */
export function newThreadBell(): Doorbell {
  const bell = newDoorbell();
  bell[IMPORTS] = 1;
  return bell;
}

/** This thread, which was made with {@link newThreadBell}, has all that it starts from. */
export function isUp(): void {
  Atomics.sub(ownDoorbell(), IMPORTS, 1);
}

/** Counts `load` among this thread's imports until it has settled. */
export async function countImport<T>(load: () => Promise<T>): Promise<T> {
  const bell = ownDoorbell();
  Atomics.add(bell, IMPORTS, 1);
  try {
    return await load();
  } finally {
    Atomics.sub(bell, IMPORTS, 1);
  }
}

/** A module's top level may never end; its files are read by then. (32 threads that start at once on 2 cores: 1.5 s.) */
const PATIENCE_MS = 5_000;
const LOOK_EVERY_MS = 5;

/** Calls `end`, which terminates the thread of that bell: at once where it imports nothing, else when it has, or after five seconds. */
export function onceImported(bell: Doorbell, end: () => void): void {
  const until = performance.now() + PATIENCE_MS;
  const look = (): void => {
    if (Atomics.load(bell, IMPORTS) <= 0 || performance.now() >= until) end();
    else setTimeout(look, LOOK_EVERY_MS).unref(); // a process that ends meanwhile ends the thread too
  };
  look();
}
