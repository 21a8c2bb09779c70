/** Pulling: what is fetched, from where, under which name, and what a second pull finds. */
import { appendFileSync, existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import type { PullResult } from "../../../src/core/backends/models.ts";
import type { PullEvent } from "../../../src/core/download/pull.ts";
import { failure } from "../../support/failure.ts";
import { tinyGguf as gguf, sha256, tinyT5 as t5 } from "../support/local-llm.ts";
import { scriptedModels } from "../support/scripted-models.ts";

const { blobs, folder, open, parts, server } = await scriptedModels();

describe("pull", () => {
  it("fetches the default quant, verifies, writes the manifest last, and answers at once the second time", async () => {
    const { llm } = open();
    const seen: PullResult[] = [];
    const result = await llm.pull("hf:owner/gguf", { onProgress: (progress) => seen.push(progress) });
    expect(result).toMatchObject({
      modelId: "hf:owner/gguf:Q4_K_M",
      backend: "candle",
      status: "complete",
      percentComplete: 100,
      verified: "sha256",
      alreadyPresent: false,
      bytesTotal: gguf.length + 64,
    });
    expect(seen[0]).toMatchObject({ status: "starting" });
    expect([...new Set(seen.map(({ status }) => status))]).toEqual(["starting", "downloading", "verifying", "complete"]);
    expect(seen.at(-1)).toEqual(result);
    expect(blobs()).toEqual([`sha256-${sha256(Buffer.concat([gguf, Buffer.alloc(64)]))}`]);
    expect(parts()).toEqual([]);
    server.reset();
    expect(await llm.pull("HF:Owner/GGUF:q4_k_m")).toMatchObject({ alreadyPresent: true, status: "complete", bytesDownloaded: 0 });
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
    expect(result).toMatchObject({
      model: "hf:owner/gguf:Q8_0",
      backend: "candle",
      finishReason: "length",
      usage: { completionTokens: 3 },
    });
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
    const plan = await llm.offer("hf:owner/split:q8_0");
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
    expect(await failure(llm.pull(join(folder, "nope.gguf")))).toMatchObject({
      code: "model-unknown",
      message: expect.stringContaining("no such file or folder"),
    });
    expect((await failure(llm.pull(path, { as: "phi-2" }))).code).toBe("usage-value");
    expect((await failure(llm.pull(path, { as: "../x" }))).code).toBe("spec-syntax");
    await llm.pull(path, { as: "Mine" });
    expect(blobs()).toEqual([]);
    expect(await llm.info("mine")).toMatchObject({ id: "Mine", source: "file", path, verified: "none" });
    expect(await llm.remove("mine")).toMatchObject({ modelId: "Mine", freedBytes: 0, keptFiles: [path] });
    expect(existsSync(path)).toBe(true);
  });

  it("names a folder by the files that are read; what else lies there may change or go", async () => {
    const own = join(folder, "my-t5");
    mkdirSync(own);
    for (const [name, bytes] of Object.entries(t5)) writeFileSync(join(own, name), bytes);
    for (const name of ["README.md", "LICENSE", "spiece.model", "notes.json"]) writeFileSync(join(own, name), "x");
    const { llm } = open();
    await llm.pull(own, { as: "mine" });
    expect((await llm.verify("mine")).map(({ file }) => file).sort()).toEqual(Object.keys(t5).sort());
    for (const name of ["README.md", "spiece.model", "notes.json"]) rmSync(join(own, name));
    writeFileSync(join(own, "LICENSE"), "another one");
    expect(await llm.info("mine")).toMatchObject({ id: "mine", architecture: "t5", path: own });
    rmSync(join(own, "config.json"));
    expect(await failure(llm.info("mine"))).toMatchObject({
      code: "store-evicted",
      message: `mine: ${join(own, "config.json")} is gone; it is your own file`,
      actions: [{ kind: "pull", model: own, as: "mine" }],
    });
  });

  it("takes a file of any name by its content", async () => {
    const path = join(folder, "renamed.bin");
    writeFileSync(path, gguf);
    const { llm } = open();
    await llm.pull(path, { as: "mine" });
    expect(await llm.info("mine")).toMatchObject({ id: "mine", format: "gguf", architecture: "llama", path });
    writeFileSync(path, "text");
    expect((await failure(llm.pull(path, { as: "other" }))).code).toMatch(/^gguf-/);
  });

  it("by a name that a person gave, fetches again what has it", async () => {
    const { llm } = open();
    server.files.set("m.gguf", gguf);
    const url = `${server.url}/files/m.gguf`;
    const path = join(folder, "mine.gguf");
    writeFileSync(path, gguf);
    await llm.pull("hf:owner/gguf:Q8_0", { as: "small" });
    await llm.pull(url, { as: "address", allowHosts: ["127.0.0.1"] });
    await llm.pull(path, { as: "Mine" });
    const bytesDownloaded = gguf.length;
    expect(await llm.pull("small", { force: true })).toMatchObject({ modelId: "hf:owner/gguf:Q8_0", bytesDownloaded });
    expect(await llm.pull("mine", { force: true })).toMatchObject({ modelId: "Mine", path, bytesDownloaded: 0 });
    expect(await failure(llm.pull("address", { force: true }))).toMatchObject({
      code: "spec-host",
      actions: [{ kind: "pull", model: "address", force: true, allowHosts: ["127.0.0.1"] }],
    });
    expect(await llm.pull("address", { force: true, allowHosts: ["127.0.0.1"] })).toMatchObject({ modelId: url, bytesDownloaded });
  });

  it("stores nothing of a file without bytes", async () => {
    server.files.set("empty.gguf", Buffer.alloc(0));
    const { llm } = open();
    expect((await failure(llm.pull(`${server.url}/files/empty.gguf`, { allowHosts: ["127.0.0.1"] }))).code).toBe("model-empty");
    expect(blobs()).toEqual([]);
  });

  it("keeps one copy of a file that two models have", async () => {
    server.addRepo("other/gguf", { files: { "x.Q8_0.gguf": gguf } });
    const { llm } = open();
    await llm.pull("hf:owner/gguf:Q8_0");
    server.reset();
    await llm.pull("hf:other/gguf");
    expect(server.seen.every(({ path }) => path.startsWith("/api/"))).toBe(true);
    expect(blobs()).toHaveLength(1);
    expect((await llm.remove("hf:owner/gguf:Q8_0")).freedBytes).toBe(0);
    expect(blobs()).toHaveLength(1);
  });

  it("fails with what a callback throws, and what came is kept", async () => {
    const { llm } = open();
    for (const name of ["onEvent", "onProgress"] as const) {
      const fault = new Error(name);
      const told = () => {
        throw fault;
      };
      await expect(llm.pull("hf:owner/gguf:Q8_0", { [name]: told })).rejects.toThrow(name);
    }
    expect((await llm.pull("hf:owner/gguf:Q8_0")).status).toBe("complete");
  });

  it("says which variants there are", async () => {
    const { llm } = open();
    expect(await failure(llm.pull("hf:owner/gguf:Q2_K"))).toMatchObject({
      code: "model-variant-unknown",
      details: { variants: ["Q8_0", "Q4_K_M"] },
      actions: [{ kind: "pull", model: "hf:owner/gguf:Q8_0" }],
    });
    expect(await failure(llm.pull("hf:owner/gguf:Q8_0", { quantization: "Q4_K_M" }))).toMatchObject({ code: "usage-value" });
    expect((await llm.offer("hf:owner/gguf")).plan?.variants).toEqual([
      { name: "Q8_0", sizeBytes: gguf.length },
      { name: "Q4_K_M", sizeBytes: gguf.length + 64 },
    ]);
    server.addRepo("owner/odd", { files: { "a.gguf": gguf, "b.gguf": gguf } });
    expect((await failure(llm.pull("hf:owner/odd"))).code).toBe("model-ambiguous");
    server.addRepo("owner/shared", { files: { "a-Q8_0.gguf": gguf, "b-Q8_0.gguf": gguf, "c-Q4_K_M.gguf": gguf } });
    expect((await failure(llm.pull("hf:owner/shared:Q2_K"))).message).toMatch(
      /has no Q2_K; it has Q4_K_M \(\S+ bytes\), Q8_0 \(2 files\)$/,
    );
    server.addRepo("owner/none", { files: { "readme.txt": Buffer.from("x") } });
    expect((await failure(llm.pull("hf:owner/none"))).code).toBe("model-layout");
    const pickled = { "config.json": Buffer.from("{}"), "spiece.model": Buffer.from("x"), "pytorch_model.bin": Buffer.from("x") };
    server.addRepo("owner/pickled", { files: pickled });
    expect(await failure(llm.pull("hf:owner/pickled"))).toMatchObject({
      code: "model-layout",
      hint: expect.stringContaining("hf:owner/pickled#refs/pr/"),
    });
    await llm.pull("hf:owner/gguf:Q8_0");
    await llm.pull("hf:owner/gguf:Q4_K_M");
    expect((await llm.info("hf:owner/gguf")).id).toBe("hf:owner/gguf:Q4_K_M");
    expect((await failure(open({ defaultQuantization: "Q5_K_M" }).llm.info("hf:owner/gguf"))).code).toBe("model-ambiguous");
  });

  it("without a variant fetches what the source gives then, whatever else is here; asked once, it knows", async () => {
    const { llm } = open();
    await llm.pull("hf:owner/gguf:Q8_0");
    expect(await llm.pull("hf:owner/gguf")).toMatchObject({ modelId: "hf:owner/gguf:Q4_K_M", alreadyPresent: false });
    server.addRepo("owner/only", { files: { "m.Q8_0.gguf": gguf } });
    await llm.pull("hf:owner/only:Q8_0");
    expect(await llm.pull("hf:owner/only")).toMatchObject({ alreadyPresent: true, bytesDownloaded: 0 });
    server.reset();
    for (const spec of ["hf:owner/gguf", "hf:owner/only", "hf:owner/only:Q8_0"])
      expect(await llm.pull(spec)).toMatchObject({ alreadyPresent: true });
    expect(server.seen).toEqual([]);
    const other = open({ defaultQuantization: "Q8_0" }).llm;
    expect((await other.pull("hf:owner/gguf")).modelId).toBe("hf:owner/gguf:Q8_0");
  });

  it("a URL comes with its own hash recorded, or held to the one it names", async () => {
    server.files.set("m.gguf", gguf);
    const { llm } = open();
    const url = `${server.url}/files/m.gguf`;
    expect((await failure(llm.pull(url))).code).toBe("spec-host");
    const allowHosts = ["127.0.0.1"];
    expect(await llm.pull(url, { allowHosts })).toMatchObject({ verified: "size", modelId: url });
    const other = `${url}#sha256=${"0".repeat(64)}`;
    expect(await failure(llm.pull(other, { allowHosts: [...allowHosts, "nas"], force: true }))).toMatchObject({
      code: "net-hash",
      actions: [{ kind: "pull", model: other, allowHosts: ["127.0.0.1", "nas"] }],
    });
    // what is stored is not what is named
    expect((await failure(llm.pull(other, { allowHosts }))).code).toBe("net-hash");
    expect(await llm.pull(`${url}#sha256=${sha256(gguf)}`, { allowHosts, force: true })).toMatchObject({ verified: "sha256" });
  });

  it("after a redirect inside the network suggests to allow that host too; after one that leads nowhere, nothing", async () => {
    const { llm } = open();
    const model = `${server.url}/files/plain.gguf`;
    const pull = () => failure(llm.pull(model, { allowHosts: ["127.0.0.1", "nas"], force: true }));
    const sent = (location: string | undefined) =>
      server.plan(
        "/files/",
        Array.from({ length: 8 }, () => ({ status: 302, headers: location === undefined ? {} : { location } })),
      );
    sent("http://10.1.2.3/m.gguf");
    expect(await pull()).toMatchObject({
      code: "net-redirect",
      actions: [{ kind: "pull", model, allowHosts: ["127.0.0.1", "nas", "10.1.2.3"] }],
    });
    for (const location of ["file:///etc/passwd", model, undefined]) {
      server.reset();
      sent(location);
      expect(await pull(), location).toMatchObject({ code: "net-redirect", actions: [] });
    }
  });

  it("the pull that mends a model names the private host that was allowed before", async () => {
    server.files.set("m.gguf", gguf);
    const { llm } = open();
    const url = `${server.url}/files/m.gguf`;
    await llm.pull(url, { allowHosts: ["127.0.0.1"] });
    appendFileSync(join(folder, "models/blobs", blobs()[0] ?? ""), "x");
    const action = { kind: "pull", model: url, allowHosts: ["127.0.0.1"] };
    expect(await failure(llm.info(url))).toMatchObject({ code: "store-corrupt", actions: [{ ...action, force: true }] });
    const [manifest = ""] = readdirSync(join(folder, "models/manifests/url"), { recursive: true }).filter((name) =>
      /\.json$/.test(String(name)),
    );
    writeFileSync(join(folder, "models/manifests/url", String(manifest)), "{");
    expect(await failure(llm.info(url))).toMatchObject({ code: "store-corrupt", actions: [action] });
  });
});
