/** LocalLLM over a scripted hub and registry, with the files of the bundled models. Rows 82, 85–87, 92, D19, D28–D32. */
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { PullOffer, PullResult } from "../../src/core/api/models/records.ts";
import { createSpell } from "../../src/core/api/spell.ts";
import type { PullEvent } from "../../src/core/download/pull.ts";
import { builtinCatalogue, readCatalogue } from "../../src/core/hub/catalogue.ts";
import type { LogEntry, Platform } from "../../src/core/platform.ts";
import type { ModelSettings } from "../../src/core/spec/model-settings.ts";
import { memoryStore } from "../../src/core/testing/memory-store.ts";
import { fsArtifactStore } from "../../src/node/store/fs-artifact-store.ts";
import { failure } from "../support/failure.ts";
import { startFaultServer } from "../support/fault-server.mjs";
import { tinyGguf as gguf, openLocalLlm, sha256, tinyT5 as t5 } from "./support/local-llm.ts";

let server: Awaited<ReturnType<typeof startFaultServer>>;
let folder: string;
let logged: LogEntry[];
beforeAll(async () => {
  server = await startFaultServer();
});
afterAll(() => server.close());
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "llmspell-models-"));
  server.reset();
  server.repos.clear();
  server.images.clear();
  server.addRepo("owner/gguf", {
    files: {
      "README.md": Buffer.from("# hi\n"),
      "tiny.Q8_0.gguf": gguf,
      "tiny.Q4_K_M.gguf": Buffer.concat([gguf, Buffer.alloc(64)]),
      "mmproj-F16.gguf": gguf,
    },
  });
  server.addRepo("owner/t5", { files: t5 });
  logged = [];
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const open = (settings: Partial<ModelSettings> = {}, more: Partial<Platform> = {}) =>
  openLocalLlm({ folder, url: server.url, logged, settings, more });

const blobs = (): readonly string[] => (existsSync(join(folder, "models/blobs")) ? readdirSync(join(folder, "models/blobs")) : []);
const parts = (): readonly string[] => (existsSync(join(folder, "models/parts")) ? readdirSync(join(folder, "models/parts")) : []);

describe("the catalogue", () => {
  it("holds what the specification lists, each entry whole", () => {
    const entries = builtinCatalogue();
    expect(entries.map(({ name }) => name)).toEqual(
      "tiny-stories tiny-t5-en-fr tinyllama phi-2 qwen2-0.5b qwen2.5-0.5b qwen3-0.6b smollm2-135m smollm2-360m llama3.2-1b gemma3-1b gemma3-270m flan-t5-small flan-t5-base flan-t5-large t5-small t5-base t5-large".split(
        " ",
      ),
    );
    expect(entries.filter(({ recommended }) => recommended).map(({ name }) => name)).toEqual([
      "qwen2.5-0.5b",
      "smollm2-135m",
      "smollm2-360m",
      "llama3.2-1b",
      "flan-t5-small",
    ]);
  });

  it("takes another list, whose names win; and says what is wrong with one", async () => {
    const table = (more: string): string =>
      `[[model]]\nname = "phi-2"\ndescription = "mine"\nkind = "chat"\nsource = "hf:me/phi"\nsize_bytes = 1\nparameter_count = 1\ncontext_length = 1\nlicense = "MIT"\n${more}`;
    const merged = await readCatalogue(table(""));
    expect(merged.filter(({ name }) => name === "phi-2")).toMatchObject([{ description: "mine", source: { owner: "me", repo: "phi" } }]);
    expect(merged).toHaveLength(builtinCatalogue().length);
    expect(await failure(readCatalogue(table("colour = 1")))).toMatchObject({ code: "config-value", where: "colour" });
    expect(await failure(readCatalogue(table("").replace('kind = "chat"', 'kind = "oracle"')))).toMatchObject({
      code: "config-value",
      where: "kind",
    });
    expect(await failure(readCatalogue("[[model]\n"))).toMatchObject({ code: "config-syntax", where: "line 1" });
  });
});

