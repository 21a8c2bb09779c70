/** What a pull would cost, said before it; and load() of a model that is not here. */
import { describe, expect, it } from "vitest";
import { createSpell } from "../../../src/core/api/spell.ts";
import type { PullOffer } from "../../../src/core/backends/models.ts";
import { failure } from "../../support/failure.ts";
import { tinyGguf as gguf } from "../support/local-llm.ts";
import { scriptedModels } from "../support/scripted-models.ts";

const { blobs, logged, open, server } = await scriptedModels();

describe("an offer", () => {
  it("reads a header over the network without fetching weights", async () => {
    const info = await open().llm.info("hf:owner/t5", { remote: true });
    expect(info).toMatchObject({ architecture: "t5", format: "safetensors", contextLength: 512, files: { length: 5 } });
    expect(server.seen.reduce((sum, { sent }) => sum + sent, 0)).toBeLessThan(600_000);
    expect(blobs()).toEqual([]);
  });

  it("does not follow a redirect inside the network while it reads a header", async () => {
    server.plan(
      "/lfs/",
      Array.from({ length: 9 }, () => ({ status: 302, headers: { location: "http://169.254.169.254/latest" } })),
    );
    expect(await failure(open().llm.info("hf:owner/gguf:Q8_0", { remote: true }))).toMatchObject({ code: "net-redirect" });
  });

  it("says how long a pull will take by what earlier ones from the same host took, and nothing where there were none", async () => {
    server.addRepo("other/gguf", { files: { "x.Q8_0.gguf": Buffer.concat([gguf, Buffer.alloc(1000)]) } });
    const { llm, platform } = open();
    expect(await llm.offer("hf:owner/gguf:Q4_K_M", { looksAhead: true })).toMatchObject({
      missingBytes: gguf.length + 64,
      contextLength: 512,
      fits: { device: "cpu", neededBytes: expect.any(Number), availableBytes: 8e9, ok: true },
      freeBytes: expect.any(Number),
    });
    expect((await llm.offer("hf:owner/gguf:Q4_K_M")).expected).toBeUndefined();
    await llm.pull("hf:owner/gguf:Q8_0");
    const [key = []] = await platform.store.listManifests();
    const manifest = (await platform.store.readManifest(key)) as { readonly transfer: { readonly ms: number } };
    const host = new URL(server.url).host;
    expect(manifest.transfer).toEqual({ host, bytes: gguf.length, ms: expect.any(Number) });
    expect(manifest.transfer.ms).toBeGreaterThan(0);
    await platform.store.writeManifest(key, { ...manifest, transfer: { host, bytes: 10_000_000, ms: 4000 } });
    const expected = { host, bytesPerSecond: 2_500_000, seconds: (gguf.length + 1000) / 2_500_000 };
    expect((await llm.offer("hf:other/gguf", { looksAhead: true })).expected).toEqual(expected);
    server.reset();
    expect(await llm.offer("hf:owner/gguf:Q8_0")).toEqual({
      id: "hf:owner/gguf:Q8_0",
      spec: "hf:owner/gguf:Q8_0@candle",
      backend: "candle",
      sizeBytes: gguf.length,
      missingBytes: 0,
    });
    expect(server.seen).toEqual([]); // it is up to date, as a pull would say
    await platform.store.writeManifest(key, { ...manifest, transfer: { host: "elsewhere.example", bytes: 10_000_000, ms: 4000 } });
    expect((await llm.offer("hf:other/gguf")).expected).toBeUndefined();
    await platform.store.writeManifest(key, { ...manifest, transfer: { host, bytes: -1, ms: 0 } });
    expect((await failure(llm.info("hf:owner/gguf:Q8_0"))).code).toBe("store-corrupt");
  });

  it("an offer of what would not run ends with its defect; one whose headers cannot be read says the size alone", async () => {
    server.addRepo("owner/page", { files: { "m.Q8_0.gguf": Buffer.from("<!doctype html><title>log in</title>") } });
    const { llm } = open();
    expect((await failure(llm.offer("hf:owner/page", { looksAhead: true }))).code).toBe("gguf-magic");
    server.plan(
      "/lfs/",
      Array.from({ length: 9 }, () => ({ status: 500 })),
    );
    const offer = await llm.offer("hf:owner/gguf", { looksAhead: true });
    expect([offer.missingBytes, offer.fits]).toEqual([gguf.length + 64, undefined]);
    expect(blobs()).toEqual([]);
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
      actions: [{ kind: "pull", model: "hf:owner/gguf:Q8_0@candle" }],
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
    const [needed, less] = offers.map(({ fits }) => fits?.neededBytes ?? 0);
    expect(needed).toBeGreaterThan(less ?? 0);
    await load("hf:owner/gguf:Q8_0", { pull: answer(true) });
    expect(offers).toHaveLength(2);
  });

  it("is fetched without a question with `true`, its size in the log; a name that nobody has stays an error", async () => {
    const { load } = spellOf();
    expect((await load("hf:owner/gguf:Q8_0", { pull: true })).id).toBe("hf:owner/gguf:Q8_0");
    expect(logged).toContainEqual({ level: "info", message: expect.stringMatching(/hf:owner\/gguf:Q8_0.*3,121,440/) });
    expect((await failure(load("hf:no/such", { pull: true }))).code).toBe("net-auth");
    expect((await failure(load("nonsense", { pull: true }))).code).toBe("model-unknown");
  });
});
