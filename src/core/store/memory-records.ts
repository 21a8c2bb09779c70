/** Records of this process: they go with the object. */
import type { RecordStore } from "../platform.ts";
import { numberAfter, recordSize } from "./record-size.ts";

export function memoryRecords(): RecordStore {
  const tables = new Map<string, Map<string, string>>();
  let bytes = 0;
  const sizeOf = (table: string, key: string): number => {
    const value = tables.get(table)?.get(key);
    return value === undefined ? 0 : recordSize(table, key, value);
  };
  const drop = (table: string, key: string): void => {
    const records = tables.get(table);
    bytes -= sizeOf(table, key);
    records?.delete(key);
    if (records?.size === 0) tables.delete(table);
  };
  const put = (table: string, key: string, value: string, most: number): number => {
    const size = bytes - sizeOf(table, key) + recordSize(table, key, value);
    if (size > most) return size;
    const records = tables.get(table) ?? new Map<string, string>();
    tables.set(table, records.set(key, value));
    bytes = size;
    return size;
  };
  return {
    place: "memory",
    get: async (table, key) => tables.get(table)?.get(key),
    put: async (...given) => put(...given),
    async next(table, key, least) {
      const number = numberAfter(tables.get(table)?.get(key), least);
      put(table, key, String(number), Number.POSITIVE_INFINITY);
      return number;
    },
    async remove(table, key) {
      const isThere = tables.get(table)?.has(key) === true;
      if (isThere) drop(table, key);
      return isThere;
    },
    list: async (table) => [...(tables.get(table)?.keys() ?? [])],
    entries: async (table) => [...(tables.get(table) ?? [])],
    tables: async () => [...tables.keys()],
    async clear(table) {
      const keys = [...(tables.get(table)?.keys() ?? [])];
      for (const key of keys) drop(table, key);
      return keys.length;
    },
    close: async () => undefined,
  };
}
