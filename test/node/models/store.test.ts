/** Models on disk: full, changed, planted, half fetched, removed and left over. */
import { appendFileSync, mkdirSync, readFileSync, rmSync, symlinkSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import type { PullResult } from "../../../src/core/backends/models.ts";
import { memoryStore } from "../../../src/core/store/memory-store.ts";
import { fsArtifactStore } from "../../../src/node/store/fs-artifact-store.ts";
import { failure } from "../../support/failure.ts";
import { tinyGguf as gguf, sha256 } from "../support/local-llm.ts";
import { scriptedModels } from "../support/scripted-models.ts";

const { blobs, folder, logged, open, server } = await scriptedModels();

describe("the store", () => {
  it("D19 too little room → store-full with both numbers, before a byte comes", async () => {
    const store = { ...fsArtifactStore(join(folder, "models")), space: async () => ({ free: 100_000_000 }) };
    expect(await failure(open({}, { store }).llm.pull("hf:owner/gguf"))).toMatchObject({
      code: "store-full",
      details: { neededBytes: expect.any(Number), freeBytes: 100_000_000 },
      actions: [{ kind: "prune" }],
    });
    expect(server.seen.filter(({ path }) => !path.startsWith("/api"))).toEqual([]);
    const page = memoryStore({ quota: 1_000_000 });
    expect((await failure(open({}, { store: page }).llm.pull("hf:owner/gguf"))).code).toBe("store-quota");
  });

  it("D28 a byte that changed later → store-corrupt at open, found by verify, mended by a pull", async () => {
    const { llm } = open();
    await llm.pull("hf:owner/gguf:Q8_0");
    const path = join(folder, "models/blobs", blobs()[0] ?? "");
    const changed = readFileSync(path);
    changed[1_000_000] = (changed[1_000_000] ?? 0) ^ 1;
    writeFileSync(path, changed);
    utimesSync(path, new Date(1), new Date(1));
    expect((await llm.verify()).filter(({ ok }) => !ok)).toEqual([
      { modelId: "hf:owner/gguf:Q8_0", file: "tiny.Q8_0.gguf", ok: false, expected: sha256(gguf), actual: sha256(changed) },
    ]);
    expect(await failure(llm.info("hf:owner/gguf:Q8_0"))).toMatchObject({
      code: "store-corrupt",
      actions: [{ kind: "pull", model: "hf:owner/gguf:Q8_0", force: true }],
    });
    await llm.pull("hf:owner/gguf:Q8_0", { force: true });
    expect((await llm.verify()).every(({ ok }) => ok)).toBe(true);
    appendFileSync(path, "x");
    expect((await failure(llm.info("hf:owner/gguf:Q8_0"))).code).toBe("store-corrupt");
    rmSync(path);
    expect((await failure(llm.info("hf:owner/gguf:Q8_0"))).code).toBe("store-evicted");
    expect(await llm.pull("hf:owner/gguf:Q8_0")).toMatchObject({ alreadyPresent: false });
  });

  it("own files have no hash to be held to; another size is told, and a file that is gone is marked", async () => {
    const { llm } = open();
    const path = join(folder, "mine.gguf");
    writeFileSync(path, gguf);
    expect(await failure(llm.verify(path))).toMatchObject({
      code: "model-not-installed",
      actions: [{ kind: "pull", model: path, as: "NAME" }],
    });
    expect((await failure(llm.verify(join(folder, "nope")))).code).toBe("model-unknown");
    await llm.pull(path, { as: "mine" });
    const about = { modelId: "mine", file: "mine.gguf" };
    expect(await llm.verify("mine")).toEqual([{ ...about, ok: null, expected: null, actual: sha256(gguf) }]);
    expect((await llm.list()).at(-1)).not.toHaveProperty("gone");
    writeFileSync(path, gguf.subarray(0, 1000));
    expect(await llm.verify("mine")).toEqual([{ ...about, ok: false, expected: "3,121,440 bytes", actual: "1,000 bytes" }]);
    rmSync(path);
    expect(await llm.verify("mine")).toEqual([{ ...about, ok: false, expected: null, actual: null }]);
    expect((await llm.list()).at(-1)).toMatchObject({ id: "mine", gone: true });
    expect(await llm.remove("mine")).toEqual({ modelId: "mine", freedBytes: 0, keptFiles: [] });
  });

  it("D28 another time alone is no damage: the file is hashed once", async () => {
    const { llm } = open();
    await llm.pull("hf:owner/gguf:Q8_0");
    utimesSync(join(folder, "models/blobs", blobs()[0] ?? ""), new Date(5000), new Date(5000));
    expect((await llm.info("hf:owner/gguf:Q8_0")).id).toBe("hf:owner/gguf:Q8_0");
  });

  it("D29 a link planted in blobs or parts → store-corrupt, its target untouched", async () => {
    const target = join(folder, "target");
    writeFileSync(target, "mine");
    mkdirSync(join(folder, "models/blobs"), { recursive: true });
    mkdirSync(join(folder, "models/parts"), { recursive: true });
    symlinkSync(target, join(folder, "models/blobs", `sha256-${sha256(gguf)}`));
    expect((await failure(open().llm.pull("hf:owner/gguf:Q8_0"))).code).toBe("store-corrupt");
    rmSync(join(folder, "models/blobs", `sha256-${sha256(gguf)}`));
    symlinkSync(target, join(folder, "models/parts", `${sha256(gguf)}.0123456789abcdef.part`));
    expect((await failure(open().llm.pull("hf:owner/gguf:Q8_0"))).code).toBe("store-corrupt");
    expect(readFileSync(target, "utf8")).toBe("mine");
  });

  it("gives a second name with --as; removing takes names along, and files that nothing else uses", async () => {
    const { llm } = open();
    await llm.pull("hf:owner/gguf:Q8_0", { as: "small" });
    await llm.pull("hf:owner/gguf:Q4_K_M");
    expect((await llm.list()).find(({ id }) => id === "hf:owner/gguf:Q8_0")?.aliases).toEqual(["small"]);
    expect((await llm.info("small")).id).toBe("hf:owner/gguf:Q8_0");
    expect(await llm.remove("small")).toEqual({ modelId: "hf:owner/gguf:Q8_0", freedBytes: gguf.length, keptFiles: [] });
    expect(blobs()).toHaveLength(1);
    expect((await failure(llm.info("small@candle"))).code).toBe("model-unknown");
    expect((await failure(llm.remove("tiny-stories"))).code).toBe("model-bundled");
    expect(await llm.verify("Tiny-Stories")).toEqual([
      { modelId: "tiny-stories", file: "tiny-stories.gguf", ok: true, expected: sha256(gguf), actual: sha256(gguf) },
    ]);
    expect((await failure(llm.remove("hf:owner/gguf:Q8_0"))).code).toBe("model-not-installed");
  });

  it("D31 a model that is removed keeps working where it is open", async () => {
    const { llm, platform } = open();
    await llm.pull("hf:owner/gguf:Q8_0");
    const { open: openFile } = await import("node:fs/promises");
    const handle = await openFile(join(folder, "models/blobs", blobs()[0] ?? ""));
    await llm.remove("hf:owner/gguf:Q8_0");
    expect((await handle.read(Buffer.alloc(4), 0, 4, 0)).buffer.toString()).toBe("GGUF");
    await handle.close();
    expect(await platform.store.listManifests()).toEqual([]);
  });

  it("D32 one file of a set fails → the others stay, no manifest, the file named; the next pull fetches that one", async () => {
    server.plan(
      /GET .*tokenizer\.json/,
      Array.from({ length: 9 }, () => ({ status: 500 })),
    );
    const { llm, platform } = open();
    const seen: PullResult[] = [];
    const error = await failure(llm.pull("hf:owner/t5", { onProgress: (progress) => seen.push(progress) }));
    expect(seen.at(-1)).toMatchObject({ status: "failed", modelId: "hf:owner/t5" });
    expect(error).toMatchObject({
      code: "net-status",
      message: expect.stringContaining("tokenizer.json"),
      actions: [{ kind: "pull", model: "hf:owner/t5" }],
    });
    expect(blobs()).toHaveLength(4);
    expect(await platform.store.listManifests()).toEqual([]);
    server.reset();
    await llm.pull("hf:owner/t5");
    expect(server.seen.filter(({ path }) => path.includes("model.safetensors") || path.includes("/lfs/"))).toEqual([]);
  });

  it("prunes what is unfinished, or used by nothing", async () => {
    const { llm, platform } = open();
    const part = await platform.store.openPart("cd".repeat(32));
    await part.write(0, new Uint8Array(500));
    await part.save({ url: "x", done: [[0, 500]] });
    await part.release();
    await llm.pull("hf:owner/gguf:Q8_0");
    const stray = await platform.store.openPart("ce".repeat(32));
    await stray.write(0, new Uint8Array(700));
    const { digest } = await stray.commit({ size: 700 });
    utimesSync(join(folder, "models/blobs", digest), new Date(1), new Date(1));
    expect((await llm.prune({ dryRun: true })).map(({ bytes }) => bytes)).toEqual([500, 700]);
    expect((await llm.prune()).map(({ bytes }) => bytes)).toEqual([500, 700]);
    expect(await llm.prune()).toEqual([]);
    expect(blobs()).toHaveLength(1);
  });

  it.each([
    ["of a later version", (text: string) => text.replace('"schema": 1', '"schema": 7'), "got 7"],
    ["cut in the middle", (text: string) => text.slice(0, text.length / 2), "is damaged"],
  ])("a manifest %s is told and left out, and its files are not pruned", async (_, damage, says) => {
    const { llm } = open();
    await llm.pull("hf:owner/gguf:Q8_0");
    const manifest = join(folder, "models/manifests/hf/owner/gguf/q8_0.json");
    writeFileSync(manifest, damage(readFileSync(manifest, "utf8")));
    for (const digest of blobs()) utimesSync(join(folder, "models/blobs", digest), new Date(1), new Date(1));
    expect((await llm.list()).map(({ id }) => id)).toEqual(["tiny-stories", "tiny-t5-en-fr"]);
    expect(logged.map(({ message }) => message).join()).toContain(says);
    logged.length = 0;
    expect(await llm.prune()).toEqual([]);
    expect(blobs()).toHaveLength(1);
    expect(logged.map(({ message }) => message).join()).toContain(says);
  });

  it.each(["hf:owner/gguf:Q8_0", "hf:owner/gguf", "small"])(
    "a model with a damaged manifest is removed as %s, its other name too",
    async (name) => {
      const { llm } = open();
      await llm.pull("hf:owner/gguf:Q8_0", { as: "small" });
      await llm.pull("hf:owner/gguf:Q4_K_M", { as: "other" });
      writeFileSync(join(folder, "models/manifests/hf/owner/gguf/q8_0.json"), "{");
      expect((await failure(llm.info(name))).code).toBe("store-corrupt");
      expect(await llm.remove(name)).toEqual({ modelId: name, freedBytes: 0, keptFiles: [] });
      expect((await failure(llm.info("small"))).code).toBe("model-unknown");
      expect(await llm.info("other")).toMatchObject({ id: "hf:owner/gguf:Q4_K_M" });
      for (const digest of blobs()) utimesSync(join(folder, "models/blobs", digest), new Date(1), new Date(1));
      expect(await llm.prune()).toHaveLength(1);
      expect((await failure(llm.remove("hf:owner/gguf:Q8_0"))).code).toBe("model-not-installed");
    },
  );

  it("a name of one's own whose record is damaged goes; what it stood for stays", async () => {
    const { llm } = open();
    await llm.pull("hf:owner/gguf:Q8_0", { as: "small" });
    writeFileSync(join(folder, "models/manifests/as/small.json"), "[]");
    expect(await llm.remove("small")).toMatchObject({ modelId: "small" });
    expect((await failure(llm.remove("small"))).code).toBe("model-unknown");
    expect(await llm.info("hf:owner/gguf:Q8_0")).toMatchObject({ id: "hf:owner/gguf:Q8_0" });
  });
});
