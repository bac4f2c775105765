import { mkdirSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname } from "node:path";

/** What the two libraries have in common; every call of it blocks. */
export interface Database {
  exec(sql: string): unknown;
  prepare(sql: string): {
    get(...values: (string | number)[]): unknown;
    all(...values: (string | number)[]): unknown[];
    run(...values: (string | number)[]): unknown;
  };
}

type DatabaseClass = new (file: string) => Database;

/** Opens an SQLite file with what is there: Node's own library (22.13+), else better-sqlite3 where it is installed. */
export function openDatabase(file: string): { library: string; database: Database } | undefined {
  const found = nodeSqlite() ?? betterSqlite();
  if (found === undefined) return undefined;
  mkdirSync(dirname(file), { recursive: true });
  const database = new found.Database(file);
  // Another process may have the file open too: wait for it instead of failing.
  database.exec("PRAGMA busy_timeout = 3000; PRAGMA journal_mode = WAL;");
  return { library: found.library, database };
}

function nodeSqlite(): { library: string; Database: DatabaseClass } | undefined {
  const sqlite = process.getBuiltinModule("node:sqlite") as { DatabaseSync: DatabaseClass } | undefined;
  return sqlite && { library: "node:sqlite", Database: sqlite.DatabaseSync };
}

function betterSqlite(): { library: string; Database: DatabaseClass } | undefined {
  // Not a dependency: it would be compiled where there is no prebuilt one. `pnpm add better-sqlite3@12` adds it.
  const library = "better-sqlite3";
  try {
    return { library, Database: createRequire(import.meta.url)(library) as DatabaseClass };
  } catch {
    return undefined;
  }
}
