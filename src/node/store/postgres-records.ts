/** Records in Postgres, for several machines: a schema of ours, a row for each record. Writes of one space come one after the other, so that its limit holds. */
import { createHash } from "node:crypto";
import type { RecordStore } from "../../core/platform.ts";
import { numberAfter, recordSize } from "../../core/store/record-size.ts";
import { textOf as name, openPostgres, type Sql, type Value } from "./postgres.ts";

const tables = {
  formats: "format",
  format: 1,
  statements: [
    // names may be longer than an index takes: `id` is their hash
    "CREATE TABLE IF NOT EXISTS llmspell.records (space text NOT NULL, id text NOT NULL, place text NOT NULL, key text NOT NULL, value text NOT NULL, size bigint NOT NULL, PRIMARY KEY (space, id))",
    "CREATE INDEX IF NOT EXISTS records_place ON llmspell.records (space, md5(place))",
  ],
};

/**
 * @param url `postgres://user:password@host:5432/database`, with `?sslmode=require` where the server is elsewhere
 * @param space records of several spaces know nothing of each other
 * @throws SpellError store-denied, store-full, store-locked
 */
export async function postgresRecords(url: string, space: string): Promise<RecordStore> {
  const { sql, place, guarded } = await openPostgres(url, tables);
  const ask = (query: string, ...values: readonly Value[]) => guarded(() => sql.unsafe(query, values));
  const texts = async (column: string, query: string, ...values: readonly Value[]): Promise<readonly string[]> =>
    (await ask(query, ...values)).map((row) => JSON.parse(String(row[column])) as string);
  /** One after the other, in all processes. */
  const change = <T>(work: (transaction: Sql) => Promise<T>): Promise<T> =>
    guarded(() =>
      sql.begin(async (transaction) => {
        await transaction.unsafe("SELECT pg_advisory_xact_lock(hashtext($1))", [`llmspell ${space}`]);
        return work(transaction);
      }),
    );
  const keep = (transaction: Sql, table: string, key: string, value: string) => {
    const insert =
      "INSERT INTO llmspell.records (space, id, place, key, value, size) VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (space, id) DO UPDATE SET value = excluded.value, size = excluded.size";
    return transaction.unsafe(insert, [space, idOf(table, key), name(table), name(key), value, recordSize(table, key, value)]);
  };
  const inPlace = "space = $1 AND md5(place) = md5($2) AND place = $2";

  return {
    place,
    async get(table, key) {
      const [row] = await ask("SELECT value FROM llmspell.records WHERE space = $1 AND id = $2", space, idOf(table, key));
      return row === undefined ? undefined : String(row["value"]);
    },
    put: (table, key, value, most) =>
      change(async (transaction) => {
        const query = "SELECT coalesce(sum(size), 0) AS bytes FROM llmspell.records WHERE space = $1 AND id <> $2";
        const [others] = await transaction.unsafe(query, [space, idOf(table, key)]);
        const all = Number(others?.["bytes"]) + recordSize(table, key, value);
        if (all <= most) await keep(transaction, table, key, value);
        return all;
      }),
    next: (table, key, least) =>
      change(async (transaction) => {
        const query = "SELECT value FROM llmspell.records WHERE space = $1 AND id = $2";
        const [row] = await transaction.unsafe(query, [space, idOf(table, key)]);
        const number = numberAfter(row === undefined ? undefined : String(row["value"]), least);
        await keep(transaction, table, key, String(number));
        return number;
      }),
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

function idOf(table: string, key: string): string {
  return createHash("sha256")
    .update(JSON.stringify([table, key]))
    .digest("hex");
}
