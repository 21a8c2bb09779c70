/** The contract of records in Chromium's IndexedDB, and what only a browser does. */
import { deleteDB, openDB } from "idb";
import { describe, expect, it } from "vitest";
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
});
