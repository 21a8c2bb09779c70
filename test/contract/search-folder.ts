/** What every SearchFolder promises. One suite; it runs in memory, on the disk, and in a browser's private file system. */
import { beforeEach, describe, expect, it } from "vitest";
import type { SearchFolder } from "../../src/core/platform.ts";
import { crc32 } from "../../src/core/search/crc32.ts";

/** @returns a function that opens the same empty folder again, as another process or tab would */
export type CreateFolder = () => Promise<() => Promise<SearchFolder>>;

const bytes = (...values: readonly number[]): Uint8Array<ArrayBuffer> => Uint8Array.from(values);

export function describeSearchFolder(name: string, create: CreateFolder): void {
  describe(`a SearchFolder ${name}`, () => {
    let open: () => Promise<SearchFolder>;
    let folder: SearchFolder;
    beforeEach(async () => {
      open = await create();
      folder = await open();
    });

    it("reads as empty before anything is written", async () => {
      expect(await folder.list()).toEqual([]);
      expect(await folder.size("a.seg")).toBeUndefined();
      expect(await folder.read("a.seg", 0, 0)).toBeUndefined();
      await folder.remove("a.seg");
    });

    it("gives back the parts of a file as one, to others too, and lists names in order", async () => {
      await folder.write("m2k-b.seg", [bytes(1, 2), bytes(), bytes(3, 4, 5)]);
      await folder.write("format.json", [bytes(123, 125)]);
      await folder.write("m2k-a.seg", [bytes(9)]);
      const other = await open();
      expect(await other.list()).toEqual(["format.json", "m2k-a.seg", "m2k-b.seg"]);
      expect(await other.size("m2k-b.seg")).toBe(5);
      expect(await other.read("m2k-b.seg", 0, 5)).toEqual(bytes(1, 2, 3, 4, 5));
      expect(await other.read("m2k-b.seg", 1, 3)).toEqual(bytes(2, 3, 4));
      expect(await other.read("m2k-b.seg", 5, 0)).toEqual(bytes());
    });

    it("gives nothing of a range that the file does not have whole", async () => {
      await folder.write("a.seg", [bytes(1, 2, 3)]);
      expect(await folder.read("a.seg", 0, 4)).toBeUndefined();
      expect(await folder.read("a.seg", 3, 1)).toBeUndefined();
      expect(await folder.read("a.seg", 1e9, 1)).toBeUndefined();
    });

    it("gives bytes that begin at an address numbers can be read from, and that the caller may change", async () => {
      await folder.write("a.seg", [new Uint8Array(Float32Array.of(1.5, -2, 3).buffer)]);
      const got = await folder.read("a.seg", 4, 8);
      expect([...new Float32Array(got?.buffer ?? new ArrayBuffer(0))]).toEqual([-2, 3]);
      got?.fill(0);
      expect(new Float32Array((await folder.read("a.seg", 4, 8))?.buffer ?? new ArrayBuffer(0))[0]).toBe(-2);
    });

    it("sums bytes as the index does, where it sums them itself", () => {
      const some = Uint8Array.from({ length: 70_001 }, (_, i) => (i * 97) & 0xff);
      for (const each of [new Uint8Array(), some, some.subarray(3, 1000)]) expect((folder.crc32 ?? crc32)(each)).toBe(crc32(each));
    });

    it("removes a file for all, and says nothing where it is gone already", async () => {
      const other = await open();
      await folder.write("a.seg", [bytes(1)]);
      await folder.write("b.seg", [bytes(2)]);
      await other.remove("a.seg");
      await folder.remove("a.seg");
      expect(await folder.list()).toEqual(["b.seg"]);
      expect([await folder.size("a.seg"), await folder.read("a.seg", 0, 1)]).toEqual([undefined, undefined]);
    });

    it("shows others a file whole or not at all while it is written", async () => {
      const other = await open();
      const part = new Uint8Array(64 * 1024).fill(7);
      const seen = new Set<number>();
      let isDone = false;
      const watching = (async () => {
        while (!isDone) {
          for (const each of await other.list()) seen.add((await other.size(each)) ?? -1);
          await new Promise((resolve) => setTimeout(resolve, 0));
        }
      })();
      for (let i = 0; i < 5; i += 1) await folder.write(`f${i}.seg`, new Array(16).fill(part));
      isDone = true;
      await watching;
      seen.delete(-1);
      expect([...seen].every((size) => size === 1024 * 1024)).toBe(true);
      expect(await other.list()).toHaveLength(5);
    });

    it("takes files of several writers at once", async () => {
      const writers = await Promise.all([open(), open(), open()]);
      await Promise.all(writers.flatMap((writer, w) => [0, 1, 2, 3].map((i) => writer.write(`w${w}-${i}.seg`, [bytes(w, i)]))));
      const names = await folder.list();
      expect(names).toHaveLength(12);
      for (const each of names) expect(await folder.size(each)).toBe(2);
    });
  });
}
