/** What every RecordStore promises. One suite; it runs in memory, on SQLite in Node, and on a browser's IndexedDB. */
import { beforeEach, describe, expect, it } from "vitest";
import type { RecordStore } from "../../src/core/platform.ts";
import { recordSize } from "../../src/core/store/record-size.ts";

/** @returns a function that opens the same empty store again, as another process or tab would */
export type CreateRecords = () => Promise<() => Promise<RecordStore>>;

const plenty = 1e9;
const strangeNames = [
  "",
  " ",
  "a\0b",
  "é",
  "e\u0301",
  "😀",
  "\ud800",
  "a/b\\c",
  "__proto__",
  "constructor",
  "'; DROP TABLE records; --",
  "%",
  "x".repeat(5000),
];

export function describeRecords(name: string, create: CreateRecords): void {
  describe(`a RecordStore ${name}`, () => {
    let open: () => Promise<RecordStore>;
    let store: RecordStore;
    beforeEach(async () => {
      open = await create();
      store = await open();
    });

    it("keeps values by table and key, and gives nothing where there is none", async () => {
      expect(await store.get("a", "x")).toBeUndefined();
      expect(await store.list("a")).toEqual([]);
      expect(await store.tables()).toEqual([]);
      await store.put("a", "x", "1", plenty);
      await store.put("a", "y", "2", plenty);
      await store.put("b", "x", "3", plenty);
      await store.put("a", "x", "4", plenty);
      expect(await Promise.all([store.get("a", "x"), store.get("a", "y"), store.get("b", "x"), store.get("b", "y")])).toEqual([
        "4",
        "2",
        "3",
        undefined,
      ]);
      expect([...(await store.list("a"))].sort()).toEqual(["x", "y"]);
      expect([...(await store.entries("a"))].sort()).toEqual([
        ["x", "4"],
        ["y", "2"],
      ]);
      expect(await store.entries("c")).toEqual([]);
      expect([...(await store.tables())].sort()).toEqual(["a", "b"]);
      expect([await store.remove("b", "x"), await store.remove("b", "x"), await store.remove("c", "x")]).toEqual([true, false, false]);
      expect(await store.tables()).toEqual(["a"]);
      expect([await store.clear("a"), await store.clear("a")]).toEqual([2, 0]);
      expect(await store.tables()).toEqual([]);
    });

    it("takes any text as a name, and gives it back as it was", async () => {
      for (const [i, table] of strangeNames.entries())
        for (const key of strangeNames.slice(i)) await store.put(table, key, JSON.stringify(key), plenty);
      expect([...(await store.tables())].sort()).toEqual([...strangeNames].sort());
      expect([...(await store.list(""))].sort()).toEqual([...strangeNames].sort());
      for (const key of strangeNames) expect(JSON.parse((await store.get("", key)) ?? "")).toBe(key);
      for (const [key, value] of await store.entries("")) expect(JSON.parse(value)).toBe(key);
      expect(await store.get(" ", "")).toBeUndefined();
    });

    it("keeps values of any length", async () => {
      for (const value of ["", '""', JSON.stringify("é\u2028\0".repeat(9)), `"${"x".repeat(1_000_000)}"`]) {
        await store.put("a", "x", value, plenty);
        expect(await store.get("a", "x")).toBe(value);
      }
    });

    it("counts the bytes of all records, and writes nothing beyond the limit", async () => {
      const one = recordSize("t", "é", '"1"');
      expect(one).toBe(6);
      expect(await store.put("t", "é", '"1"', one)).toBe(one);
      expect(await store.put("t", "b", '"1"', 2 * one - 2)).toBe(2 * one - 1);
      expect(await store.get("t", "b")).toBeUndefined();
      expect(await store.put("t", "é", '"22"', one + 1)).toBe(one + 1);
      expect(await store.put("u", "b", '"1"', 2 * one)).toBe(2 * one);
      await store.remove("t", "é");
      expect(await store.put("u", "c", '"1"', 2 * one - 2)).toBe(2 * one - 2);
      await store.clear("u");
      expect(await store.put("u", "c", '"1"', 5)).toBe(5);
    });

    it("counts in a record: each number once, whoever asks, and from the least on", async () => {
      expect([await store.next("a", "n", 1), await store.next("a", "n", 1), await store.next("a", "m", 5)]).toEqual([1, 2, 5]);
      expect([await store.next("a", "n", 9), await store.next("a", "n", 3)]).toEqual([9, 10]);
      expect(await store.get("a", "n")).toBe("10");
      expect(await store.put("b", "", "", plenty)).toBe(recordSize("a", "n", "10") + recordSize("a", "m", "5") + 1);
      const others = await Promise.all([open(), open(), open()]);
      const given = await Promise.all(others.flatMap((other) => Array.from({ length: 20 }, () => other.next("a", "n", 1))));
      expect(given.sort((a, b) => a - b)).toEqual(Array.from({ length: 60 }, (_, i) => i + 11));
      for (const other of others) await other.close();
      await store.clear("a");
      expect(await store.next("a", "n", 1)).toBe(1);
    });

    it("serves several openers at once: none loses what another wrote, and all see it", async () => {
      const others = await Promise.all([open(), open(), open()]);
      await Promise.all(
        others.flatMap((other, writer) => Array.from({ length: 20 }, (_, i) => other.put("a", `${writer}-${i}`, String(i), plenty))),
      );
      expect(await store.list("a")).toHaveLength(60);
      await others[0]?.put("a", "last", "1", plenty);
      expect(await others[2]?.get("a", "last")).toBe("1");
      expect(await store.put("a", "z", "1", 0)).toBe(
        recordSize("a", "last", "1") +
          recordSize("a", "z", "1") +
          3 * Array.from({ length: 20 }, (_, i) => recordSize("a", `0-${i}`, String(i))).reduce((x, y) => x + y),
      );
      for (const other of others) await other.close();
    });
  });
}
