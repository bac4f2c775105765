import { TaskDeclarationError } from "../errors.ts";
import { threadWide } from "../thread/shared-state.ts";
import type { TaskFunction, TaskRef } from "./task-ref.ts";

interface Declaration {
  readonly fn: TaskFunction;
  readonly name: string;
  /** Where at its module's top level it stands; undefined where a function declared it. */
  readonly position: string | undefined;
  /** The turn of the event loop it was made in. */
  readonly turn: number;
}

/** What one module has declared in this thread so far. */
interface ModuleTasks {
  readonly places: Declaration[];
  readonly named: Map<string, Declaration>;
}

const modules: Map<string, ModuleTasks> = threadWide("task.declared", () => new Map());
const clock: { turn: number; ticking: boolean } = threadWide("task.turn", () => ({ turn: 0, ticking: false }));

/**
 * How the names of this project's own tasks begin. A thread may evaluate their module twice, at two places: tsx makes
 * CommonJS of what a CommonJS file requires, and what that imports late is an ES module again.
 */
const OWN_NAMES = "duck:";

/** Gives the function the next place in its module. */
export function declareAtPlace(url: string, name: string, position: string, fn: TaskFunction): TaskRef {
  const { places } = tasksOf(url);
  const place = places.push({ fn, name, position, turn: currentTurn() }) - 1;
  return { url, name, place, kind: "place" };
}

/**
 * Gives the function that name in its module.
 *
 * @throws TaskDeclarationError where the module's top level has given that name already.
 */
export function declareNamed(url: string, name: string, position: string | undefined, fn: TaskFunction): TaskRef {
  const { named } = tasksOf(url);
  const before = named.get(name);
  const turn = currentTurn();
  // The same place in a later turn is the module evaluated anew (vi.resetModules(), require.cache): the new one counts.
  const anew = before?.position === position && before?.turn !== turn;
  if (before?.position !== undefined && position !== undefined && !anew && !name.startsWith(OWN_NAMES)) {
    throw new TaskDeclarationError(
      `Two tasks of ${url} have the name ${JSON.stringify(name)} (declared at ${before.position} and ${position}); ` +
        "another thread could not tell them apart. Give each its own { name }, or none: their places tell them apart.",
    );
  }
  // A function may declare its task at each call; the module's top level has the say over which one the name means.
  if (before === undefined || position !== undefined) named.set(name, { fn, name, position, turn });
  return { url, name, place: -1, kind: "named" };
}

/** The function that the reference means, among what this thread has declared. */
export function findDeclared(ref: TaskRef): TaskFunction | undefined {
  const known = modules.get(ref.url);
  if (known === undefined || ref.kind === "export") return undefined;
  if (ref.kind === "named") return known.named.get(ref.name)?.fn;
  const atPlace = known.places[ref.place];
  if (atPlace?.name === ref.name) return atPlace.fn;
  // The other thread declared more or fewer before it (a condition on the thread); a name that is unique still tells.
  const sameName = ref.name === "" ? [] : known.places.filter(({ name }) => name === ref.name);
  return sameName.length === 1 ? sameName[0]?.fn : undefined;
}

/** How many of the module's tasks bear the reference's name, and a line for each task it has declared. */
export function describeDeclared(ref: TaskRef): { readonly sameName: number; readonly lines: readonly string[] } {
  const known = modules.get(ref.url);
  const places = known?.places ?? [];
  return {
    sameName: places.filter(({ name }) => name === ref.name).length,
    lines: [
      ...places.map(({ name }, place) => `#${place}${name === "" ? "" : `:${name}`}`),
      ...[...(known?.named.keys() ?? [])].map((name) => `#${name}`),
    ],
  };
}

function tasksOf(url: string): ModuleTasks {
  let tasks = modules.get(url);
  if (tasks === undefined) {
    tasks = { places: [], named: new Map() };
    modules.set(url, tasks);
  }
  return tasks;
}

function currentTurn(): number {
  if (!clock.ticking) {
    clock.ticking = true;
    queueMicrotask(() => {
      clock.turn += 1;
      clock.ticking = false;
    });
  }
  return clock.turn;
}
