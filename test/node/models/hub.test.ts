/** What the Hub answers: what is missing, gated or offline, and lists that are not to be believed. */
import { describe, expect, it } from "vitest";
import { sentenceGolden, writeSentence } from "../../fixtures/bert-writer.ts";
import { failure } from "../../support/failure.ts";
import { tinyGguf as gguf } from "../support/local-llm.ts";
import { scriptedModels } from "../support/scripted-models.ts";

const { blobs, open, server } = await scriptedModels();

describe("the Hub", () => {
  it("G82 a file that is not in the repository → net-not-found with the files there are", async () => {
    expect(await failure(open().llm.pull("hf:owner/gguf/nope.gguf"))).toMatchObject({
      code: "net-not-found",
      details: { files: expect.arrayContaining(["tiny.Q8_0.gguf"]) },
    });
    expect((await failure(open().llm.pull("hf:owner/gguf#nope"))).code).toBe("net-not-found");
  });

  it("G92 a gated repository → net-gated with the page and the variable; with the token it comes, and no other host sees it", async () => {
    server.addRepo("meta/gated", { gated: true, files: { "m.Q8_0.gguf": gguf } });
    expect(await failure(open().llm.pull("hf:meta/gated"))).toMatchObject({
      code: "net-gated",
      hint: expect.stringContaining(`${server.url}/meta/gated`),
      actions: [{ kind: "set-variable", name: "HF_TOKEN" }],
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
    expect((await llm.generate("hf:owner/gguf:Q8_0", "x", { maxTokens: 1 })).usage.completionTokens).toBe(1);
    expect(server.seen).toEqual([]);
  });

  it("G85 a login page, or something that is no model → nothing stored", async () => {
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

  it("an embedding model comes with its folders: how tokens are pooled, and a dense layer with its weights", async () => {
    const files = writeSentence(sentenceGolden.models[0]!);
    server.addRepo("owner/sentence", { files: Object.fromEntries([...files].map(([name, bytes]) => [name, Buffer.from(bytes)] as const)) });
    const { llm } = open();
    await llm.pull("hf:owner/sentence");
    expect(await llm.info("hf:owner/sentence")).toMatchObject({ capabilities: ["embedding"], embeddingLength: 24 });
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
  ])("G86 a list with %s → %s", async (_, code, value) => {
    server.plan("/api/models", [{ body: JSON.stringify(value), headers: { "content-type": "application/json" } }]);
    expect((await failure(open().llm.pull("hf:owner/gguf"))).code).toBe(code);
    expect(blobs()).toEqual([]);
  });

  it("G86 G89 a list of 50 MiB, packed or not → net-too-big; one that is no UTF-8 → net-status", async () => {
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

  it("G81 a path that leads upwards in a repository's list is no file of a model", async () => {
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
});
