/** Models of other tools, used where they lie: listed before their first use, marked, verified, named, and never deleted. */
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { Models } from "../../../src/core/api/models.ts";
import type { ByteSource } from "../../../src/core/formats/byte-source.ts";
import type { ForeignModels } from "../../../src/core/platform.ts";
import { nodeForeignModels } from "../../../src/node/store/foreign-models.ts";
import { splitFiles } from "../../fixtures/split-gguf.ts";
import { startFaultServer } from "../../support/fault-server.mjs";
import { gitSha1, writeHubCache } from "../support/hub-cache.ts";
import { type ModelTestSettings, openLocalLlm, sha256, tinyGguf, tinyT5 } from "../support/local-llm.ts";

let server: Awaited<ReturnType<typeof startFaultServer>>;
let folder: string;
beforeAll(async () => {
  server = await startFaultServer();
});
afterAll(() => server.close());
beforeEach(() => {
  server.reset();
  folder = mkdtempSync(join(tmpdir(), "llmspell-foreign-"));
  return () => rmSync(folder, { recursive: true, force: true });
});

const open = (settings: ModelTestSettings = {}) => openLocalLlm({ folder, url: server.url, settings }).llm;
const listed = async (llm = open()) => (await llm.list()).filter(({ bundled }) => !bundled);
const bad = async (llm: Models) => (await llm.verify()).filter(({ ok }) => !ok);
const stored = (): boolean => existsSync(join(folder, "models"));

const blob = (name: string, digest: string): string => join(folder, "hf", `models--${name.replace("/", "--")}`, "blobs", digest);

function cache(
  name: string,
  files: Readonly<Record<string, Uint8Array>>,
  options: { readonly main?: boolean; readonly revision?: string } = {},
): string {
  return writeHubCache(join(folder, "hf"), name, files, options);
}

/** As Ollama lays it out. */
function ollamaModel(path: string, bytes: Uint8Array): void {
  const manifest = server.addImage(path, [{ mediaType: "application/vnd.ollama.image.model", bytes }]);
  const [name = "", tag = ""] = path.split(":");
  mkdirSync(join(folder, "ollama/manifests/registry.ollama.ai", name), { recursive: true });
  mkdirSync(join(folder, "ollama/blobs"), { recursive: true });
  writeFileSync(join(folder, "ollama/manifests/registry.ollama.ai", name, tag), JSON.stringify(manifest));
  writeFileSync(join(folder, "ollama/blobs", `sha256-${sha256(bytes)}`), bytes);
}

describe("the list", () => {
  it("shows what Hugging Face's cache holds before anybody used it, marked, and writes nothing", async () => {
    const _snapshot = cache("owner/gguf", { "tiny.Q8_0.gguf": tinyGguf, "README.md": Buffer.from("# hi") });
    cache("google/flan-t5-small", tinyT5);
    expect(await listed()).toMatchObject([
      { id: "flan-t5-small", source: "hf-cache", format: "safetensors", architecture: "t5", license: "Apache-2.0", verified: "size" },
      {
        id: "hf:owner/gguf:Q8_0",
        backend: "candle",
        source: "hf-cache",
        architecture: "llama",
        quantization: "Q8_0",
        sizeBytes: tinyGguf.length,
        revision: "a".repeat(40),
        path: blob("owner/gguf", sha256(tinyGguf)),
        modifiedAt: expect.any(Number),
      },
    ]);
    expect(await open().status("candle")).toMatchObject({ candle: { models: 4 } });
    expect((await open().available({ search: "flan-t5-small" }))[0]).toMatchObject({ installed: true });
    expect([stored(), server.seen]).toEqual([false, []]);
    expect(await listed(open({ reuseHfCache: false }))).toEqual([]);
  });

  it("shows each by a name that leads to it", async () => {
    cache("owner/several", { "m.Q8_0.gguf": tinyGguf, "m-Q4_0.gguf": tinyGguf, "odd.gguf": tinyGguf });
    cache("owner/pinned", { "m.Q8_0.gguf": tinyGguf }, { main: false });
    cache("owner/split", await splitFiles("m-Q8_0", tinyGguf, 2));
    ollamaModel("library/tiny:latest", tinyGguf);
    ollamaModel("someone/tiny:Q8_0", tinyGguf);
    const llm = open({ offline: true, backends: ["candle", "ollama"] });
    const ids = (await listed(llm)).map(({ id }) => id);
    expect(ids).toEqual([
      `hf:owner/pinned:Q8_0#${"a".repeat(40)}`,
      "hf:owner/several:Q4_0",
      "hf:owner/several:Q8_0",
      "hf:owner/several/odd.gguf",
      "hf:owner/split:Q8_0",
      "ollama:tiny:latest@candle",
      "ollama:someone/tiny:Q8_0@candle",
    ]);
    for (const id of ids) expect((await llm.info(id)).id).toBe(id);
    expect((await listed(llm)).map(({ id }) => id).sort()).toEqual([...ids].sort());
  });

  it("leaves out what cannot run: other families, halves, broken files and strange folders", async () => {
    cache("owner/bert", { ...tinyT5, "config.json": Buffer.from('{"model_type":"bert","architectures":["BertModel"]}') });
    cache("owner/broken", { "m.Q8_0.gguf": Buffer.from("<!doctype html>") });
    const [first = ""] = Object.keys(await splitFiles("m", tinyGguf, 2));
    cache("owner/half", { [first]: (await splitFiles("m", tinyGguf, 2))[first] ?? new Uint8Array() });
    cache("owner/texts", { "README.md": Buffer.from("x") });
    mkdirSync(join(folder, "hf/models--nobody"), { recursive: true });
    mkdirSync(join(folder, "hf/datasets--owner--x"), { recursive: true });
    ollamaModel("library/tiny:latest", tinyGguf);
    rmSync(join(folder, "ollama/blobs"), { recursive: true });
    expect(await listed()).toEqual([]);
  });

  it("shows a model once, also after its first use", async () => {
    cache("owner/gguf", { "tiny.Q8_0.gguf": tinyGguf });
    const llm = open({ offline: true });
    await llm.info("hf:owner/gguf");
    expect(await listed(llm)).toMatchObject([{ id: "hf:owner/gguf:Q8_0", source: "hf-cache" }]);
  });
});

