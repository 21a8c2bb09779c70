/** What every ArtifactStore promises. One suite; it runs in memory, on a folder in Node, and on a browser's private file system. */
import { beforeEach, describe, expect, it } from "vitest";
import type { ArtifactStore, Part } from "../../src/core/platform.ts";
import { failure } from "../support/failure.ts";

/** @returns a function that opens the same empty store again, as another process or tab would */
export type CreateStore = () => Promise<() => ArtifactStore>;

const mebibyte = 1024 * 1024;
const url = "https://hub.example/model.gguf";
const key = "ab".repeat(32);

/** Repeatable bytes. */
export function noiseBytes(length: number, seed = 1): Uint8Array<ArrayBuffer> {
  let state = seed;
  return Uint8Array.from({ length }, () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state >>> 24;
  });
}

export async function sha256Of(bytes: Uint8Array<ArrayBuffer>): Promise<string> {
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  return [...digest].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

async function put(store: ArtifactStore, bytes: Uint8Array<ArrayBuffer>): Promise<string> {
  const sha256 = await sha256Of(bytes);
  const part = await store.openPart(sha256);
  await part.write(0, bytes);
  return (await part.commit({ size: bytes.byteLength, sha256 })).digest;
}

export function artifactStoreContract(name: string, create: CreateStore): void {
  describe(`ArtifactStore: ${name}`, () => {
    let open: () => ArtifactStore;
    let store: ArtifactStore;
    beforeEach(async () => {
      open = await create();
      store = open();
    });

    it("is empty before the first write, and says so without an error", async () => {
      expect(await store.listBlobs()).toEqual([]);
      expect(await store.listManifests()).toEqual([]);
      expect(await store.listParts()).toEqual([]);
      expect(await store.lookBlob(`sha256:${key}`)).toBeUndefined();
      expect(await store.readManifest(["catalogue", "x", "q8_0"])).toBeUndefined();
      expect(await store.removeBlob(`sha256:${key}`)).toBe(0);
      await store.removeManifest(["catalogue", "x"]);
      expect(store.place).not.toBe("");
    });

    it("hashes a stream of bytes", async () => {
      const bytes = noiseBytes(100_000);
      const hash = await store.createHash("sha256");
      for (let at = 0; at < bytes.length; at += 7777) hash.update(bytes.subarray(at, at + 7777));
      expect(hash.digest()).toBe(await sha256Of(bytes));
      const sha1 = await store.createHash("sha1");
      sha1.update(new TextEncoder().encode("blob 6\0hello\n"));
      expect(sha1.digest()).toBe("ce013625030ba8dba906f756967f9e9ca394464a"); // `printf 'hello\n' | git hash-object --stdin`
    });

    it("keeps a file under its hash and opens it again", async () => {
      const bytes = noiseBytes(3 * mebibyte + 5);
      const digest = await put(store, bytes);
      expect(digest).toBe(`sha256-${await sha256Of(bytes)}`);
      const source = await open().openBlob(digest, "weights.gguf");
      expect(source.name).toBe("weights.gguf");
      expect(source.size).toBe(bytes.byteLength);
      expect(await source.read(mebibyte, 10)).toEqual(bytes.subarray(mebibyte, mebibyte + 10));
      expect(await open().lookBlob(digest.replace("-", ":"))).toMatchObject({ digest, size: bytes.byteLength });
      expect(await open().listBlobs()).toMatchObject([{ digest, size: bytes.byteLength }]);
      expect(await store.listParts()).toEqual([]);
    });

    it("opens a file without a copy: by path or as a Blob", async () => {
      const bytes = noiseBytes(70_000);
      const source = await store.openBlob(await put(store, bytes), "a.bin");
      expect(source.path ?? source.blob).toBeDefined();
      expect(source.version).toBeDefined();
      expect(await source.read(0, bytes.length)).toEqual(bytes);
      if (source.blob !== undefined) expect(new Uint8Array(await source.blob.arrayBuffer())).toEqual(bytes);
    });

    it("takes an empty file", async () => {
      const digest = await put(store, new Uint8Array(0));
      expect(digest).toBe(`sha256-${await sha256Of(new Uint8Array(0))}`);
      expect((await store.openBlob(digest, "empty")).size).toBe(0);
    });

    it("keeps one copy of equal files", async () => {
      const bytes = noiseBytes(5000);
      const first = await put(store, bytes);
      expect(await put(store, bytes)).toBe(first);
      expect(await store.listBlobs()).toHaveLength(1);
    });

    it("takes ranges in any order, and hashes them all", async () => {
      const bytes = noiseBytes(100_000);
      const part = await store.openPart(key);
      for (const from of [60_000, 20_000, 0, 80_000, 40_000]) await part.write(from, bytes.slice(from, from + 20_000));
      expect(await part.commit({ size: 100_000, sha256: await sha256Of(bytes) })).toMatchObject({ size: 100_000 });
    });

    it("hashes what lies there in the end, where bytes were written twice", async () => {
      const bytes = noiseBytes(30_000);
      const part = await store.openPart(key);
      await part.write(0, noiseBytes(30_000, 2));
      await part.write(0, bytes);
      expect((await part.commit({ size: 30_000, sha256: await sha256Of(bytes) })).digest).toBe(`sha256-${await sha256Of(bytes)}`);
    });

    it("D5 gives no final name to bytes with another hash; the part can start over", async () => {
      const bytes = noiseBytes(10_000);
      const sha256 = await sha256Of(bytes);
      const part = await store.openPart(sha256);
      await part.write(0, noiseBytes(10_000, 3));
      const error = await failure(part.commit({ size: 10_000, sha256 }));
      expect(error).toMatchObject({ code: "net-hash", details: { wanted: sha256, got: await sha256Of(noiseBytes(10_000, 3)) } });
      expect(await store.listBlobs()).toEqual([]);
      await part.truncate(0);
      await part.write(0, bytes);
      expect(await part.commit({ size: 10_000, sha256 })).toMatchObject({ digest: `sha256-${sha256}` });
    });

    it("gives no final name to a file of another length", async () => {
      const part = await store.openPart(key);
      await part.write(0, noiseBytes(999));
      expect(await failure(part.commit({ size: 1000 }))).toMatchObject({ code: "net-size", details: { wanted: 1000, got: 999 } });
      await part.discard();
      expect(await store.listBlobs()).toEqual([]);
      expect(await store.listParts()).toEqual([]);
    });

    it("records its own hash where the source states none", async () => {
      const bytes = noiseBytes(1234);
      const part = await store.openPart(key);
      await part.write(0, bytes);
      expect((await part.commit({ size: 1234 })).digest).toBe(`sha256-${await sha256Of(bytes)}`);
    });

    it("keeps an unfinished file for the next run, with its record, and hashes the kept bytes", async () => {
      const bytes = noiseBytes(50_000);
      const sha256 = await sha256Of(bytes);
      const first = await store.openPart(sha256);
      expect(first.kept).toBeUndefined();
      await first.write(0, bytes.slice(0, 20_000));
      const record = { url, etag: '"v1"', size: 50_000, sha256, done: [[0, 20_000]] as const };
      await first.write(30_000, bytes.slice(30_000, 40_000)); // nothing speaks of these
      await first.save(record);
      await first.release();
      expect(await open().listParts()).toMatchObject([{ key: sha256, size: 40_000, kept: 20_000 }]);
      const second = await open().openPart(sha256);
      expect(second.kept).toEqual(record);
      expect(await second.read(100, 50)).toEqual(bytes.slice(100, 150));
      await second.write(20_000, bytes.slice(20_000));
      await second.commit({ size: 50_000, sha256 });
      expect(await store.listParts()).toEqual([]);
    });

    it("D6 finds a changed byte in the kept bytes", async () => {
      const bytes = noiseBytes(20_000);
      const sha256 = await sha256Of(bytes);
      const first = await store.openPart(sha256);
      await first.write(0, bytes.slice(0, 10_000));
      await first.write(77, new Uint8Array([(bytes[77] ?? 0) ^ 1]));
      await first.save({ url, size: 20_000, sha256, done: [[0, 10_000]] });
      await first.release();
      const second = await open().openPart(sha256);
      await second.write(10_000, bytes.slice(10_000));
      expect(await failure(second.commit({ size: 20_000, sha256 }))).toMatchObject({ code: "net-hash" });
      await second.discard();
    });

    it("gives an orphan to exactly one of several takers", async () => {
      const first = await store.openPart(key);
      await first.write(0, noiseBytes(100));
      await first.save({ url, done: [[0, 100]] });
      await first.release();
      const taken = await Promise.all([1, 2, 3, 4].map(() => open().openPart(key)));
      expect(taken.filter(({ kept }) => kept !== undefined)).toHaveLength(1);
      await Promise.all(taken.map((part) => part.discard()));
      expect(await store.listParts()).toEqual([]);
    });

    it("leaves a part in use to its owner", async () => {
      const mine = await store.openPart(key);
      await mine.write(0, noiseBytes(100));
      await mine.save({ url, done: [[0, 100]] });
      const other = await open().openPart(key);
      expect(other.kept).toBeUndefined();
      const facts = await store.listParts();
      expect(facts.map((part) => [part.key, part.inUse])).toEqual([
        [key, true],
        [key, true],
      ]);
      for (const { id } of facts) expect(await store.removePart(id)).toBe(0);
      const bytes = noiseBytes(100);
      await other.write(0, bytes);
      const commits = await Promise.all([mine, other].map((part: Part) => part.commit({ size: 100 })));
      expect(new Set(commits.map(({ digest }) => digest)).size).toBe(1);
    });

    it("lists and removes what was left", async () => {
      const part = await store.openPart(key);
      await part.write(0, noiseBytes(4096));
      await part.save({ url, done: [[0, 4096]] });
      await part.release();
      const [facts, more] = await open().listParts();
      expect(more).toBeUndefined();
      expect(facts).toMatchObject({ key, size: 4096, inUse: false });
      expect(await store.removePart(facts!.id)).toBe(4096);
      expect(await store.removePart(facts!.id)).toBe(0);
      expect(await store.listParts()).toEqual([]);
    });

    it("keeps manifests, whatever their names, and lists them in order", async () => {
      const keys = [
        ["catalogue", "tinyllama", "q4_k_m"],
        ["hf", "owner", "repo-GGUF", "q8_0"],
        ["hf", "owner", "repo-gguf", "q8_0"],
        ["odd", "con", "aux.txt", "a.json", ".hidden", "ends."],
        ["odd", "a.json"],
        ["odd", "../../etc/passwd"],
        ["odd", 'a:b*?<>|"\\', "ü – 漢字 \u0000"],
      ];
      for (const [index, each] of keys.entries()) await store.writeManifest(each, { schema: 1, index });
      for (const [index, each] of keys.entries()) expect(await open().readManifest(each)).toEqual({ schema: 1, index });
      const sorted = [...keys].sort((a, b) => (a.join("\0") < b.join("\0") ? -1 : 1));
      expect(await open().listManifests()).toEqual(sorted);
      await store.writeManifest(keys[0]!, { schema: 1, index: 99 });
      expect(await open().readManifest(keys[0]!)).toEqual({ schema: 1, index: 99 });
      for (const each of keys) await store.removeManifest(each);
      expect(await open().listManifests()).toEqual([]);
    });

    it("keeps `__proto__` in a manifest as plain data", async () => {
      await store.writeManifest(["a", "__proto__"], JSON.parse('{"__proto__": {"x": 1}}'));
      expect(JSON.stringify(await store.readManifest(["a", "__proto__"]))).toBe('{"__proto__":{"x":1}}');
      expect(({} as { x?: number }).x).toBeUndefined();
    });

    it("refuses what is not a digest", async () => {
      for (const digest of ["sha256:../../x", `sha512:${key}`, `sha256:${key}0`, `sha256:${key.toUpperCase()}`, "", key]) {
        expect(await failure(store.lookBlob(digest))).toMatchObject({ code: "store-corrupt" });
        expect(await failure(store.openBlob(digest, "x"))).toMatchObject({ code: "store-corrupt" });
        expect(await failure(store.removeBlob(digest))).toMatchObject({ code: "store-corrupt" });
      }
    });

    it("R17 names a file that is gone", async () => {
      expect(await failure(store.openBlob(`sha256:${key}`, "weights.gguf"))).toMatchObject({
        code: "store-evicted",
        message: expect.stringContaining("weights.gguf"),
      });
    });

    it("removes a file and says how many bytes that freed", async () => {
      const digest = await put(store, noiseBytes(4321));
      expect(await store.removeBlob(digest)).toBe(4321);
      expect(await store.lookBlob(digest)).toBeUndefined();
      expect(await store.removeBlob(digest)).toBe(0);
    });

    it("ends the hashing of a commit when it is told to", async () => {
      const part = await store.openPart(key);
      await part.write(5, noiseBytes(100)); // nothing lies at the front, so nothing is hashed yet
      await part.write(0, noiseBytes(5));
      expect(await failure(part.commit({ size: 105 }, AbortSignal.abort()))).toMatchObject({ code: "run-aborted" });
      expect(await store.listBlobs()).toEqual([]);
      await part.discard();
    });

    it("holds a lock for one at a time, and says to the second that it waits", async () => {
      const order: string[] = [];
      let waits = 0;
      let enter: () => void = () => undefined;
      const entered = new Promise<void>((resolve) => {
        enter = resolve;
      });
      const first = store.withLock("pull", async () => {
        order.push("first in");
        enter();
        await new Promise((resolve) => setTimeout(resolve, 50));
        order.push("first out");
      });
      await entered;
      const second = open().withLock("pull", async () => void order.push("second"), { onWait: () => (waits += 1) });
      await Promise.all([first, second]);
      expect(order).toEqual(["first in", "first out", "second"]);
      expect(waits).toBe(1);
      await expect(store.withLock("pull", () => Promise.reject(new Error("work failed")))).rejects.toThrow("work failed");
      expect(await store.withLock("pull", async () => 7)).toBe(7);
    });

    it("lets a waiter go when it is told to", async () => {
      const abort = new AbortController();
      let enter: () => void = () => undefined;
      let leave: () => void = () => undefined;
      const entered = new Promise<void>((resolve) => {
        enter = resolve;
      });
      const gate = new Promise<void>((resolve) => {
        leave = resolve;
      });
      const holder = store.withLock("x", () => {
        enter();
        return gate;
      });
      await entered;
      const waiter = failure(open().withLock("x", async () => 1, { signal: abort.signal, onWait: () => abort.abort() }));
      expect(await waiter).toMatchObject({ code: "run-aborted" });
      leave();
      await holder;
      expect(await store.withLock("x", async () => 2)).toBe(2);
    });

    it("answers how much room there is, or that it is unknown", async () => {
      const space = await store.space();
      if (space !== undefined) expect(space.free).toBeGreaterThan(0);
      expect(typeof (await store.persist())).toBe("boolean");
    });
  });
}
