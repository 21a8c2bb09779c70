/** What is written down of the models in the package: it is what their headers say, and lists go by it alone. */
import { dirname } from "node:path";
import { describe, expect, it } from "vitest";
import { createSpell } from "../../src/core/api/spell.ts";
import { bundledModels } from "../../src/core/backends/candle/bundled.ts";
import type { Platform } from "../../src/core/platform.ts";
import { memoryPlatform } from "../../src/core/testing/index.ts";
import { bundledFile } from "../../src/node/bundled-file.ts";

const names = [...bundledModels.keys()];
const platform: Platform = { ...memoryPlatform(), bundled: bundledFile, lookBundled: bundledFile };
const modelsOf = (host: Platform) => createSpell({ platform: host, profile: "candle", env: {} }).models;

describe("bundled models", () => {
  it.each(names)("%s is listed as its headers say", async (name) => {
    const [listed] = (await modelsOf(platform).list()).filter(({ id }) => id === name);
    expect(await modelsOf(platform).info(name)).toMatchObject(listed ?? {});
  });

  it("are listed, counted, planned and found up to date without one of their bytes, as in a page that would have to fetch them", async () => {
    let opened = 0;
    const page: Platform = {
      ...memoryPlatform(),
      bundled: (model, file) => {
        opened += 1;
        return bundledFile(model, file);
      },
    };
    const llm = modelsOf(page);
    expect(await llm.list()).toMatchObject([
      { id: "tiny-stories", sizeBytes: 3_121_440, path: null, modifiedAt: null },
      { id: "tiny-t5-en-fr", sizeBytes: 7_024_306, path: null, modifiedAt: null },
    ]);
    expect(await llm.status("candle")).toMatchObject({ candle: { models: 2 } });
    expect(await llm.pull("tiny-t5-en-fr:q8")).toMatchObject({ alreadyPresent: true, bytesTotal: 7_024_306, files: 5 });
    expect(await llm.offer("tiny-stories")).toMatchObject({ missingBytes: 0, sizeBytes: 3_121_440 });
    await expect(llm.pull("tiny-stories:q4_0")).rejects.toMatchObject({
      code: "model-variant-unknown",
      message: expect.stringContaining("Q8_0"),
    });
    expect(opened).toBe(0);
  });

  it("have a folder as their path where they are several files, and it names the model too", async () => {
    const [, t5] = await modelsOf(platform).list();
    expect(dirname(t5?.path ?? "")).toMatch(/builtins.models$/);
  });

  it("are held to the hashes they had when the package was made", async () => {
    const llm = modelsOf(platform);
    const results = await llm.verify();
    expect(results.map(({ file }) => file)).toEqual(expect.arrayContaining(["tiny-stories.gguf", "model.safetensors", "tokenizer.json"]));
    for (const { ok, expected, actual } of results) expect([ok, actual]).toEqual([true, expected]);
    const changed: Platform = {
      ...platform,
      async bundled(model, file) {
        const source = await bundledFile(model, file);
        return file === "config.json"
          ? { ...source, read: async (...range) => (await source.read(...range)).map((byte) => byte ^ 1) }
          : source;
      },
    };
    const broken = await modelsOf(changed).verify("tiny-t5-en-fr");
    expect(broken.filter(({ ok }) => !ok)).toMatchObject([{ modelId: "tiny-t5-en-fr", file: "config.json" }]);
  });
});
