/** Records in Postgres, for several machines: a schema of ours, a row for each record. Writes of one space come one after the other, so that its limit holds. */
import { createHash } from "node:crypto";
import { messageOf, SpellError } from "../../core/errors.ts";
import type { RecordStore } from "../../core/platform.ts";
import { recordSize } from "../../core/store/record-size.ts";
import { installCommand, isInstalled, requirePackage } from "../engines/packages.ts";
import { errnoOf } from "../errno.ts";

/** Of the tables below. A database of a later one is left alone. */
const format = 1;
/** Of the lock under which tables are made: any number, the same for all. */
const makingLock = 7_364_512;

type Value = string | number;
/** What we use of the package postgres. */
interface Sql {
  unsafe(query: string, values?: readonly Value[]): Promise<readonly Readonly<Record<string, unknown>>[] & { readonly count: number }>;
  begin<T>(work: (sql: Sql) => Promise<T>): Promise<T>;
  end(options: { readonly timeout: number }): Promise<void>;
}
type Postgres = (url: string, options: object) => Sql;

/**
 * @param url `postgres://user:password@host:5432/database`, with `?sslmode=require` where the server is elsewhere
 * @param space records of several spaces know nothing of each other
 * @throws SpellError store-denied, store-full, store-locked
 */
export async function postgresRecords(url: string, space: string): Promise<RecordStore> {
  const place = placeOf(url);
  if (!isInstalled("postgres")) {
    throw new SpellError("store-denied", `${place}: the package postgres is not installed`, {
      where: "postgres",
      hint: "Install the package.",
      actions: [{ kind: "shell", line: installCommand("postgres") }],
    });
  }
  const sql = (requirePackage("postgres") as Postgres)(url, {
    max: 4,
    // an idle connection would hold the process
    idle_timeout: 5,
    connect_timeout: 10,
    // servers behind a pooler keep no prepared statements
    prepare: false,
    onnotice: () => undefined,
    connection: { application_name: "llmspell" },
  });
  const guarded = async <T>(work: () => Promise<T>): Promise<T> => {
    try {
      return await work();
    } catch (error) {
      throw storeError(place, error);
    }
  };
  const ask = (query: string, ...values: readonly Value[]) => guarded(() => sql.unsafe(query, values));
  const texts = async (column: string, query: string, ...values: readonly Value[]): Promise<readonly string[]> =>
    (await ask(query, ...values)).map((row) => JSON.parse(String(row[column])) as string);
  const inPlace = "space = $1 AND md5(place) = md5($2) AND place = $2";

  try {
    await guarded(() => prepare(sql, place));
  } catch (error) {
    await sql.end({ timeout: 1 });
    throw error;
  }
  return {
    place,
    async get(table, key) {
      const [row] = await ask("SELECT value FROM llmspell.records WHERE space = $1 AND id = $2", space, idOf(table, key));
      return row === undefined ? undefined : String(row["value"]);
    },
    put(table, key, value, most) {
      const size = recordSize(table, key, value);
      return guarded(() =>
        sql.begin(async (transaction) => {
          await transaction.unsafe("SELECT pg_advisory_xact_lock(hashtext($1))", [`llmspell ${space}`]);
          const id = idOf(table, key);
          const query = "SELECT coalesce(sum(size), 0) AS bytes FROM llmspell.records WHERE space = $1 AND id <> $2";
          const [others] = await transaction.unsafe(query, [space, id]);
          const all = Number(others?.["bytes"]) + size;
          if (all <= most) {
            const insert =
              "INSERT INTO llmspell.records (space, id, place, key, value, size) VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (space, id) DO UPDATE SET value = excluded.value, size = excluded.size";
            await transaction.unsafe(insert, [space, id, name(table), name(key), value, size]);
          }
          return all;
        }),
      );
    },
    remove: async (table, key) =>
      (await ask("DELETE FROM llmspell.records WHERE space = $1 AND id = $2", space, idOf(table, key))).count > 0,
    list: (table) => texts("key", `SELECT key FROM llmspell.records WHERE ${inPlace}`, space, name(table)),
    async entries(table) {
      const rows = await ask(`SELECT key, value FROM llmspell.records WHERE ${inPlace}`, space, name(table));
      return rows.map(({ key, value }) => [JSON.parse(String(key)) as string, String(value)] as const);
    },
    tables: () => texts("place", "SELECT DISTINCT place FROM llmspell.records WHERE space = $1", space),
    clear: async (table) => (await ask(`DELETE FROM llmspell.records WHERE ${inPlace}`, space, name(table))).count,
    close: () => sql.end({ timeout: 5 }),
  };
}