describe("pull", () => {
  it("fetches the default quant, verifies, writes the manifest last, and answers at once the second time", async () => {
    const { llm } = open();
    const seen: PullResult[] = [];
    const result = await llm.pull("hf:owner/gguf", { on_progress: (progress) => seen.push(progress) });
    expect(result).toMatchObject({
      model_id: "hf:owner/gguf:Q4_K_M",
      backend: "candle",
      status: "complete",
      percent_complete: 100,
      verified: "sha256",
      already_present: false,
      bytes_total: gguf.length + 64,
    });
    expect(seen[0]).toMatchObject({ status: "starting" });
    expect([...new Set(seen.map(({ status }) => status))]).toEqual(["starting", "downloading", "verifying", "complete"]);
    expect(seen.at(-1)).toEqual(result);
    expect(blobs()).toEqual([`sha256-${sha256(Buffer.concat([gguf, Buffer.alloc(64)]))}`]);
    expect(parts()).toEqual([]);
    server.reset();
    expect(await llm.pull("HF:Owner/GGUF:q4_k_m")).toMatchObject({ already_present: true, status: "complete", bytes_downloaded: 0 });
    expect(server.seen).toEqual([]);
    expect(await llm.list("candle")).toMatchObject([
      { id: "tiny-stories", bundled: true },
      { id: "tiny-t5-en-fr" },
      {
        id: "hf:owner/gguf:Q4_K_M",
        architecture: "llama",
        format: "gguf",
        source: "hf:owner/gguf",
        revision: expect.stringMatching(/^[0-9a-f]{40}$/),
        license: "apache-2.0",
      },
    ]);
  });

  it("runs what it fetched; a catalogue name goes by its short name", async () => {
    server.addRepo("google/flan-t5-small", { files: t5 });
    const { llm } = open();
    const events: PullEvent["type"][] = [];
    await llm.pull("flan-t5-small", { onEvent: ({ type }) => events.push(type as PullEvent["type"]) });
    expect([events[0], events.at(-1)]).toEqual(["download-start", "download-end"]);
    expect(await llm.info("flan-t5-small:q4")).toMatchObject({
      id: "flan-t5-small",
      quantization: "q4",
      architecture: "t5",
      license: "Apache-2.0",
      files: { length: 5 },
    });
    expect((await failure(llm.info("flan-t5-small:q5"))).code).toBe("model-variant-unknown");
    await llm.pull("hf:owner/gguf:Q8_0");
    const result = await llm.generate("hf:owner/gguf:Q8_0", "Once", { maxTokens: 3 });
    expect(result).toMatchObject({ model: "hf:owner/gguf:Q8_0", backend: "candle", finish_reason: "length", completion_tokens: 3 });
    const loaded = async () => (await llm.list()).flatMap((model) => (model.loaded ? [model.id] : []));
    expect(await loaded()).toEqual(["hf:owner/gguf:Q8_0"]);
    expect(await llm.unload()).toBe(1);
    expect(await loaded()).toEqual([]);
  });

  it("fetches all shards of a split GGUF, and every file of a T5 folder", async () => {
    const { llm } = open();
    expect((await llm.pull("hf:owner/t5")).files).toBe(5);
    server.addRepo("owner/split", {
      files: { "m-Q8_0-00001-of-00002.gguf": gguf, "m-Q8_0-00002-of-00002.gguf": gguf, "other.txt": Buffer.from("x") },
    });
    const plan = await llm.plan("hf:owner/split:q8_0");
    expect(plan.plan?.files.map((file) => (file.kind === "remote" ? file.remote.path : ""))).toEqual([
      "m-Q8_0-00001-of-00002.gguf",
      "m-Q8_0-00002-of-00002.gguf",
    ]);
    server.addRepo("owner/holes", { files: { "m-Q8_0-00001-of-00003.gguf": gguf } });
    expect((await failure(llm.pull("hf:owner/holes"))).code).toBe("gguf-shard");
  });

  it("gives files of a split model their names in one folder, without a copy", async () => {
    const { platform } = open();
    const part = await platform.store.openPart("ab".repeat(32));
    await part.write(0, new Uint8Array(1000));
    const { digest } = await part.commit({ size: 1000 });
    const [one, two] = [
      await platform.store.openBlob(digest, "m-00001-of-00002.gguf", "g"),
      await platform.store.openBlob(digest, "m-00002-of-00002.gguf", "g"),
    ];
    expect([one.path?.endsWith("/m-00001-of-00002.gguf"), two.path?.endsWith("/m-00002-of-00002.gguf")]).toEqual([true, true]);
    await platform.store.removeBlob(digest);
    expect(existsSync(one.path ?? "")).toBe(false);
  });

  it("names a local file without copying it, and never deletes it", async () => {
    const path = join(folder, "mine.gguf");
    writeFileSync(path, gguf);
    const { llm } = open();
    expect((await failure(llm.pull(path))).code).toBe("usage-value");
    expect((await failure(llm.pull(path, { as: "phi-2" }))).code).toBe("usage-value");
    expect((await failure(llm.pull(path, { as: "../x" }))).code).toBe("spec-syntax");
    await llm.pull(path, { as: "Mine" });
    expect(blobs()).toEqual([]);
    expect(await llm.info("mine")).toMatchObject({ id: "Mine", source: "file", path, verified: "none" });
    expect(await llm.remove("mine")).toMatchObject({ model_id: "Mine", freed_bytes: 0, kept_files: [path] });
    expect(existsSync(path)).toBe(true);
  });

  it("gives a second name with --as; removing takes names along, and files that nothing else uses", async () => {
    const { llm } = open();
    await llm.pull("hf:owner/gguf:Q8_0", { as: "small" });
    await llm.pull("hf:owner/gguf:Q4_K_M");
    expect((await llm.list()).find(({ id }) => id === "hf:owner/gguf:Q8_0")?.aliases).toEqual(["small"]);
    expect((await llm.info("small")).id).toBe("hf:owner/gguf:Q8_0");
    expect(await llm.remove("small")).toEqual({ model_id: "hf:owner/gguf:Q8_0", freed_bytes: gguf.length, kept_files: [] });
    expect(blobs()).toHaveLength(1);
    expect((await failure(llm.info("small@candle"))).code).toBe("model-unknown");
    expect((await failure(llm.remove("tiny-stories"))).code).toBe("model-bundled");
    expect(await llm.verify("Tiny-Stories")).toEqual([
      { model_id: "tiny-stories", file: "tiny-stories.gguf", ok: true, expected: sha256(gguf), actual: sha256(gguf) },
    ]);
    expect((await failure(llm.remove("hf:owner/gguf:Q8_0"))).code).toBe("model-not-installed");
  });

  it("keeps one copy of a file that two models have", async () => {
    server.addRepo("other/gguf", { files: { "x.Q8_0.gguf": gguf } });
    const { llm } = open();
    await llm.pull("hf:owner/gguf:Q8_0");
    server.reset();
    await llm.pull("hf:other/gguf");
    expect(server.seen.every(({ path }) => path.startsWith("/api/"))).toBe(true);
    expect(blobs()).toHaveLength(1);
    expect((await llm.remove("hf:owner/gguf:Q8_0")).freed_bytes).toBe(0);
    expect(blobs()).toHaveLength(1);
  });

  it("says which variants there are", async () => {
    const { llm } = open();
    expect(await failure(llm.pull("hf:owner/gguf:Q2_K"))).toMatchObject({
      code: "model-variant-unknown",
      details: { variants: ["Q8_0", "Q4_K_M"] },
      commands: ["llmspell model pull hf:owner/gguf:Q8_0"],
    });
    expect(await failure(llm.pull("hf:owner/gguf:Q8_0", { quantization: "Q4_K_M" }))).toMatchObject({ code: "usage-value" });
    expect((await llm.plan("hf:owner/gguf")).plan?.variants).toEqual([
      { name: "Q8_0", sizeBytes: gguf.length },
      { name: "Q4_K_M", sizeBytes: gguf.length + 64 },
    ]);
    server.addRepo("owner/odd", { files: { "a.gguf": gguf, "b.gguf": gguf } });
    expect((await failure(llm.pull("hf:owner/odd"))).code).toBe("model-ambiguous");
    server.addRepo("owner/none", { files: { "readme.txt": Buffer.from("x") } });
    expect((await failure(llm.pull("hf:owner/none"))).code).toBe("model-layout");
    await llm.pull("hf:owner/gguf:Q8_0");
    await llm.pull("hf:owner/gguf:Q4_K_M");
    expect((await llm.info("hf:owner/gguf")).id).toBe("hf:owner/gguf:Q4_K_M");
    expect((await failure(open({ defaultQuantization: "Q5_K_M" }).llm.info("hf:owner/gguf"))).code).toBe("model-ambiguous");
  });

  it("without a variant fetches what the source gives then, whatever else is here; asked once, it knows", async () => {
    const { llm } = open();
    await llm.pull("hf:owner/gguf:Q8_0");
    expect(await llm.pull("hf:owner/gguf")).toMatchObject({ model_id: "hf:owner/gguf:Q4_K_M", already_present: false });
    server.addRepo("owner/only", { files: { "m.Q8_0.gguf": gguf } });
    await llm.pull("hf:owner/only:Q8_0");
    expect(await llm.pull("hf:owner/only")).toMatchObject({ already_present: true, bytes_downloaded: 0 });
    server.reset();
    for (const spec of ["hf:owner/gguf", "hf:owner/only", "hf:owner/only:Q8_0"])
      expect(await llm.pull(spec)).toMatchObject({ already_present: true });
    expect(server.seen).toEqual([]);
    const other = open({ defaultQuantization: "Q8_0" }).llm;
    expect((await other.pull("hf:owner/gguf")).model_id).toBe("hf:owner/gguf:Q8_0");
  });

  it("82 a file that is not in the repository → net-not-found with the files there are", async () => {
    expect(await failure(open().llm.pull("hf:owner/gguf/nope.gguf"))).toMatchObject({
      code: "net-not-found",
      details: { files: expect.arrayContaining(["tiny.Q8_0.gguf"]) },
    });
    expect((await failure(open().llm.pull("hf:owner/gguf#nope"))).code).toBe("net-not-found");
  });

  it("92 a gated repository → net-gated with the page and the variable; with the token it comes, and no other host sees it", async () => {
    server.addRepo("meta/gated", { gated: true, files: { "m.Q8_0.gguf": gguf } });
    expect(await failure(open().llm.pull("hf:meta/gated"))).toMatchObject({
      code: "net-gated",
      hint: expect.stringContaining(`${server.url}/meta/gated`),
      commands: ["export HF_TOKEN=…"],
    });
    expect((await failure(open({ hfToken: () => "wrong" }).llm.pull("hf:meta/gated"))).code).toBe("net-gated");
    await open({ hfToken: () => server.token }).llm.pull("hf:meta/gated");
    expect(server.seen.filter(({ host, headers }) => host === "cdn" && headers.authorization !== undefined)).toEqual([]);
    expect((await failure(open().llm.pull("hf:no/such"))).code).toBe("net-auth");
  });

  it("offline → net-offline, before anything is asked; what is here still runs", async () => {
    await open().llm.pull("hf:owner/gguf:Q8_0");
    server.reset();
    const { llm } = open({ offline: true });
    expect((await failure(llm.pull("hf:owner/gguf:Q4_K_M"))).code).toBe("net-offline");
    expect((await llm.generate("hf:owner/gguf:Q8_0", "x", { maxTokens: 1 })).completion_tokens).toBe(1);
    expect(server.seen).toEqual([]);
  });

  it("85 a login page, or something that is no model → nothing stored", async () => {
    const page = Buffer.from("<!doctype html><title>log in</title>");
    server.addRepo("owner/page", { files: { "m.Q8_0.gguf": page } });
    const error = await failure(open().llm.pull("hf:owner/page"));
    expect(error.code).toBe("gguf-magic");
    expect([
      blobs(),
      await open()
        .llm.listAll("candle")
        .then(({ models: list }) => list.length),
    ]).toEqual([[], 2]);
  });

  it.each<[string, string, unknown]>([
    ["no object", "net-status", [1]],
    ["no commit", "net-status", { siblings: [] }],
    ["no list", "net-status", { sha: "a".repeat(40), siblings: {} }],
    ["a size of −1", "net-status", { sha: "a".repeat(40), siblings: [{ rfilename: "m.gguf", size: -1 }] }],
    ["a size of 1e30", "net-status", { sha: "a".repeat(40), siblings: [{ rfilename: "m.gguf", size: 1e30 }] }],
    [
      "a hash that is a path",
      "net-status",
      { sha: "a".repeat(40), siblings: [{ rfilename: "m.gguf", size: 1, lfs: { size: 1, sha256: "../../x" } }] },
    ],
    [
      "50,000 files",
      "net-status",
      { sha: "a".repeat(40), siblings: Array.from({ length: 50_000 }, (_, i) => ({ rfilename: `${i}.txt`, size: 1 })) },
    ],
  ])("86 a list with %s → %s", async (_, code, value) => {
    server.plan("/api/models", [{ body: JSON.stringify(value), headers: { "content-type": "application/json" } }]);
    expect((await failure(open().llm.pull("hf:owner/gguf"))).code).toBe(code);
    expect(blobs()).toEqual([]);
  });

  it("86 89 a list of 50 MiB, packed or not → net-too-big; one that is no UTF-8 → net-status", async () => {
    const { gzipSync } = await import("node:zlib");
    const huge = Buffer.alloc(50 * 1024 * 1024, 0x20);
    server.plan("/api/models", [
      { body: huge },
      { body: gzipSync(huge), headers: { "content-encoding": "gzip" } },
      { body: Buffer.from([0x7b, 0xff, 0x7d]) },
    ]);
    const { llm } = open();
    expect((await failure(llm.pull("hf:owner/gguf"))).code).toBe("net-too-big");
    expect((await failure(llm.pull("hf:owner/gguf"))).code).toBe("net-too-big");
    expect((await failure(llm.pull("hf:owner/gguf"))).code).toBe("net-status");
  });

  it("81 a path that leads upwards in a repository's list is no file of a model", async () => {
    const evil = {
      sha: "a".repeat(40),
      siblings: [
        { rfilename: "../../evil.Q8_0.gguf", size: 5 },
        { rfilename: "a/../b.gguf", size: 5 },
        { rfilename: "CON", size: 1 },
      ],
    };
    server.plan("/api/models", [{ body: JSON.stringify(evil) }]);
    expect((await failure(open().llm.pull("hf:owner/gguf"))).code).toBe("model-layout");
  });

  it("D19 too little room → store-full with both numbers, before a byte comes", async () => {
    const store = { ...fsArtifactStore(join(folder, "models")), space: async () => ({ free: 100_000_000 }) };
    expect(await failure(open({}, { store }).llm.pull("hf:owner/gguf"))).toMatchObject({
      code: "store-full",
      details: { neededBytes: expect.any(Number), freeBytes: 100_000_000 },
      commands: ["llmspell model prune"],
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
      { model_id: "hf:owner/gguf:Q8_0", file: "tiny.Q8_0.gguf", ok: false, expected: sha256(gguf), actual: sha256(changed) },
    ]);
    expect(await failure(llm.info("hf:owner/gguf:Q8_0"))).toMatchObject({
      code: "store-corrupt",
      commands: ["llmspell model pull --force hf:owner/gguf:Q8_0"],
    });
    await llm.pull("hf:owner/gguf:Q8_0", { force: true });
    expect((await llm.verify()).every(({ ok }) => ok)).toBe(true);
    appendFileSync(path, "x");
    expect((await failure(llm.info("hf:owner/gguf:Q8_0"))).code).toBe("store-corrupt");
    rmSync(path);
    expect((await failure(llm.info("hf:owner/gguf:Q8_0"))).code).toBe("store-evicted");
    expect(await llm.pull("hf:owner/gguf:Q8_0")).toMatchObject({ already_present: false });
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
    const error = await failure(llm.pull("hf:owner/t5", { on_progress: (progress) => seen.push(progress) }));
    expect(seen.at(-1)).toMatchObject({ status: "failed", model_id: "hf:owner/t5" });
    expect(error).toMatchObject({
      code: "net-status",
      message: expect.stringContaining("tokenizer.json"),
      commands: ["llmspell model pull hf:owner/t5"],
    });
    expect(blobs()).toHaveLength(4);
    expect(await platform.store.listManifests()).toEqual([]);
    server.reset();
    await llm.pull("hf:owner/t5");
    expect(server.seen.filter(({ path }) => path.includes("model.safetensors") || path.includes("/lfs/"))).toEqual([]);
  });

  it("a URL comes with its own hash recorded, or held to the one it names", async () => {
    server.files.set("m.gguf", gguf);
    const { llm } = open();
    const url = `${server.url}/files/m.gguf`;
    expect((await failure(llm.pull(url))).code).toBe("spec-host");
    const allowHosts = ["127.0.0.1"];
    expect(await llm.pull(url, { allowHosts })).toMatchObject({ verified: "size", model_id: url });
    expect((await failure(llm.pull(`${url}#sha256=${"0".repeat(64)}`, { allowHosts, force: true }))).code).toBe("net-hash");
    expect(await llm.pull(`${url}#sha256=${sha256(gguf)}`, { allowHosts, force: true })).toMatchObject({ verified: "sha256" });
  });

  it("reads a header over the network without fetching weights", async () => {
    const info = await open().llm.info("hf:owner/t5", { remote: true });
    expect(info).toMatchObject({ architecture: "t5", format: "safetensors", context_length: 512, files: { length: 5 } });
    expect(server.seen.reduce((sum, { sent }) => sum + sent, 0)).toBeLessThan(600_000);
    expect(blobs()).toEqual([]);
  });

  it("says how long a pull will take by what earlier ones from the same host took, and nothing where there were none", async () => {
    server.addRepo("other/gguf", { files: { "x.Q8_0.gguf": Buffer.concat([gguf, Buffer.alloc(1000)]) } });
    const { llm, platform } = open();
    expect(await llm.offer("hf:owner/gguf:Q4_K_M")).toMatchObject({
      missingBytes: gguf.length + 64,
      contextLength: 512,
      fits: { device: "cpu", needed_bytes: expect.any(Number), available_bytes: 8e9, ok: true },
      freeBytes: expect.any(Number),
    });
    expect((await llm.plan("hf:owner/gguf:Q4_K_M")).expected).toBeUndefined();
    await llm.pull("hf:owner/gguf:Q8_0");
    const [key = []] = await platform.store.listManifests();
    const manifest = (await platform.store.readManifest(key)) as { readonly transfer: { readonly ms: number } };
    const host = new URL(server.url).host;
    expect(manifest.transfer).toEqual({ host, bytes: gguf.length, ms: expect.any(Number) });
    expect(manifest.transfer.ms).toBeGreaterThan(0);
    await platform.store.writeManifest(key, { ...manifest, transfer: { host, bytes: 10_000_000, ms: 4000 } });
    const expected = { host, bytesPerSecond: 2_500_000, seconds: (gguf.length + 1000) / 2_500_000 };
    expect((await llm.offer("hf:other/gguf")).expected).toEqual(expected);
    server.reset();
    expect(await llm.plan("hf:owner/gguf:Q8_0")).toEqual({
      id: "hf:owner/gguf:Q8_0",
      backend: "candle",
      sizeBytes: gguf.length,
      missingBytes: 0,
    });
    expect(server.seen).toEqual([]); // it is up to date, as a pull would say
    await platform.store.writeManifest(key, { ...manifest, transfer: { host: "elsewhere.example", bytes: 10_000_000, ms: 4000 } });
    expect((await llm.plan("hf:other/gguf")).expected).toBeUndefined();
    await platform.store.writeManifest(key, { ...manifest, transfer: { host, bytes: -1, ms: 0 } });
    expect((await failure(llm.info("hf:owner/gguf:Q8_0"))).code).toBe("store-corrupt");
  });

  it("an offer of what would not run ends with its defect; one whose headers cannot be read says the size alone", async () => {
    server.addRepo("owner/page", { files: { "m.Q8_0.gguf": Buffer.from("<!doctype html><title>log in</title>") } });
    const { llm } = open();
    expect((await failure(llm.offer("hf:owner/page"))).code).toBe("gguf-magic");
    server.plan(
      "/lfs/",
      Array.from({ length: 9 }, () => ({ status: 500 })),
    );
    const offer = await llm.offer("hf:owner/gguf");
    expect([offer.missingBytes, offer.fits]).toEqual([gguf.length + 64, undefined]);
    expect(blobs()).toEqual([]);
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
    ["of a later version", (text: string) => text.replace('"schema": 1', '"schema": 7'), "schema 7"],
    ["cut in the middle", (text: string) => text.slice(0, text.length / 2), "is no record of ours"],
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
});

describe("load() of a model that is not here", () => {
  const spellOf = () =>
    createSpell({
      platform: open().platform,
      config: { models: { hf_endpoint: server.url }, providers: { candle: { context_size: 256 } } },
      env: {},
    });

  it("fetches nothing unless it was told to, and says how", async () => {
    const { load } = spellOf();
    expect(await failure(load("hf:owner/gguf:Q8_0"))).toMatchObject({
      code: "model-not-installed",
      commands: ["llmspell model pull hf:owner/gguf:Q8_0@candle"],
    });
    expect((await failure(load("hf:owner/gguf:Q8_0", { pull: false }))).code).toBe("model-not-installed");
    expect(server.seen).toEqual([]);
  });

  it("is offered with size, memory at its context and room; fetched where the answer is yes, and then not offered again", async () => {
    const { load } = spellOf();
    const offers: PullOffer[] = [];
    const answer = (yes: boolean) => (offer: PullOffer) => {
      offers.push(offer);
      return Promise.resolve(yes);
    };
    expect((await failure(load("hf:owner/gguf:Q8_0", { pull: answer(false) }))).code).toBe("model-not-installed");
    expect(blobs()).toEqual([]);
    const events: string[] = [];
    const model = await load("hf:owner/gguf:Q8_0", { pull: answer(true), onPull: ({ type }) => events.push(type), contextSize: 128 });
    expect(model.id).toBe("hf:owner/gguf:Q8_0");
    expect([events[0], events.at(-1)]).toEqual(["download-start", "download-end"]);
    expect(offers).toMatchObject([
      { id: "hf:owner/gguf:Q8_0", missingBytes: gguf.length, contextLength: 256, freeBytes: expect.any(Number) },
      { contextLength: 128 },
    ]);
    const [needed, less] = offers.map(({ fits }) => fits?.needed_bytes ?? 0);
    expect(needed).toBeGreaterThan(less ?? 0);
    await load("hf:owner/gguf:Q8_0", { pull: answer(true) });
    expect(offers).toHaveLength(2);
  });

  it("is fetched without a question with `true`, its size in the log; a name that nobody has stays an error", async () => {
    const { load } = spellOf();
    expect((await load("hf:owner/gguf:Q8_0", { pull: true })).id).toBe("hf:owner/gguf:Q8_0");
    expect(logged).toContainEqual({ level: "info", message: "pulling hf:owner/gguf:Q8_0, 3,121,440 bytes" });
    expect((await failure(load("hf:no/such", { pull: true }))).code).toBe("net-auth");
    expect((await failure(load("nonsense", { pull: true }))).code).toBe("model-unknown");
  });
});

describe("the Ollama registry", () => {
  const image = (): void => {
    server.addImage("library/tiny:1b", [
      { mediaType: "application/vnd.ollama.image.model", bytes: gguf },
      { mediaType: "application/vnd.ollama.image.template", bytes: Buffer.from("{{ .Prompt }}") },
      { mediaType: "application/vnd.ollama.image.license", bytes: Buffer.from("MIT") },
    ]);
  };

  it("gives a model by digest", async () => {
    image();
    const { llm } = open();
    expect(await llm.pull("ollama:tiny:1b")).toMatchObject({ model_id: "ollama:tiny:1b@candle", verified: "sha256" });
    expect(blobs()).toEqual([`sha256-${sha256(gguf)}`]);
    expect((await failure(llm.pull("ollama:nope"))).code).toBe("net-not-found");
  });

  type Manifest = { config: { size: number }; layers: { mediaType: string; digest: string; size: number }[] };
  it.each<[string, (manifest: Manifest) => void, string]>([
    ["86 a digest that is a path", (m) => (m.layers[0]!.digest = "sha256:../../x"), "net-status"],
    ["86 a size of −1", (m) => (m.layers[0]!.size = -1), "net-status"],
    ["86 10,000 layers", (m) => (m.layers = Array.from({ length: 10_000 }, () => m.layers[1]!)), "net-too-big"],
    ["86 an unknown layer", (m) => (m.layers[1]!.mediaType = "application/x-evil"), "net-status"],
    ["87 a blob twice", (m) => m.layers.push(m.layers[0]!), "net-size"],
    ["87 a size that is not the blob's", (m) => (m.layers[0]!.size += 1), "net-size"],
    ["87 a configuration of 1 GB", (m) => (m.config.size = 1e9), "net-size"],
  ])("%s → refused, nothing stored", async (_, spoil, code) => {
    image();
    spoil(server.images.get("library/tiny:1b")?.manifest as Manifest);
    expect((await failure(open().llm.pull("ollama:tiny:1b"))).code).toBe(code);
    expect(blobs()).toEqual([]);
  });

  it("D30 a token service on another host → net-auth; nothing is sent there", async () => {
    image();
    server.plan("/manifests/", [{ status: 401, headers: { "www-authenticate": `Bearer realm="${server.cdnUrl}/token",service="x"` } }]);
    expect(await failure(open().llm.pull("ollama:tiny:1b"))).toMatchObject({
      code: "net-auth",
      message: expect.stringContaining(server.cdnUrl.slice(7)),
    });
    expect(server.seen.filter(({ host }) => host === "cdn")).toEqual([]);
  });

  it("a token service of the registry's own is asked, and its token used", async () => {
    image();
    server.plan("/manifests/", [
      { status: 401, headers: { "www-authenticate": `Bearer realm="${server.url}/files/token",service="x",scope="pull"` } },
    ]);
    server.files.set("token", Buffer.from('{"token":"abc"}'));
    await open().llm.pull("ollama:tiny:1b");
    expect(
      server.seen.filter(({ path, headers }) => path.includes("/v2/") && headers.authorization === "Bearer abc").length,
    ).toBeGreaterThan(1);
    expect(server.seen.find(({ path }) => path.startsWith("/files/token"))?.path).toContain("scope=pull");
    expect(server.seen.filter(({ host, headers }) => host === "cdn" && headers.authorization !== undefined)).toEqual([]);
  });
});

describe("backends", () => {
  it("are chosen by what is declared, never by what answers", async () => {
    const both = open({ backends: ["candle", "ollama"] }).llm;
    expect((await both.plan("llama3.2:1b")).backend).toBe("ollama");
    expect((await failure(open().llm.pull("llama3.2:1b"))).code).toBe("model-unknown");
    expect((await failure(open().llm.pull("x@ollama"))).code).toBe("backend-not-configured");
    expect((await failure(open({ backends: ["ollama"] }).llm.pull("hf:a/b"))).code).toBe("backend-not-configured");
    expect((await failure(both.pull("x@pluto"))).code).toBe("backend-unknown");
    expect((await failure(both.list("pluto"))).code).toBe("backend-unknown");
    expect(server.seen).toEqual([]);
  });

  it("that fail are told, not hidden", async () => {
    const { llm } = open({ backends: ["candle", "ollama"] });
    const { models: list, backends } = await llm.listAll();
    expect([list.length, backends.map(({ backend, ok }) => [backend, ok])]).toEqual([
      2,
      [
        ["candle", true],
        ["ollama", false],
      ],
    ]);
    expect(backends[1]?.error).toMatchObject({ code: "ollama-unreachable", commands: ["ollama serve"], exitCode: 5 });
    expect(await llm.list()).toHaveLength(2);
    expect(logged).toMatchObject([{ level: "warn", message: expect.stringContaining("ollama is left out") }]);
    expect(await llm.status()).toMatchObject({
      candle: { ready: true, models: 2 },
      ollama: { running: false, models: 0, error: expect.stringContaining("127.0.0.1:9") },
    });
    expect(await open().llm.status("ollama")).toMatchObject({ running: false, error: "Not configured" });
  });
});
