/** A file system that fails at its n-th call, and one that forgets what was not made durable. Rows D20, D22. */

import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import * as realFs from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { SpellError } from "../../../src/core/errors.ts";
import type { ArtifactStore } from "../../../src/core/platform.ts";
import { fsArtifactStore, type StoreFs } from "../../../src/node/store/fs-artifact-store.ts";
import { noiseBytes, sha256Of } from "../../contract/artifact-store.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "llmspell-faults-"));
});
afterEach(async () => {
  for (const file of openFiles) await file.close(); // those of a store that a power cut ended
  openFiles.clear();
  rmSync(folder, { recursive: true, force: true });
});

const bytes = noiseBytes(40_000);

const real: Readonly<Record<string, unknown>> = { ...realFs };

/** Files the store under test has open. */
const openFiles = new Set<realFs.FileHandle>();

/** Calls of the store, and of the files it opens, through one gate. */
function gated(gate: (call: string) => Promise<void>): StoreFs {
  const names = ["link", "lstat", "mkdir", "readFile", "readdir", "rename", "rmdir", "statfs", "unlink", "utimes"] as const;
  const plain = Object.fromEntries(
    names.map((name) => [
      name,
      async (...args: unknown[]) => {
        await gate(name);
        return (real[name] as (...all: unknown[]) => Promise<unknown>)(...args);
      },
    ]),
  );
  const open: typeof realFs.open = async (...args) => {
    await gate("open");
    const file = await realFs.open(...args);
    openFiles.add(file);
    return new Proxy(file, {
      get(target, key) {
        const value: unknown = Reflect.get(target, key);
        if (typeof value !== "function") return value;
        return async (...rest: unknown[]) => {
          if (key === "close") openFiles.delete(target);
          else await gate(`file.${String(key)}`);
          return (value as (...all: unknown[]) => unknown).apply(target, rest);
        };
      },
    });
  };
  return { ...plain, open } as unknown as StoreFs;
}

async function pull(store: ArtifactStore): Promise<void> {
  const sha256 = await sha256Of(bytes);
  const part = await store.openPart(sha256);
  try {
    const from = part.kept?.done[0]?.[1] ?? 0;
    if (from === 0) {
      await part.truncate(0);
      await part.write(0, bytes.slice(0, 20_000));
      await part.save({ url: "u", sha256, size: bytes.length, done: [[0, 20_000]] });
    }
    await part.write(Math.max(from, 20_000), bytes.slice(Math.max(from, 20_000)));
    await part.commit({ size: bytes.length, sha256 });
  } catch (error) {
    await part.release();
    throw error;
  }
  await store.writeManifest(["x"], { sha256 });
}

/** No blob under a name that is not its own. */
async function expectHonestBlobs(store: ArtifactStore, place: string): Promise<void> {
  for (const { digest } of await store.listBlobs())
    expect(await sha256Of(new Uint8Array(readFileSync(join(place, "blobs", digest))))).toBe(digest.slice(7));
}

describe("a disk that fails", () => {
  it.each(["EACCES", "EROFS", "EMFILE", "EIO", "ENOSPC"])(
    "D20 %s at the n-th call, for every n: a typed code, a store that still opens, a next run that succeeds",
    async (code) => {
      for (let n = 1; ; n += 1) {
        const place = join(folder, `${code}-${n}`);
        let calls = 0;
        const fs = gated(async () => {
          calls += 1;
          if (calls === n) throw Object.assign(new Error(code), { code });
        });
        let failed = true;
        try {
          await pull(fsArtifactStore(place, { fs }));
          failed = calls >= n;
        } catch (error) {
          expect(error).toBeInstanceOf(SpellError);
          expect((error as SpellError).code).toBe(code === "ENOSPC" ? "store-full" : "store-denied");
        }
        expect(openFiles.size).toBe(0);
        const store = fsArtifactStore(place);
        await expectHonestBlobs(store, place);
        await pull(store);
        expect(await store.readManifest(["x"])).toEqual({ sha256: await sha256Of(bytes) });
        if (!failed) return;
        if (n > 200) throw new Error("it never runs through");
      }
    },
  );

  it("D22 a power cut after each call, with only what was made durable: no blob under a name that is not its own", async () => {
    for (let n = 1; n < 200; n += 1) {
      const place = join(folder, `cut-${n}`);
      let calls = 0;
      let cut = false;
      const dead = new Promise<never>(() => undefined);
      const fs = gated(async () => {
        calls += 1;
        if (calls >= n) cut = true;
        if (cut) await dead;
      });
      const run = pull(fsArtifactStore(place, { fs })).then(() => "done" as const);
      const end = await Promise.race([run, new Promise<"cut">((resolve) => setInterval(() => cut && resolve("cut"), 1).unref())]);
      const store = fsArtifactStore(place);
      await expectHonestBlobs(store, place);
      if ((await store.readManifest(["x"])) !== undefined) expect(await store.listBlobs()).toHaveLength(1);
      if (end === "done") return;
    }
    throw new Error("it never runs through");
  });

  it("D22 data is made durable before the record that speaks of it, and the file before its final name", async () => {
    const calls: string[] = [];
    const fs = gated(async (call) => void calls.push(call));
    await pull(fsArtifactStore(join(folder, "order"), { fs }));
    const at = (name: string, from = 0): number => calls.indexOf(name, from);
    const data = at("file.datasync");
    expect(data).toBeGreaterThan(at("file.write"));
    expect(at("file.writeFile", data)).toBeGreaterThan(data); // the record
    const last = calls.lastIndexOf("file.write");
    const sync = calls.indexOf("file.sync", last);
    const rename = calls.indexOf("rename", sync);
    expect(rename).toBeGreaterThan(sync); // the final name
    expect(calls.indexOf("file.sync", rename)).toBeGreaterThan(rename); // the folder
  });

  it("D25 a part of another host is left alone for a minute, then taken; one with a clock in the future too", async () => {
    const store = fsArtifactStore(folder);
    const key = "ab".repeat(32);
    const part = await store.openPart(key);
    await part.write(0, bytes);
    await part.save({ url: "u", done: [[0, bytes.length]] });
    const parts = join(folder, "parts");
    const record = readdirSync(parts).find((name) => name.endsWith(".json")) ?? "";
    const rewrite = async (change: object): Promise<void> => {
      const value = JSON.parse(readFileSync(join(parts, record), "utf8")) as object;
      await realFs.writeFile(join(parts, record), JSON.stringify({ ...value, ...change }));
    };
    await rewrite({ host: "elsewhere", pid: 1 });
    const own = await store.openPart(key);
    expect(own.kept).toBeUndefined();
    await own.discard();
    await rewrite({ host: "elsewhere", pid: 1, time: Date.now() + 86_400_000 });
    const taken = await store.openPart(key);
    expect(taken.kept).toMatchObject({ url: "u", done: [[0, bytes.length]] });
    await taken.release();
    await part.discard();
  });

  it("a half-written record, or one that is none of ours, is no record", async () => {
    const store = fsArtifactStore(folder);
    const key = "ab".repeat(32);
    for (const text of [
      "",
      "{",
      "[]",
      '{"url":"u","done":[[5,1]],"time":0}',
      '{"url":"u","done":[[0,999999999]],"time":0}',
      '{"url":1,"done":[],"time":0}',
    ]) {
      const part = await store.openPart(key);
      await part.write(0, bytes);
      await part.release();
      const name = readdirSync(join(folder, "parts")).find((file) => file.endsWith(".json")) ?? "";
      await realFs.writeFile(join(folder, "parts", name), text);
      const file = join(folder, "parts", name.replace(".json", ".part"));
      await realFs.utimes(file, new Date(1), new Date(1));
      const again = await store.openPart(key);
      expect(again.kept, text).toBeUndefined();
      await again.discard();
    }
    expect(existsSync(join(folder, "parts"))).toBe(true);
  });
});

