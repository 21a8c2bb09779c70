/** Records in IndexedDB: any number of tabs, strict durability. Each folder is a database of its own. */
import { type DBSchema, type IDBPDatabase, type IDBPObjectStore, openDB } from "idb";
import { messageOf, SpellError } from "../../core/errors.ts";
import type { RecordStore } from "../../core/platform.ts";
import { numberAfter, recordSize } from "../../core/store/record-size.ts";

interface Records extends DBSchema {
  records: { key: [table: string, key: string]; value: { readonly value: string; readonly size: number } };
  /** `bytes`: of all records, changed with them */
  counts: { key: string; value: number };
}

/** @throws SpellError store-denied, store-quota */
export async function indexedRecords(folder: string): Promise<RecordStore> {
  const name = `llmspell:${folder}`;
  let opened: Promise<IDBPDatabase<Records>> | undefined;
  const database = (): Promise<IDBPDatabase<Records>> =>
    (opened ??= openDB<Records>(name, 1, {
      upgrade(made) {
        made.createObjectStore("records");
        made.createObjectStore("counts");
      },
      // another tab brings a newer format, or the browser ended the connection
      blocking: () => void close(),
      terminated: () => (opened = undefined),
    }));
  const close = async (): Promise<void> => {
    const ending = opened;
    opened = undefined;
    await ending?.then(
      (made) => made.close(),
      () => undefined,
    );
  };
  const guarded = async <T>(work: (made: IDBPDatabase<Records>) => Promise<T>): Promise<T> => {
    try {
      return await work(await database());
    } catch (error) {
      await close();
      throw storeError(name, error);
    }
  };
  const look = <T>(work: (records: Reading) => Promise<T>): Promise<T> =>
    guarded((made) => {
      const transaction = made.transaction("records");
      transaction.done.catch(() => undefined); // its requests fail with it
      return work(transaction.store);
    });
  /** @param work gives its result and by how many bytes the records grow; undefined: nothing is written */
  const change = <T>(work: (records: Changing, bytes: number) => Promise<{ readonly result: T; readonly growth?: number }>): Promise<T> =>
    guarded(async (made) => {
      const transaction = made.transaction(["records", "counts"], "readwrite", { durability: "strict" });
      const counts = transaction.objectStore("counts");
      const ended = transaction.done.then(
        () => undefined,
        (error: unknown) => ({ error }),
      );
      try {
        const bytes = (await counts.get("bytes")) ?? 0;
        const { result, growth } = await work(transaction.objectStore("records"), bytes);
        if (growth !== undefined) await counts.put(bytes + growth, "bytes");
        await transaction.done;
        return result;
      } catch (error) {
        stop(transaction);
        // requests of a transaction that ended for want of room say no more than that they were aborted
        throw isAborted(error) ? ((await ended)?.error ?? error) : error;
      }
    });

  await guarded(async () => undefined);
  return {
    place: name,
    get: (table, key) => look(async (records) => (await records.get([table, key]))?.value),
    put: (table, key, value, most) =>
      change(async (records, bytes) => {
        const size = recordSize(table, key, value);
        const growth = size - ((await records.get([table, key]))?.size ?? 0);
        if (bytes + growth > most) return { result: bytes + growth };
        await records.put({ value, size }, [table, key]);
        return { result: bytes + growth, growth };
      }),
    next: (table, key, least) =>
      change(async (records) => {
        const last = await records.get([table, key]);
        const number = numberAfter(last?.value, least);
        const size = recordSize(table, key, String(number));
        await records.put({ value: String(number), size }, [table, key]);
        return { result: number, growth: size - (last?.size ?? 0) };
      }),
    remove: (table, key) =>
      change(async (records) => {
        const there = await records.get([table, key]);
        if (there === undefined) return { result: false };
        await records.delete([table, key]);
        return { result: true, growth: -there.size };
      }),
    list: (table) => look(async (records) => (await records.getAllKeys(within(table))).map(([, key]) => key)),
    entries: (table) =>
      look(async (records) => {
        const [keys, values] = await Promise.all([records.getAllKeys(within(table)), records.getAll(within(table))]);
        return keys.map(([, key], i) => [key, values[i]?.value ?? ""] as const);
      }),
    tables: () =>
      look(async (records) => {
        const tables: string[] = [];
        let cursor = await records.openKeyCursor();
        while (cursor !== null) {
          const [table] = cursor.key;
          tables.push(table);
          cursor = await cursor.continue(behind(table));
        }
        return tables;
      }),
    clear: (table) =>
      change(async (records) => {
        const all = await records.getAll(within(table));
        await records.delete(within(table));
        return { result: all.length, growth: -all.reduce((sum, { size }) => sum + size, 0) };
      }),
    close,
  };
}

type Reading = IDBPObjectStore<Records, ["records"], "records", "readonly">;
type Changing = IDBPObjectStore<Records, ("records" | "counts")[], "records", "readwrite">;

/** Arrays come behind all texts. */
function behind(table: string): [string, string] {
  return [table, []] as unknown as [string, string];
}

function within(table: string): IDBKeyRange {
  return IDBKeyRange.bound([table], behind(table));
}

/** Nothing of it is kept. */
function stop(transaction: { abort(): void }): void {
  try {
    transaction.abort();
  } catch {
    // it has ended
  }
}

function isAborted(error: unknown): boolean {
  return error instanceof DOMException && error.name === "AbortError";
}

function storeError(name: string, error: unknown): SpellError {
  if (error instanceof SpellError) return error;
  const kind = (error as { readonly name?: unknown }).name;
  if (kind === "QuotaExceededError")
    return new SpellError("store-quota", `${name}: the browser gives no more room`, {
      where: name,
      hint: "Remove what is kept in this page: old sessions and artifacts, values of State, stored models.",
      cause: error,
    });
  return new SpellError("store-denied", `cannot use the browser's storage ${name}: ${messageOf(error)}`, {
    where: name,
    hint:
      kind === "VersionError"
        ? "A newer llmspell wrote it: load the page again."
        : "Pages in private windows, and without storage for sites, keep nothing.",
    cause: error,
  });
}
