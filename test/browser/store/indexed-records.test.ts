/** The contract of records in Chromium's IndexedDB, and what only a browser does. */
import { deleteDB, openDB } from "idb";
import { describe, expect, it, vi } from "vitest";
import { indexedRecords } from "../../../src/browser/store/indexed-records.ts";
import { describeRecords } from "../../contract/record-store.ts";

let databases = 0;
describeRecords("in IndexedDB", async () => {
  databases += 1;
  const folder = `test-${databases}`;
  await deleteDB(`llmspell:${folder}`);
  return () => indexedRecords(folder);
});

describe("records in IndexedDB", () => {
  it("of a newer format are left alone, and said to be", async () => {
    await deleteDB("llmspell:newer");
    (await openDB("llmspell:newer", 7)).close();
    await expect(indexedRecords("newer")).rejects.toMatchObject({ code: "store-denied", hint: expect.stringContaining("newer llmspell") });
  });

  it("make way for another tab's newer format, and are opened again where the connection ended", async () => {
    await deleteDB("llmspell:way");
    const store = await indexedRecords("way");
    await store.put("a", "x", "1", 1e9);
    await deleteDB("llmspell:way"); // waits until every connection is closed
    expect(await store.get("a", "x")).toBeUndefined();
    await store.close();
  });

  it.each([
    [
      "throws for want of room",
      "store-quota",
      () => {
        throw new DOMException("", "QuotaExceededError");
      },
    ],
    [
      "is ended by the browser",
      "store-denied",
      (put: () => IDBRequest, { transaction }: IDBObjectStore) => {
        const request = put();
        transaction.abort();
        return request;
      },
    ],
  ] as const)("of which the last write %s are as before, and taken again after it", async (_, code, instead) => {
    await deleteDB("llmspell:ended");
    const store = await indexedRecords("ended");
    await store.put("a", "x", "1", 1e9);
    const { put } = IDBObjectStore.prototype;
    const spy = vi.spyOn(IDBObjectStore.prototype, "put").mockImplementation(function (this: IDBObjectStore, ...given) {
      // the count comes after its record
      return this.name === "counts" ? instead(() => put.apply(this, given), this) : put.apply(this, given);
    });
    await expect(store.put("a", "y", "22", 1e9)).rejects.toMatchObject({ code });
    spy.mockRestore();
    expect(await store.list("a")).toEqual(["x"]);
    expect(await store.put("a", "z", "1", 1e9)).toBe(6);
    await store.close();
  });
});