describe("what another process does between two steps", () => {
  let armed: { readonly call: string; readonly code: string } | undefined;
  const store = () =>
    fsArtifactStore(folder, {
      fs: gated(async (call) => {
        if (call !== armed?.call) return;
        const { code } = armed;
        armed = undefined;
        throw Object.assign(new Error(code), { code });
      }),
    });
  /** The next such call fails, once. */
  const arm = (call: string, code = "ENOENT"): void => {
    armed = { call, code };
  };

  it("a manifest that goes as it is read is not there; one that cannot be read is told", async () => {
    await pull(store());
    arm("readFile");
    expect(await store().readManifest(["x"])).toBeUndefined();
    arm("readFile", "EACCES");
    await expect(store().readManifest(["x"])).rejects.toMatchObject({ code: "store-denied" });
  });

  it("what is removed by two at once is removed once", async () => {
    await pull(store());
    const [{ digest } = { digest: "" }] = await store().listBlobs();
    arm("lstat");
    expect(await store().listBlobs()).toEqual([]);
    arm("unlink");
    expect(await store().removeBlob(digest)).toBe(0);
    arm("unlink", "EACCES");
    await expect(store().removeBlob(digest)).rejects.toMatchObject({ code: "store-denied" });
    arm("unlink");
    await store().removeManifest(["x"]);
    arm("unlink", "EACCES");
    await expect(store().removeManifest(["x"])).rejects.toMatchObject({ code: "store-denied" });
  });

  it("a part that somebody else was quicker to take, list or remove is theirs", async () => {
    const sha256 = await sha256Of(bytes);
    const first = await store().openPart(sha256);
    await first.write(0, bytes.slice(0, 1000));
    await first.save({ url: "u", sha256, size: bytes.length, done: [[0, 1000]] });
    await first.release();
    const [{ id } = { id: "" }] = await store().listParts();
    arm("lstat");
    expect(await store().listParts()).toEqual([]);
    arm("unlink");
    expect(await store().removePart(id)).toBe(0);
    arm("unlink", "EACCES");
    await expect(store().removePart(id)).rejects.toMatchObject({ code: "store-denied" });
    arm("rename");
    const second = await store().openPart(sha256);
    expect(second.kept).toBeUndefined();
    await second.discard();
    arm("rename", "EACCES");
    await expect(store().openPart(sha256)).rejects.toMatchObject({ code: "store-denied" });
    const third = await store().openPart(sha256);
    expect(third.kept?.done).toEqual([[0, 1000]]);
    await third.discard();
  });

  it("a blob that is removed as soon as it is there is told; where it cannot be replaced, equal bytes need no replacing", async () => {
    const sha256 = await sha256Of(bytes);
    const ready = async () => {
      const part = await store().openPart(sha256);
      await part.write(0, bytes);
      return part;
    };
    const gone = await ready();
    arm("lstat");
    await expect(gone.commit({ size: bytes.length, sha256 })).rejects.toMatchObject({ code: "store-evicted" });
    const again = await ready();
    arm("rename", "EPERM");
    expect(await again.commit({ size: bytes.length, sha256 })).toMatchObject({ size: bytes.length });
    expect(readdirSync(join(folder, "parts"))).toEqual([]);
    await store().removeBlob(`sha256-${sha256}`);
    const refused = await ready();
    arm("rename", "EPERM");
    await expect(refused.commit({ size: bytes.length, sha256 })).rejects.toMatchObject({ code: "store-denied" });
    await refused.discard();
  });
});