/** Makes what is not there. A user who may not make anything can use what another has made. */
async function prepare(sql: Sql, place: string): Promise<void> {
  const known = async (): Promise<number | undefined> => {
    const [there] = await sql.unsafe("SELECT to_regclass('llmspell.format')::text AS name");
    if (there?.["name"] === null || there?.["name"] === undefined) return undefined;
    const [row] = await sql.unsafe("SELECT max(version) AS version FROM llmspell.format");
    return Number(row?.["version"] ?? 0);
  };
  const version = (await known()) ?? 0;
  if (version > format) {
    throw new SpellError("store-denied", `${place}: expected format ${format}, got ${version}, of a newer llmspell`, {
      where: place,
      hint: "Update llmspell, or take another database.",
    });
  }
  if (version === format) return;
  await sql.begin(async (transaction) => {
    await transaction.unsafe("SELECT pg_advisory_xact_lock($1)", [makingLock]);
    for (const statement of [
      "CREATE SCHEMA IF NOT EXISTS llmspell",
      "CREATE TABLE IF NOT EXISTS llmspell.format (version integer PRIMARY KEY)",
      // names may be longer than an index takes: `id` is their hash
      "CREATE TABLE IF NOT EXISTS llmspell.records (space text NOT NULL, id text NOT NULL, place text NOT NULL, key text NOT NULL, value text NOT NULL, size bigint NOT NULL, PRIMARY KEY (space, id))",
      "CREATE INDEX IF NOT EXISTS records_place ON llmspell.records (space, md5(place))",
      `INSERT INTO llmspell.format (version) VALUES (${format}) ON CONFLICT DO NOTHING`,
    ])
      await transaction.unsafe(statement);
  });
}

/** A name as JSON: texts of Postgres hold no NUL, names are any text. */
function name(text: string): string {
  return JSON.stringify(text);
}

function idOf(table: string, key: string): string {
  return createHash("sha256")
    .update(JSON.stringify([table, key]))
    .digest("hex");
}

/** Without user and password. */
function placeOf(url: string): string {
  if (!URL.canParse(url) || !/^postgres(ql)?:$/.test(new URL(url).protocol)) {
    throw new SpellError("store-denied", "storage.postgres_url: expected postgres://user:password@host:5432/database, got something else", {
      where: "storage.postgres_url",
      hint: "Correct the address.",
    });
  }
  const { host, pathname } = new URL(url);
  return `postgres://${host}${pathname}`;
}

/** By the class of SQLSTATE. Source: https://www.postgresql.org/docs/current/errcodes-appendix.html */
function storeError(place: string, error: unknown): SpellError {
  if (error instanceof SpellError) return error;
  const { code } = error as { readonly code?: unknown };
  const state = typeof code === "string" ? code : "";
  const about = { where: place, cause: error };
  if (state === "53100") return new SpellError("store-full", `${place}: no room left on its disk`, about);
  if (/^(40|55|53)/.test(state))
    return new SpellError("store-locked", `${place} is busy: ${messageOf(error)}`, { ...about, hint: "Try again." });
  const isAway = errnoOf(error) !== undefined || /^(CONNECT|CONNECTION_)/.test(state) || /^(08|57P)/.test(state);
  return new SpellError("store-denied", isAway ? `${place} does not answer: ${messageOf(error)}` : `${place}: ${messageOf(error)}`, {
    ...about,
    hint: isAway ? "Check that the server runs and can be reached." : "Check the user, its rights, and the name of the database.",
  });
}
