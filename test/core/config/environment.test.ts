import { describe, expect, it } from "vitest";
import { ollamaAddress } from "../../../src/core/config/environment.ts";
import type { ConfigKey, ConfigValue } from "../../../src/core/config/key.ts";
import { isProviderType, keysByPath, keysOfType } from "../../../src/core/config/keys.ts";
import { type ConfigSource, resolveSource } from "../../../src/core/config/resolve.ts";
import { variableOf } from "../../../src/core/config/switch-on.ts";

const defaults: ConfigSource = { kind: "defaults" };
const withEnv = (env: Record<string, string>, source: ConfigSource = defaults) => resolveSource(source, { env });
const file = (text: string): ConfigSource => ({ kind: "text", text });

/** A value other than the default, as a variable writes it. */
function other(key: ConfigKey): { readonly text: string; readonly value: ConfigValue } {
  const { type, choices, fallback, min = 0, max = 1, format } = key;
  if (choices !== undefined) {
    const value = choices.find((choice) => choice !== fallback) ?? "";
    return { text: value.toUpperCase(), value };
  }
  switch (type) {
    case "boolean":
      return { text: fallback === true ? "off" : "YES", value: fallback !== true };
    case "integer": {
      const value = fallback === max ? min : max;
      return { text: String(value), value };
    }
    case "number":
      return { text: String(max), value: max };
    case "list":
      return { text: "a, b", value: ["a", "b"] };
    case "text": {
      const value = format === "url" ? "http://example.test/x" : format === "variable" ? "MY_KEY" : "12345";
      return { text: value, value };
    }
  }
}

/** The variables a warning names. */
const named = (message: string): readonly string[] => message.match(/llmspell_\w+/gi) ?? [];

/** Values of one key that others must agree to. */
const company: Readonly<Record<string, Record<string, string>>> = {
  "rag.chunking.overlap": { LLMSPELL_RAG_CHUNKING_CHUNK_SIZE: "1048576", LLMSPELL_RAG_CHUNKING_OVERLAP: "1000" },
  "rag.vector_storage.dimensions": { LLMSPELL_RAG_VECTOR_STORAGE_MAX_MEMORY_MB: "16777216" },
  "rag.vector_storage.hnsw.max_elements": { LLMSPELL_RAG_VECTOR_STORAGE_ON_DISK: "true" },
  "providers.default_provider": { LLMSPELL_PROVIDERS_DEFAULT_PROVIDER: "ollama" },
};

