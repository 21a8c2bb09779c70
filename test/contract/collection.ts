/** What an index promises in every SearchFolder: the same bytes, the same answers. One suite; it runs in memory, on the disk, and in a browser. */
import { beforeEach, describe, expect, it } from "vitest";
import type { SearchFolder } from "../../src/core/platform.ts";
import { openCollection } from "../../src/core/search/collection.ts";
import { lexicalVector } from "../../src/core/search/lexical.ts";
import type { Collection, CollectionSettings, IndexedDocument } from "../../src/core/spec/search-index.ts";
import { storedIndex } from "../fixtures/stored-index.ts";
import type { CreateFolder } from "./search-folder.ts";

const dimensions = 32;
export const collectionSettings: CollectionSettings = { embedder: { id: "lexical", dimensions }, metric: "cosine", storeText: true };

export function documentOf(id: string, ...texts: readonly string[]): IndexedDocument {
  return {
    id,
    metadata: { id },
    chunks: texts.map((text, i) => ({
      text,
      headings: ["Notes"],
      start: i * 100,
      end: i * 100 + text.length,
      hash: text,
      vector: lexicalVector(text, dimensions),
    })),
  };
}

/** Documents of the stored index. */
export const notes: readonly IndexedDocument[] = [
  documentOf("garden", "Water the tomatoes in the morning.", "Cut the hedge in autumn."),
  documentOf("kitchen", "Tomatoes and basil make a sauce.", "東京で寿司を食べる。"),
  documentOf("workshop", "Oil the saw before winter."),
];

const ask = async (collection: Collection, text: string): Promise<readonly string[]> =>
  (await collection.search({ text, vector: lexicalVector(text, dimensions), k: 2, hybridWeight: 0.3 })).map(
    ({ document, chunk, score }) => `${document}/${chunk} ${score.toFixed(6)}`,
  );

export function describeCollection(name: string, create: CreateFolder): void {
  describe(`an index ${name}`, () => {
    let open: () => Promise<SearchFolder>;
    beforeEach(async () => {
      open = await create();
    });

    it("that was stored by an earlier version is read, with the same answers everywhere", async () => {
      await (await open()).write(storedIndex.name, [Uint8Array.from(atob(storedIndex.bytes), (each) => each.charCodeAt(0))]);
      const collection = await openCollection(await open(), collectionSettings);
      expect(collection.documents()).toEqual(["garden", "kitchen", "workshop"]);
      for (const [question, answers] of Object.entries(storedIndex.answers)) expect(await ask(collection, question)).toEqual(answers);
      expect((await collection.chunksOf("kitchen"))[1]?.text).toBe("東京で寿司を食べる。");
    });

    it("that was stored by an earlier version is written anew once, by who looks for damage and saves", async () => {
      const folder = await open();
      await folder.write(storedIndex.name, [Uint8Array.from(atob(storedIndex.bytes), (each) => each.charCodeAt(0))]);
      const reader = await openCollection(folder, collectionSettings);
      await reader.save();
      expect(await folder.list()).toEqual([storedIndex.name]);
      expect(await reader.mend()).toEqual([]);
      await reader.save();
      const [name] = await folder.list();
      expect(name).not.toBe(storedIndex.name);
      const again = await openCollection(folder, collectionSettings);
      for (const [question, answers] of Object.entries(storedIndex.answers)) expect(await ask(again, question)).toEqual(answers);
      await again.mend();
      await again.save();
      expect(await folder.list()).toEqual([name]);
    });

    it("takes other metadata for a document, in a file of its own that a merge takes in", async () => {
      const one = await openCollection(await open(), collectionSettings);
      one.add(notes);
      one.restate([{ id: "garden", metadata: { id: "garden", seen: 0 } }]);
      await one.save();
      const said = (each: Collection): unknown => each.documents().map((id) => each.get(id)?.metadata["seen"]);
      expect(said(one)).toEqual([0, undefined, undefined]);
      const bytes = one.stats().bytes;
      for (const seen of [1, 2]) {
        one.restate(["garden", "kitchen", "nothing"].map((id) => ({ id, metadata: { id, seen } })));
        expect(said(one)).toEqual([seen, seen, undefined]);
        await one.save();
      }
      // passages are not written again
      expect(one.stats().bytes - bytes).toBeLessThan(bytes);
      one.add([documentOf("kitchen", "Basil alone.")]);
      await one.save();
      const two = await openCollection(await open(), collectionSettings);
      const kept = async (each: Collection): Promise<unknown> =>
        (await each.search({ text: "tomatoes", vector: lexicalVector("tomatoes", dimensions), k: 1, hybridWeight: 0.3 }))[0]?.metadata;
      expect(said(two)).toEqual([2, undefined, undefined]);
      expect(await kept(two)).toEqual({ id: "garden", seen: 2 });
      await two.merge(true);
      expect(await (await open()).list()).toHaveLength(1);
      for (const each of [two, await openCollection(await open(), collectionSettings)]) {
        expect(said(each)).toEqual([2, undefined, undefined]);
        expect(await kept(each)).toEqual({ id: "garden", seen: 2 });
      }
    });

    it("leaves no file for what was replaced whole", async () => {
      const one = await openCollection(await open(), collectionSettings);
      for (const text of ["Oil the saw.", "Sharpen the saw.", "Sell the saw."]) {
        one.add([documentOf("workshop", text)]);
        await one.save();
      }
      expect(await (await open()).list()).toHaveLength(1);
    });

    it("is found again in another opening, replaced, removed and merged", async () => {
      const one = await openCollection(await open(), collectionSettings);
      one.add(notes);
      await one.save();
      const two = await openCollection(await open(), collectionSettings);
      for (const [question, answers] of Object.entries(storedIndex.answers)) expect(await ask(two, question)).toEqual(answers);
      two.remove(["garden"]);
      two.add([documentOf("workshop", "Sharpen the chisels.")]);
      await two.save();
      await two.merge(true);
      expect(await (await open()).list()).toHaveLength(1);
      // its file was merged away
      expect((await ask(one, "sauce of tomatoes"))[0]).toMatch(/^kitchen\/0/);
      await one.refresh();
      expect(one.documents()).toEqual(["kitchen", "workshop"]);
      expect((await one.chunksOf("workshop")).map(({ text }) => text)).toEqual(["Sharpen the chisels."]);
    });

    it("takes two writers and two mergers at once", async () => {
      const writers = await Promise.all([0, 1].map(async () => openCollection(await open(), collectionSettings)));
      for (let i = 0; i < 6; i += 1) {
        await Promise.all(
          writers.map(async (writer, w) => {
            writer.add([documentOf(`${w}-${i}`, `note ${i} of writer ${w}`)]);
            await writer.save();
            if (i % 2 === 1) await writer.merge(true);
          }),
        );
      }
      const all = await openCollection(await open(), collectionSettings);
      expect(all.documents()).toEqual([0, 1].flatMap((w) => [0, 1, 2, 3, 4, 5].map((i) => `${w}-${i}`)));
      expect(all.stats().chunks).toBe(12);
    });
  });
}
