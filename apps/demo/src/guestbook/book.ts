import { task } from "@duck-ts/server";

export interface Entry {
  readonly id: number;
  readonly name: string;
  readonly text: string;
  readonly at: string;
}

/** How many entries are kept. */
const limit = 200;

/** Lives in the guestbook loop's thread: tasks run there, so they all see this one list. */
const entries: Entry[] = [
  { id: 1, name: "Ada", text: "I blocked here, and nobody minded.", at: new Date().toISOString() },
];
let lastId = 1;

export const addEntry = task(function addEntry(name: string, text: string): Entry {
  const entry = { id: ++lastId, name, text, at: new Date().toISOString() };
  entries.unshift(entry);
  entries.length = Math.min(entries.length, limit);
  return entry;
});

export const listEntries = task(function listEntries(): Entry[] {
  return entries;
});
