/** Pulls in a page: the same core over OPFS, from a hub on another origin. Rows D1, D5, D7, R15. */
import { clear, createStore } from "idb-keyval";
import { afterAll, beforeAll, beforeEach, expect, it } from "vitest";
import { commands } from "vitest/browser";
import { createSpell } from "../../src/browser/index.ts";
import { browserPlatform } from "../../src/browser/platform.ts";
import { createSpell as createSpellOn } from "../../src/core/api/spell.ts";
import { listStored } from "../../src/core/download/manifest.ts";
import type { Network } from "../../src/core/download/request.ts";
import type { Platform } from "../../src/core/platform.ts";
import { quickClock } from "../support/quick-clock.ts";
import { textOf } from "../support/text-of.ts";

/** Models of a page that runs them itself. */
const modelsOf = (platform: Platform, network?: Network) =>
  createSpellOn({ platform, network, config: { models: { hf_endpoint: hub }, providers: { candle: {} } } }).models;

let hub = "";
beforeAll(async () => {
  hub = await commands.startHub();
});
afterAll(() => commands.stopHub());
beforeEach(async () => {
  await clear(createStore("llmspell", "records"));
  await (await navigator.storage.getDirectory()).removeEntry("llmspell", { recursive: true }).catch(() => undefined);
  await commands.resetHub();
});

it("a GGUF model is pulled, listed, and answers; the second pull asks nothing", async () => {
  const spell = createSpell({
    platform: browserPlatform({ hubToken: "hf_secret" }),
    config: { models: { hf_endpoint: hub }, providers: { candle: {} } },
  });
  const { models } = spell;
  const progress: number[] = [];
  const result = await models.pull("hf:owner/gguf", { onProgress: ({ percentComplete }) => progress.push(percentComplete) });
  expect(result).toMatchObject({ modelId: "hf:owner/gguf:Q8_0", verified: "sha256", alreadyPresent: false });
  expect(progress.at(-1)).toBe(100);
  expect((await models.list()).map(({ id }) => id)).toContain("hf:owner/gguf:Q8_0");
  const model = await spell.load("hf:owner/gguf");
  expect(await textOf(model.stream("Once upon a time", { maxTokens: 4, temperature: 0 }))).not.toBe("");
  await model.dispose();
  const before = (await commands.seenByHub()).length;
  expect((await models.pull("hf:owner/gguf")).alreadyPresent).toBe(true);
  expect((await commands.seenByHub()).length).toBe(before);
  expect((await commands.seenByHub()).filter(({ host, authorization }) => host === "cdn" && authorization !== null)).toEqual([]);
});

it("a model of the page's own host is pulled without a key, one of another port is not", async () => {
  const { models } = createSpell();
  const { origin } = location;
  expect((await models.pull(`${origin}/builtins/models/tiny-stories/tiny-stories.gguf`)).verified).toBe("size");
  await expect(models.pull(`${hub}/files/m.gguf`)).rejects.toMatchObject({
    code: "spec-host",
    hint: expect.stringContaining("models.allow_hosts"),
  });
});

it("a model in three parts is pulled, and writes what the whole one writes", async () => {
  const spell = createSpell({ config: { models: { hf_endpoint: hub }, providers: { candle: {} } } });
  expect(await spell.models.pull("hf:owner/split")).toMatchObject({ files: 3, verified: "sha256" });
  const greedy = { maxTokens: 12, temperature: 0, repeatPenalty: 1 } as const;
  const texts: string[] = [];
  for (const spec of ["hf:owner/split", "tiny-stories"]) {
    const model = await spell.load(spec, { device: "wasm" });
    texts.push(await textOf(model.stream("Once upon a time", greedy)));
    await model.dispose();
  }
  expect(texts[0]).not.toBe("");
  expect(texts[0]).toBe(texts[1]);
});

it("D1 a broken download goes on at the recorded byte; R15 in the next visit too", async () => {
  const open = () => modelsOf(browserPlatform());
  await commands.planHub("/lfs/", [{ cutAt: 1_500_000 }]);
  const abort = new AbortController();
  await expect(
    open().pull("hf:owner/gguf", { signal: abort.signal, onEvent: (event) => event.type === "download-retry" && abort.abort() }),
  ).rejects.toMatchObject({ code: "run-aborted" });
  await open().pull("hf:owner/gguf");
  const ranges = (await commands.seenByHub()).filter(({ host, range }) => host === "cdn" && range !== null);
  expect(ranges.at(-1)?.range).toMatch(/^bytes=[1-9]\d*-/);
  // file hosts of the hub refuse to be asked beforehand
  expect((await commands.seenByHub()).filter(({ host, method }) => host === "cdn" && method === "OPTIONS")).toEqual([]);
  // file hosts of the hub refuse to be asked beforehand
  expect((await commands.seenByHub()).filter(({ host, method }) => host === "cdn" && method === "OPTIONS")).toEqual([]);
  expect((await open().verify()).every(({ ok }) => ok)).toBe(true);
});

it("D5 wrong bytes are never stored", async () => {
  await commands.planHub(
    "/lfs/",
    Array.from({ length: 6 }, () => ({ body: "x" })),
  );
  const network = { fetch: fetch.bind(globalThis), clock: quickClock() };
  const llm = modelsOf(browserPlatform(), network);
  await expect(llm.pull("hf:owner/gguf")).rejects.toMatchObject({ code: "net-size" });
  expect((await llm.list()).map(({ id }) => id)).toEqual(["tiny-stories", "tiny-t5-en-fr"]);
});

it("R20 a model recorded by another version is told, and its bytes are kept", async () => {
  const platform = browserPlatform();
  const open = () => modelsOf(platform);
  await open().pull("hf:owner/gguf");
  const [key] = await platform.store.listManifests();
  if (key === undefined) throw new Error("nothing was stored");
  const manifest = (await platform.store.readManifest(key)) as object;
  await platform.store.writeManifest(key, { ...manifest, schema: 0 });
  const other = await listStored(platform.store);
  expect(other.models).toEqual([]);
  expect(other.damaged.map(({ message }) => message)).toEqual([expect.stringContaining("schema 1, got 0")]);
  await open().prune({ dryRun: false });
  // put back as a version that knows it would read it: nothing has to be fetched again
  await platform.store.writeManifest(key, manifest);
  await commands.resetHub();
  expect((await open().verify()).every(({ ok }) => ok)).toBe(true);
  expect(await commands.seenByHub()).toEqual([]);
});
