import { fileURLToPath } from "node:url";
import { type Database, openDatabase } from "./sqlite.ts";

export interface Entry {
  readonly id: number;
  readonly name: string;
  readonly text: string;
  readonly at: string;
}

export interface Store {
  /** Where the entries are, for people. */
  readonly place: string;
  add(name: string, text: string): Entry;
  /** The newest first. */
  list(): Entry[];
}

/** How many entries are shown, and kept in memory. */
const limit = 200;

const welcome = ["Ada", "I blocked here, and nobody minded."] as const;

/** SQLite where this Node has it; an array where it has not. */
export function openStore(): Store {
  const file = process.env.DEMO_DATABASE ?? fileURLToPath(new URL("../../data/guestbook.sqlite", import.meta.url));
  const opened = openDatabase(file);
  const store = opened === undefined ? memoryStore() : sqliteStore(opened.library, opened.database);
  if (store.list().length === 0) store.add(...welcome);
  return store;
}

function sqliteStore(library: string, database: Database): Store {
  database.exec("CREATE TABLE IF NOT EXISTS entry (id INTEGER PRIMARY KEY, name TEXT, text TEXT, at TEXT) STRICT");
  const insert = database.prepare("INSERT INTO entry (name, text, at) VALUES (?, ?, ?) RETURNING id, name, text, at");
  const newest = database.prepare("SELECT id, name, text, at FROM entry ORDER BY id DESC LIMIT ?");
  return {
    place: `in an SQLite file, with ${library}: they outlive the server`,
    add: (name, text) => ({ ...(insert.get(name, text, new Date().toISOString()) as Entry) }),
    list: () => newest.all(limit).map((row) => ({ ...(row as Entry) })),
  };
}

function memoryStore(): Store {
  const entries: Entry[] = [];
  let lastId = 0;
  return {
    place: `in memory: Node ${process.versions.node} has no node:sqlite, and better-sqlite3 is not installed`,
    add(name, text) {
      const entry = { id: ++lastId, name, text, at: new Date().toISOString() };
      entries.unshift(entry);
      entries.length = Math.min(entries.length, limit);
      return entry;
    },
    list: () => entries,
  };
}