describe("notes on headers", () => {
  let kept: unknown;
  let reads: number;
  beforeEach(() => {
    kept = undefined;
  });

  /** A list by a program that starts anew. */
  async function listAnew(): Promise<readonly string[]> {
    const plain = nodeForeignModels({ HF_HUB_CACHE: join(folder, "hf"), OLLAMA_MODELS: join(folder, "ollama") });
    const counted = (source: ByteSource): ByteSource => ({
      ...source,
      read(...range) {
        reads += 1;
        return source.read(...range);
      },
    });
    const foreign: ForeignModels = {
      ...plain,
      async findHubFiles(...name) {
        const found = await plain.findHubFiles(...name);
        return found === undefined
          ? undefined
          : { ...found, files: found.files.map((file) => ({ ...file, source: counted(file.source) })) };
      },
      notes: {
        read: async () => kept,
        async write(value) {
          kept = JSON.parse(JSON.stringify(value));
        },
      },
    };
    reads = 0;
    const { llm } = openLocalLlm({ folder, url: server.url, more: { foreign } });
    return (await listed(llm)).map(({ id, architecture, quantization, sizeBytes }) => `${id} ${architecture} ${quantization} ${sizeBytes}`);
  }

  it("make the next list read none of them, of models and of what is no model here", async () => {
    cache("owner/gguf", { "tiny.Q8_0.gguf": tinyGguf });
    cache("owner/t5", tinyT5);
    cache("owner/broken", { "m.Q8_0.gguf": Buffer.from("<!doctype html>") });
    const first = await listAnew();
    expect([first.length, reads > 0]).toEqual([2, true]);
    expect(await listAnew()).toEqual(first);
    expect(reads).toBe(0);
  });

  it("do not count for a file that changed, for another version, and where they are damaged", async () => {
    const snapshot = cache("owner/gguf", { "tiny.Q8_0.gguf": tinyGguf });
    const first = await listAnew();
    utimesSync(join(snapshot, "tiny.Q8_0.gguf"), new Date(1), new Date(1));
    expect(await listAnew()).toEqual(first);
    expect(reads).toBeGreaterThan(0);
    const good = kept as { readonly models: Readonly<Record<string, object>> };
    const [[key, model] = ["", {}]] = Object.entries(good.models);
    const damaged = [{ ...good, version: "0.0.0" }, { ...good, models: { [key]: { ...model, format: "zip" } } }, "text", { models: [] }];
    for (const value of damaged) {
      kept = value;
      expect(await listAnew()).toEqual(first);
      expect([reads > 0, kept]).toEqual([true, good]);
    }
  });

  it("go with the files they were about", async () => {
    cache("owner/gguf", { "tiny.Q8_0.gguf": tinyGguf });
    await listAnew();
    rmSync(join(folder, "hf"), { recursive: true });
    expect(await listAnew()).toEqual([]);
    expect(kept).toMatchObject({ models: {} });
    expect(Object.keys((kept as { models: object }).models)).toEqual([]);
  });
});

