import { describe, expect, it } from "vitest";
import { createSpell } from "../../../src/core/api/spell.ts";
import type { GgufOpenOptions, GgufRuntime } from "../../../src/core/spec/runtime.ts";
import { memoryPlatform, scriptedRuntime } from "../../../src/core/testing/index.ts";
import { nanoLlama } from "../../fixtures/gguf/models.ts";
import { writeGguf } from "../../fixtures/gguf-writer.ts";

/** A spell whose runtime keeps what it was opened with. */
function spellOf(options: Omit<Parameters<typeof createSpell>[0], "platform">) {
  const opened: GgufOpenOptions[] = [];
  const scripted = scriptedRuntime();
  const runtime: GgufRuntime = {
    name: "kept",
    open(files, given) {
      opened.push(given);
      return scripted.open(files, given);
    },
  };
  const files = { "tiny-stories/tiny-stories.gguf": writeGguf(nanoLlama()), "./own.gguf": writeGguf(nanoLlama()) };
  return { spell: createSpell({ platform: memoryPlatform({ files, gguf: runtime }), ...options }), opened };
}

describe("createSpell", () => {
  it("loads the default model with the settings of the configuration; options of the call win", async () => {
    const { spell, opened } = spellOf({
      config: { providers: { candle: { default_model: "./own.gguf", device: "wasm", cpu_threads: 3, batch_size: 7, context_size: 200 } } },
    });
    const model = await spell.load();
    await spell.load("tiny-stories", { device: "cpu", threads: 1, batchSize: 9 });
    expect(model.id).toBe("./own.gguf");
    expect(opened).toMatchObject([
      { device: "wasm", threads: 3, batchSize: 7, contextLength: 64 },
      { device: "cpu", threads: 1, batchSize: 9, contextLength: 64 },
    ]);
  });

  it("takes a profile by name, TOML text, an object, and what resolveConfig gave", async () => {
    const toml = "[providers.candle]\nbatch_size = 33\n";
    const first = spellOf({ config: toml });
    await first.spell.load("tiny-stories");
    const second = spellOf({ config: await first.spell.config() });
    await second.spell.load("tiny-stories");
    expect([first.opened[0]?.batchSize, second.opened[0]?.batchSize]).toEqual([33, 33]);
    expect((await first.spell.config()).get("providers.candle.batch_size")).toEqual({ value: 33, origin: "text:2" });
    expect((await spellOf({ profile: "rag-dev" }).spell.config()).source).toBe("profile:rag-development");
    expect(
      (await spellOf({ env: { LLMSPELL_PROVIDERS_CANDLE_BATCH_SIZE: "8" } }).spell.config()).get("providers.candle.batch_size"),
    ).toEqual({
      value: 8,
      origin: "env:LLMSPELL_PROVIDERS_CANDLE_BATCH_SIZE",
    });
  });

  it("refuses both at once, unknown names, and paths where there are no files", async () => {
    await expect(spellOf({ profile: "candle", config: "" }).spell.config()).rejects.toMatchObject({ code: "config-conflict" });
    await expect(spellOf({ profile: "candel" }).spell.load("tiny-stories")).rejects.toMatchObject({ code: "profile-unknown" });
    await expect(spellOf({ config: "my.toml" }).spell.config()).rejects.toMatchObject({ code: "config-not-found" });
    await expect(spellOf({ profile: "ollama" }).spell.load("tiny-stories@candle")).rejects.toMatchObject({
      code: "backend-not-configured",
    });
    await expect(spellOf({ profile: "ollama" }).spell.load(new Blob(["x"]))).rejects.toMatchObject({ code: "backend-not-configured" });
  });

  it("creating it reads and checks nothing", () => {
    expect(() => spellOf({ config: "this is = no [toml" })).not.toThrow();
  });
});
