import { describe, expect, it } from "vitest";
import { createSpell, resolveConfig } from "../../src/browser/index.ts";

describe("configuration in a page", () => {
  it("loads profiles by name, with paths as they are written", async () => {
    const { config, get, source } = await resolveConfig({ profile: "rag-prod" });
    expect(source).toBe("profile:rag-production");
    expect(config.rag.vector_storage.dimensions).toBe(768);
    expect(get("rag.vector_storage.persistence_path")).toEqual({ value: "~/.llmspell/rag/production", origin: "profile:rag-production" });
  });

  it("loads TOML text and objects, with what is wrong in the words of every host", async () => {
    expect((await resolveConfig({ config: '[providers.candle]\ndevice = "wasm"\n' })).get("providers.candle.device")).toEqual({
      value: "wasm",
      origin: "text:2",
    });
    expect((await resolveConfig({ config: { rag: { enabled: true } } })).get("rag.enabled")).toEqual({ value: true, origin: "object" });
    await expect(resolveConfig({ config: "[providers.candle]\ntemprature = 1\n" })).rejects.toMatchObject({
      code: "config-unknown-key",
      message: expect.stringContaining("did you mean temperature?\n  2 | temprature = 1\n    | ^^^^^^^^^^"),
    });
    await expect(resolveConfig({ config: "my.toml" })).rejects.toMatchObject({ code: "config-not-found" });
    await expect(resolveConfig({ profile: "candel" })).rejects.toMatchObject({ code: "profile-unknown" });
  });

  it("takes variables that the page hands in, a provider of any name, and none; secrets stay out of what errors show", async () => {
    const named = '[providers.fast]\nprovider_type = "candle"\nmax_tokens = 3\n';
    const resolved = await resolveConfig({
      config: named,
      env: { LLMSPELL_PROVIDERS_FAST_DEVICE: "wasm", OPENAI_API_KEY: "sk-very-secret" },
    });
    expect(resolved.get("providers.fast.device")).toEqual({ value: "wasm", origin: "env:LLMSPELL_PROVIDERS_FAST_DEVICE" });
    expect(resolved.config.providers["openai"]).toBeUndefined();
    expect(Object.keys((await resolveConfig({ config: { providers: {} } })).config.providers)).toEqual([]);
    const secret = await resolveConfig({ config: '[providers.openai]\napi_kye = "sk-very-secret"\n' }).catch((error: unknown) => error);
    expect(secret).toMatchObject({ code: "config-unknown-key" });
    expect(JSON.stringify(secret)).not.toContain("sk-very-secret");
    await using model = await createSpell({ config: resolved }).load("tiny-stories@fast");
    let tokens = 0;
    for await (const part of model.stream("Once")) if (part.type === "stream-end") tokens = part.usage.completionTokens;
    expect([model.device!.chosen, tokens]).toEqual(["wasm", 3]);
  });

  it("gives a model its defaults: the bundled one, greedy, five tokens", async () => {
    const spell = createSpell({
      config: '[providers.candle]\ndefault_model = "tiny-stories"\ndevice = "wasm"\npreset = "greedy"\nmax_tokens = 5\n',
    });
    await using model = await spell.load();
    const text: string[] = [];
    let tokens = 0;
    for await (const part of model.stream("Once upon a time")) {
      if (part.type === "text-delta") text.push(part.text);
      if (part.type === "stream-end") tokens = part.usage.completionTokens;
    }
    expect([model.id, tokens]).toEqual(["tiny-stories", 5]);
    expect(text.join("").length).toBeGreaterThan(0);
  });
});