describe("environment", () => {
  it.each([...keysByPath().values()].map((key) => [variableOf(key.path), key] as const))(
    "%s overrides its key in every profile and file",
    async (variable, key) => {
      const { text, value } = other(key);
      const env = { [variable]: text, ...company[key.path] };
      const wanted = {
        value: company[key.path]?.[variable] === undefined ? value : Number(env[variable]) || env[variable],
        origin: `env:${variable}`,
      };
      expect((await withEnv(env)).get(key.path)).toEqual(wanted);
      if (key.path !== "providers.default_provider")
        expect((await withEnv(env, { kind: "profile", name: "rag-prod" })).get(key.path)).toEqual(wanted);
    },
  );

  it.each(
    ["candle", "ollama", "openai", "anthropic"].flatMap((name) =>
      (isProviderType(name) ? [...keysOfType(name).values()] : []).map(
        (key) => [variableOf(`providers.${name}.${key.path}`), name, key] as const,
      ),
    ),
  )("%s overrides its key, and declares the provider where nothing else did", async (variable, name, key) => {
    const { text, value } = other(key);
    const { get } = await withEnv({ [variable]: text }, { kind: "profile", name: "minimal" });
    expect(get(`providers.${name}.${key.path}`)).toEqual({ value, origin: `env:${variable}` });
    expect(get(`providers.${name}.provider_type`)).toEqual({ value: name, origin: `env:${variable}` });
  });

  it("reaches a provider of one's own only where it is declared; the longest key wins", async () => {
    const text = '[providers.a]\nprovider_type = "ollama"\n[providers.a-retry]\nprovider_type = "ollama"\n';
    const { get } = await withEnv(
      { LLMSPELL_PROVIDERS_A_RETRY_MAX_DELAY_MS: "7", LLMSPELL_PROVIDERS_A_RETRY_MAX_RETRIES: "2" },
      file(text),
    );
    expect(get("providers.a.retry.max_delay_ms")?.value).toBe(7);
    expect(get("providers.a-retry.max_retries")?.value).toBe(2);
    const { warnings } = await withEnv({ LLMSPELL_PROVIDERS_A_MAX_RETRIES: "2" });
    expect(warnings).toEqual([{ code: "env-unknown", message: expect.stringContaining("LLMSPELL_PROVIDERS_A_MAX_RETRIES") }]);
  });

  it.each(["true", "1", "yes", "on", "TRUE", " On "])("reads %j as true", async (text) => {
    expect((await withEnv({ LLMSPELL_RAG_ENABLED: text })).config.rag.enabled).toBe(true);
  });

  it("counts an empty variable as unset, and keeps digits of a text", async () => {
    const { get } = await withEnv({ LLMSPELL_RAG_ENABLED: "", LLMSPELL_PROVIDERS_OPENAI_API_KEY: "0123456789" });
    expect(get("rag.enabled")?.origin).toBe("default");
    expect(get("providers.openai.api_key")?.value).toBe("0123456789");
  });

  it.each([
    ["LLMSPELL_RAG_ENABLED", "maybe", "rag.enabled", "yes, no, on or off"],
    ["LLMSPELL_RAG_SEARCH_TOP_K", "0x10", "rag.search.top_k", "an integer from 1 to 100000"],
    ["LLMSPELL_PROVIDERS_CANDLE_TEMPERATURE", "Infinity", "providers.candle.temperature", "a number from 0 to 2"],
    ["LLMSPELL_DEVICE", "gpu", "providers.candle.device", "auto, webgpu, metal, vulkan, cuda, cpu, wasm"],
    ["CANDLE_DEVICE", "gpu", "providers.candle.device", "auto, webgpu"],
    ["HF_ENDPOINT", "ftp://x", "models.hf_endpoint", "an address"],
    ["HF_HUB_OFFLINE", "perhaps", "models.offline", "true, false"],
    ["OLLAMA_HOST", "http://[", "providers.ollama.base_url", "an address"],
  ])("%s=%s is env-value with the variable, its key and what is allowed", async (variable, text, path, expected) => {
    const run = withEnv({ [variable]: text });
    const actions = [{ kind: "unset-variables", names: [variable] }];
    const problem = { code: "env-value", path, where: variable, expected: expect.stringContaining(expected), got: expect.any(String) };
    await expect(run).rejects.toMatchObject({ code: "env-value", exitCode: 2, where: variable, actions, details: { problems: [problem] } });
    await expect(run).rejects.toThrow(`${path}: expected`);
  });

  it("never shows a wrong secret", async () => {
    const error = await withEnv({ LLMSPELL_PROVIDERS_OPENAI_API_KEY: "x".repeat(2000) }).catch((caught: unknown) => caught);
    expect(JSON.stringify(error)).toContain("********");
    expect(JSON.stringify(error)).not.toContain("xxx");
  });

  it("warns of an unknown variable, with the nearest name", async () => {
    const { warnings } = await withEnv({ LLMSPELL_RAG_ENABLE: "1", LLMSPELL_HOME: "/x", LLMSPELL_PROVIDERS_CANDLE_DEVICES: "cpu" });
    expect(warnings.map(({ message }) => named(message))).toEqual([
      ["LLMSPELL_PROVIDERS_CANDLE_DEVICES", "LLMSPELL_PROVIDERS_CANDLE_DEVICE"],
      ["LLMSPELL_RAG_ENABLE", "LLMSPELL_RAG_ENABLED"],
    ]);
  });

  it("warns of a name in the wrong case, and of a slip in the names that say what to load", async () => {
    const { warnings, get } = await withEnv({ llmspell_rag_enabled: "true", Llmspell_Home: "/x", LLMSPELL_PROFIL: "candle" });
    expect(get("rag.enabled")?.origin).toBe("default");
    expect(warnings.map(({ message }) => named(message))).toEqual([
      ["LLMSPELL_PROFIL", "LLMSPELL_PROFILE"],
      ["Llmspell_Home", "LLMSPELL_HOME"],
      ["llmspell_rag_enabled", "LLMSPELL_RAG_ENABLED"],
    ]);
  });

  it("the type of a provider may be repeated, and so declares it; it cannot be changed", async () => {
    const variable = "LLMSPELL_PROVIDERS_OPENAI_PROVIDER_TYPE";
    const { get } = await withEnv({ [variable]: "OpenAI" }, { kind: "profile", name: "minimal" });
    expect(get("providers.openai.provider_type")).toEqual({ value: "openai", origin: `env:${variable}` });
    await expect(withEnv({ LLMSPELL_PROVIDERS_CANDLE_PROVIDER_TYPE: "ollama" })).rejects.toMatchObject({
      code: "env-value",
      message: expect.stringContaining("cannot change"),
    });
  });

  it("several wrong variables are told together, with one action", async () => {
    await expect(withEnv({ LLMSPELL_RAG_ENABLED: "x", LLMSPELL_DEVICE: "y" })).rejects.toMatchObject({
      code: "env-value",
      message: expect.stringMatching(/^environment: 2 problems\n/),
      actions: [{ kind: "unset-variables", names: ["LLMSPELL_RAG_ENABLED", "LLMSPELL_DEVICE"] }],
    });
    await expect(withEnv({ LLMSPELL_DEVICE: "y" }, file("nope = 1\n"))).rejects.toMatchObject({
      code: "config-unknown-key",
      actions: [{ kind: "unset-variables", names: ["LLMSPELL_DEVICE"] }],
    });
  });

  it("never shows a key that was put where the name of its variable belongs", async () => {
    const error = await withEnv({ LLMSPELL_PROVIDERS_OPENAI_API_KEY_ENV: "sk-very-secret" }).catch((caught: unknown) => caught);
    expect(error).toMatchObject({ code: "env-value", message: expect.stringContaining("name of a variable") });
    expect(JSON.stringify(error)).not.toContain("sk-very-secret");
  });

  it("the short name of a device reaches every provider that computes here", async () => {
    const text = '[providers.a]\nprovider_type = "candle"\n[providers.b]\nprovider_type = "candle"\n[providers.ollama]\n';
    const { config, get } = await withEnv({ LLMSPELL_DEVICE: "cpu", LLMSPELL_PROVIDERS_B_DEVICE: "wasm" }, file(text));
    expect([get("providers.a.device")?.value, get("providers.b.device")?.value]).toEqual(["cpu", "wasm"]);
    expect(Object.keys(config.providers)).toEqual(["a", "b", "ollama"]);
  });

  it("short names of others lose to the systematic one, beat files, and declare nothing", async () => {
    const env = { LLMSPELL_DEVICE: "cpu", CANDLE_DEVICE: "wasm" };
    const text = '[providers.candle]\ndevice = "cuda"\n';
    expect((await withEnv(env, file(text))).get("providers.candle.device")).toEqual({ value: "cpu", origin: "env:LLMSPELL_DEVICE" });
    expect((await withEnv({ CANDLE_DEVICE: "wasm" }, file(text))).get("providers.candle.device")?.origin).toBe("env:CANDLE_DEVICE");
    const systematic = { ...env, LLMSPELL_PROVIDERS_CANDLE_DEVICE: "metal" };
    expect((await withEnv(systematic, file(text))).get("providers.candle.device")?.value).toBe("metal");
    const keys = { OPENAI_API_KEY: "sk-a", ANTHROPIC_API_KEY: "sk-b", OLLAMA_HOST: "box", LLMSPELL_DEVICE: "cpu" };
    expect((await withEnv(keys, { kind: "profile", name: "minimal" })).config.providers).toEqual({});
    const { get } = await withEnv(keys, file('[providers.openai]\napi_key = "sk-file"\n'));
    expect(get("providers.openai.api_key")).toEqual({ value: "sk-a", origin: "env:OPENAI_API_KEY" });
  });

  it.each([
    ["box", "http://box:11434"],
    ["box:1234", "http://box:1234"],
    [":1234", "http://127.0.0.1:1234"],
    ["0.0.0.0", "http://127.0.0.1:11434"],
    ["0.0.0.0:80", "http://127.0.0.1"],
    ["https://box/path/", "https://box/path"],
    ["http://box", "http://box"],
  ])("reads OLLAMA_HOST=%s as %s", (text, address) => {
    expect(ollamaAddress(text)).toBe(address);
  });
});
