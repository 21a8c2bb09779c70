/** A Postgres database as our stores use it: opened, its tables made once, its failures in our words. */
import { messageOf, SpellError } from "../../core/errors.ts";
import { installCommand, isInstalled, requirePackage } from "../engines/packages.ts";

/** Of the lock under which tables are made: any number, the same for all. */
const makingLock = 7_364_512;

export type Value = string | number;
/** What we use of the package postgres. */
export interface Sql {
  unsafe(query: string, values?: readonly Value[]): Promise<readonly Readonly<Record<string, unknown>>[] & { readonly count: number }>;
  begin<T>(work: (sql: Sql) => Promise<T>): Promise<T>;
  end(options: { readonly timeout: number }): Promise<void>;
}
type Postgres = (url: string, options: object) => Sql;

export interface Database {
  readonly sql: Sql;
  /** without user and password, for messages */
  readonly place: string;
  /** @throws SpellError store-* in place of what the driver throws */
  guarded<T>(work: () => Promise<T>): Promise<T>;
}

/** Tables that belong together, and the table that says of which format they are. */
export interface Tables {
  /** such as "format": in the schema llmspell */
  readonly formats: string;
  /** A database of a later one is left alone. */
  readonly format: number;
  readonly statements: readonly string[];
}

/**
 * @param url `postgres://user:password@host:5432/database`, with `?sslmode=require` where the server is elsewhere
 * @param before asked in the transaction that makes tables, and only then
 * @throws SpellError store-denied, store-full, store-locked, and what `before` throws
 */
export async function openPostgres(url: string, tables: Tables, before?: (sql: Sql) => Promise<void>): Promise<Database> {
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
  try {
    await guarded(() => prepare(sql, place, tables, before));
  } catch (error) {
    await sql.end({ timeout: 1 });
    throw error;
  }
  return { sql, place, guarded };
}

/** Makes what is not there. A user who may not make anything can use what another has made. */
async function prepare(
  sql: Sql,
  place: string,
  { formats, format, statements }: Tables,
  before?: (sql: Sql) => Promise<void>,
): Promise<void> {
  const known = async (): Promise<number | undefined> => {
    const [there] = await sql.unsafe(`SELECT to_regclass('llmspell.${formats}')::text AS name`);
    if (there?.["name"] === null || there?.["name"] === undefined) return undefined;
    const [row] = await sql.unsafe(`SELECT max(version) AS version FROM llmspell.${formats}`);
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
    await before?.(transaction);
    for (const statement of [
      "CREATE SCHEMA IF NOT EXISTS llmspell",
      `CREATE TABLE IF NOT EXISTS llmspell.${formats} (version integer PRIMARY KEY)`,
      ...statements,
      `INSERT INTO llmspell.${formats} (version) VALUES (${format}) ON CONFLICT DO NOTHING`,
    ])
      await transaction.unsafe(statement);
  });
}

/** A name as JSON: texts of Postgres hold no NUL, names are any text. */
export function textOf(text: string): string {
  return JSON.stringify(text);
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

/** SQLSTATE of a failure, such as 53100; empty where it has none. */
export function stateOf(error: unknown): string {
  const { code } = error as { readonly code?: unknown };
  return typeof code === "string" ? code : "";
}

/** By the class of SQLSTATE. Source: https://www.postgresql.org/docs/current/errcodes-appendix.html */
function storeError(place: string, error: unknown): SpellError {
  if (error instanceof SpellError) return error;
  const state = stateOf(error);
  const about = { where: place, cause: error };
  if (state === "53100") return new SpellError("store-full", `${place}: no room left on its disk`, about);
  if (/^(40|55|53)/.test(state))
    return new SpellError("store-locked", `${place} is busy: ${messageOf(error)}`, { ...about, hint: "Try again." });
  const isAway = /^E[A-Z]+$/.test(state) || /^(CONNECT|CONNECTION_)/.test(state) || /^(08|57P)/.test(state);
  return new SpellError("store-denied", isAway ? `${place} does not answer: ${messageOf(error)}` : `${place}: ${messageOf(error)}`, {
    ...about,
    hint: isAway ? "Check that the server runs and can be reached." : "Check the user, its rights, and the name of the database.",
  });
}
