import { task } from "@duck-ts/server";
import { type Entry, openStore, type Store } from "./store.ts";

/** Lives in the guestbook loop's thread: tasks run there, one after the other, so there is one connection. */
let opened: Store | undefined;
function store(): Store {
  opened ??= openStore();
  return opened;
}

export const addEntry = task(function addEntry(name: string, text: string): Entry {
  return store().add(name, text);
});

export const listEntries = task(function listEntries(): { place: string; entries: Entry[] } {
  return { place: store().place, entries: store().list() };
});
