/** How a task is found again in another thread: what crosses instead of the function. */
export type TaskRef = {
  /** The module to import. Its hash, if any, names a lazily evaluated part of a bundle and is not imported. */
  readonly url: string;
  /** `named`, `export`: the name to look for. `place`: the function's name, a check beside the place. */
  readonly name: string;
  /** Which of its module's tasks it is, counted from 0 in the order of declaration; -1 where only the name counts. */
  readonly place: number;
  readonly kind: "place" | "named" | "export";
};

/** What a task's function looks like once nobody knows its types any more. */
export type TaskFunction = (...args: unknown[]) => unknown;

/** The readable form of a reference: `file:///app/jobs.mjs#2:hash`, or `file:///app/jobs.mjs#hash` by name alone. */
export function taskId(ref: TaskRef): string {
  if (ref.kind !== "place") return `${ref.url}#${ref.name}`;
  return `${ref.url}#${ref.place}${ref.name === "" ? "" : `:${ref.name}`}`;
}

/** The url that `import()` is given for a reference. */
export function importUrl(ref: TaskRef): string {
  const hash = ref.url.indexOf("#");
  return hash === -1 ? ref.url : ref.url.slice(0, hash);
}
