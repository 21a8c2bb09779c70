/** Records in a SQLite database: `records.sqlite` in a folder. Real locks let several processes write; each write is on the disk when it returns. */
import { closeSync, openSync, renameSync, statSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { messageOf, SpellError } from "../../core/errors.ts";
import type { LogEntry, RecordStore } from "../../core/platform.ts";
import { numberAfter, recordSize } from "../../core/store/record-size.ts";
import { errnoOf, isMissing } from "../errno.ts";
import { makeFolder } from "../make-folder.ts";
import { type OpenSqlite, type Sqlite, sqliteCode } from "./sqlite.ts";

// for who imports this: both are one file of the package then
export { findSqlite } from "./sqlite.ts";

/** Of the tables below. A database of a later one is left alone. */
const format = 1;
const schema = `CREATE TABLE IF NOT EXISTS records (place TEXT NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL, size INTEGER NOT NULL, PRIMARY KEY (place, key));
CREATE INDEX IF NOT EXISTS records_size ON records (size);
PRAGMA user_version = ${format};`;
/** Another process holds the lock for one write; a longer wait than this is a process that hangs. */
const longestWaitMs = 10_000;

const [perm, busy, locked, readonly, inputOutput, corrupt, full, cantOpen, notADatabase] = [3, 5, 6, 8, 10, 11, 13, 14, 26];

/**
 * Opens or makes the database. A damaged one is set aside beside it, which is logged, and an empty one takes its place.
 * @throws SpellError store-denied, store-locked, store-full
 */
export async function sqliteRecords(folder: string, openSqlite: OpenSqlite, log: (entry: LogEntry) => void): Promise<RecordStore> {
  const path = join(folder, "records.sqlite");
  let open: { readonly database: Sqlite; readonly file: number } | undefined;

  const connect = (): Sqlite => {
    if (open !== undefined) return open.database;
    makeFolder(folder);
    closeSync(openSync(path, "a", 0o600)); // SQLite would let the group read it
    const database = openSqlite(path);
    try {
      database.exec("PRAGMA busy_timeout = 20");
      database.exec("PRAGMA journal_mode = WAL");
      database.exec("PRAGMA synchronous = FULL");
      const { user_version: version } = database.prepare("PRAGMA user_version").get() as { readonly user_version: number };
      if (version > format)
        throw new SpellError("store-denied", `${path}: expected format ${format}, got ${version}, of a newer llmspell`, {
          where: path,
          hint: "Update llmspell, or choose another folder.",
        });
      if (version < format) database.exec(`BEGIN IMMEDIATE; ${schema} COMMIT;`);
    } catch (error) {
      database.close();
      throw error;
    }
    open = { database, file: statSync(path).ino };
    return database;
  };
  const disconnect = (): void => {
    try {
      open?.database.close();
    } catch {
      // a damaged one may not close
    }
    open = undefined;
  };

  /** Another process may have set it aside already: then the file of that name is a new one. */
  const setAside = (file: number | undefined): void => {
    if (file !== undefined && inodeOf(path) !== file) return;
    const name = `${path}.damaged-${new Date().toISOString().replace(/[:.]/g, "-")}`;
    for (const end of ["", "-wal", "-shm"]) {
      try {
        renameSync(path + end, name + end);
      } catch (error) {
        if (!isMissing(error)) throw error;
      }
    }
    log({ level: "warn", message: `${path} is damaged; it was set aside as ${name}, and an empty one takes its place` });
  };

  const read = async <T>(work: (database: Sqlite) => T): Promise<T> => {
    const until = performance.now() + longestWaitMs;
    let isNew = false;
    for (;;) {
      try {
        return work(connect());
      } catch (error) {
        const code = sqliteCode(error);
        if ((code === busy || code === locked) && performance.now() < until) await wait(2 + Math.random() * 20);
        else if ((code === corrupt || code === notADatabase) && !isNew) {
          isNew = true;
          const file = open?.file;
          disconnect();
          setAside(file);
        } else throw storeError(path, error);
      }
    }
  };
  /** All or nothing. */
  const write = <T>(work: (database: Sqlite) => T): Promise<T> =>
    read((database) => {
      database.exec("BEGIN IMMEDIATE");
      try {
        const result = work(database);
        database.exec("COMMIT");
        return result;
      } catch (error) {
        rollBack(database);
        throw error;
      }
    });

  const textIn = (database: Sqlite, table: string, key: string): string | undefined => {
    const row = database.prepare("SELECT value FROM records WHERE place = ? AND key = ?").get(name(table), name(key));
    return (row as { readonly value: string } | undefined)?.value;
  };
  const keep = (database: Sqlite, table: string, key: string, value: string): void => {
    const insert =
      "INSERT INTO records (place, key, value, size) VALUES (?, ?, ?, ?) ON CONFLICT (place, key) DO UPDATE SET value = excluded.value, size = excluded.size";
    database.prepare(insert).run(name(table), name(key), value, recordSize(table, key, value));
  };

  await read(() => undefined);
  return {
    place: path,
    get: (table, key) => read((database) => textIn(database, table, key)),
    put: (table, key, value, most) =>
      write((database) => {
        const others = database.prepare(
          "SELECT (SELECT coalesce(sum(size), 0) FROM records) - coalesce((SELECT size FROM records WHERE place = ? AND key = ?), 0) AS bytes",
        );
        const size = (others.get(name(table), name(key)) as { readonly bytes: number }).bytes + recordSize(table, key, value);
        if (size <= most) keep(database, table, key, value);
        return size;
      }),
    next: (table, key, least) =>
      write((database) => {
        const number = numberAfter(textIn(database, table, key), least);
        keep(database, table, key, String(number));
        return number;
      }),
    remove: (table, key) =>
      write(
        (database) => Number(database.prepare("DELETE FROM records WHERE place = ? AND key = ?").run(name(table), name(key)).changes) > 0,
      ),
    list: (table) =>
      read((database) => {
        const rows = database.prepare("SELECT key FROM records WHERE place = ?").all(name(table));
        return (rows as readonly { readonly key: string }[]).map(({ key }) => JSON.parse(key) as string);
      }),
    entries: (table) =>
      read((database) => {
        const rows = database.prepare("SELECT key, value FROM records WHERE place = ?").all(name(table));
        return (rows as readonly { readonly key: string; readonly value: string }[]).map(
          ({ key, value }) => [JSON.parse(key) as string, value] as const,
        );
      }),
    tables: () =>
      read((database) => {
        const rows = database.prepare("SELECT DISTINCT place FROM records").all();
        return (rows as readonly { readonly place: string }[]).map(({ place }) => JSON.parse(place) as string);
      }),
    clear: (table) => write((database) => Number(database.prepare("DELETE FROM records WHERE place = ?").run(name(table)).changes)),
    close: async () => disconnect(),
  };
}

/** A name as JSON: texts of SQLite are UTF-8 without NUL, names are any text. */
function name(text: string): string {
  return JSON.stringify(text);
}

function inodeOf(path: string): number | undefined {
  return statSync(path, { throwIfNoEntry: false })?.ino;
}

function rollBack(database: Sqlite): void {
  try {
    database.exec("ROLLBACK");
  } catch {
    // SQLite has done so itself
  }
}

function storeError(path: string, error: unknown): SpellError {
  if (error instanceof SpellError) return error;
  const code = sqliteCode(error);
  const errno = code === undefined ? errnoOf(error) : undefined;
  const about = { where: path, cause: error };
  if (code === busy || code === locked) return new SpellError("store-locked", `${path} is held by another process`, about);
  if (code === full || errno === "ENOSPC") return new SpellError("store-full", `${path}: no room left on its disk`, about);
  if (code === inputOutput)
    return new SpellError("store-denied", `cannot use ${path}: ${messageOf(error)}`, {
      ...about,
      hint: "The system refused to read or write it: look at limits of files (ulimit -f), and at the disk.",
    });
  if ([perm, readonly, cantOpen].includes(code ?? 0) || errno !== undefined)
    return new SpellError("store-denied", `cannot use ${path}: ${messageOf(error)}`, {
      ...about,
      hint: "Check the permissions of the folder.",
    });
  return new SpellError(code === undefined ? "internal-error" : "store-corrupt", `${path}: ${messageOf(error)}`, about);
}