describe("their files", () => {
  it("are used in place, offline too; nothing is copied, a pull fetches nothing", async () => {
    const _snapshot = cache("owner/t5", tinyT5, { revision: server.addRepo("owner/t5", { files: tinyT5 }) });
    const offline = open({ offline: true });
    expect(await offline.info("hf:owner/t5")).toMatchObject({
      source: "hf-cache",
      verified: "size",
      path: blob("owner/t5", gitSha1(tinyT5["config.json"] ?? new Uint8Array())),
    });
    expect(server.seen).toEqual([]);
    expect((await open().pull("hf:owner/t5", { as: "mine" })).bytesDownloaded).toBe(0);
    expect((await open().info("mine")).id).toBe("hf:owner/t5");
    await expect(open({ offline: true, reuseHfCache: false }).pull("hf:owner/t5", { force: true })).rejects.toMatchObject({
      code: "net-offline",
    });
    expect(existsSync(join(folder, "models/blobs"))).toBe(false);
  });

  it("get a name with --as before their first use, without a network", async () => {
    cache("owner/gguf", { "tiny.Q8_0.gguf": tinyGguf });
    const llm = open({ offline: true });
    await llm.pull("hf:owner/gguf", { as: "mine" });
    expect(await listed(llm)).toMatchObject([{ id: "hf:owner/gguf:Q8_0", aliases: ["mine"], source: "hf-cache" }]);
    expect(await llm.remove("mine")).toMatchObject({ modelId: "hf:owner/gguf:Q8_0", freedBytes: 0, keptFiles: { length: 1 } });
  });

  it("are verified against the hash their owner recorded, used before or not; that is noted", async () => {
    const snapshot = cache("owner/gguf", { "tiny.Q8_0.gguf": tinyGguf });
    const llm = open({ offline: true });
    expect(await llm.verify("hf:owner/gguf")).toMatchObject([{ file: "tiny.Q8_0.gguf", ok: true, expected: sha256(tinyGguf) }]);
    expect(await listed(llm)).toMatchObject([{ source: "hf-cache", verified: "sha256" }]);
    const changed = Buffer.from(tinyGguf);
    changed[1_000_000] = (changed[1_000_000] ?? 0) ^ 1;
    const path = join(snapshot, "tiny.Q8_0.gguf");
    writeFileSync(path, changed);
    utimesSync(path, new Date(1), new Date(1));
    expect(await bad(llm)).toMatchObject([{ expected: sha256(tinyGguf), actual: sha256(changed) }]);
    await expect(llm.info("hf:owner/gguf")).rejects.toMatchObject({ code: "store-corrupt" });
  });

  it("are verified with git's hash where the cache has no other, as for the small files of a T5 folder", async () => {
    const snapshot = cache("owner/t5", tinyT5);
    const llm = open({ offline: true });
    const config = tinyT5["config.json"] ?? new Uint8Array();
    expect(await llm.verify("hf:owner/t5")).toContainEqual(
      expect.objectContaining({ file: "config.json", ok: true, expected: gitSha1(config) }),
    );
    expect(await listed(llm)).toMatchObject([{ source: "hf-cache", verified: "sha256" }]);
    const changed = Buffer.from(Buffer.from(config).toString().replace('"d_model": 192', '"d_model": 191'));
    expect(changed.equals(config)).toBe(false);
    writeFileSync(join(snapshot, "config.json"), changed);
    expect(await llm.verify()).toContainEqual(
      expect.objectContaining({ file: "config.json", ok: false, expected: gitSha1(config), actual: gitSha1(changed) }),
    );
  });

  it("are never deleted: remove forgets them, prune does not see them, and they are listed again", async () => {
    const _snapshot = cache("owner/gguf", { "tiny.Q8_0.gguf": tinyGguf });
    ollamaModel("library/tiny:latest", tinyGguf);
    const llm = open({ offline: true });
    const before = await listed(llm);
    const files = [blob("owner/gguf", sha256(tinyGguf)), join(folder, "ollama/blobs", `sha256-${sha256(tinyGguf)}`)];
    for (const isUsed of [false, true]) {
      for (const [index, spec] of ["hf:owner/gguf", "ollama:tiny"].entries()) {
        if (isUsed) await llm.info(spec);
        expect(await llm.remove(spec)).toMatchObject({ freedBytes: 0, keptFiles: [files[index]] });
      }
      expect(await llm.prune()).toEqual([]);
    }
    for (const file of files) expect(sha256(readFileSync(file))).toBe(sha256(tinyGguf));
    expect(await listed(llm)).toEqual(before);
  });

  it("that go away are told with the pull command", async () => {
    const _snapshot = cache("owner/gguf", { "tiny.Q8_0.gguf": tinyGguf });
    const llm = open({ offline: true });
    await llm.info("hf:owner/gguf");
    rmSync(join(folder, "hf"), { recursive: true });
    await expect(llm.info("hf:owner/gguf")).rejects.toMatchObject({
      code: "store-evicted",
      actions: [{ kind: "pull", model: "hf:owner/gguf:Q8_0" }],
    });
    expect(await bad(llm)).toMatchObject([{ actual: null }]);
    expect(readdirSync(join(folder, "models/manifests"))).toEqual(["hf"]);
  });

  it("in Ollama's store run without a copy", async () => {
    ollamaModel("library/tiny:latest", tinyGguf);
    const llm = open({ offline: true });
    expect((await llm.generate("ollama:tiny", "Once", { maxTokens: 3 })).model).toBe("ollama:tiny:latest@candle");
    expect((await llm.verify("ollama:tiny"))[0]).toMatchObject({ ok: true, expected: sha256(tinyGguf) });
    expect((await listed(llm))[0]).toMatchObject({ loaded: true, verified: "sha256", source: "ollama-store" });
    expect(await llm.unload()).toBe(1);
    expect(existsSync(join(folder, "models/blobs"))).toBe(false);
  });
});
