import { describe, expect, it } from "vitest";
import { createProviders } from "../../../src/core/api/providers.ts";
import { candleSettings } from "../../../src/core/backends/candle/settings.ts";
import { backendTypes } from "../../../src/core/backends/types.ts";
import type { Config } from "../../../src/core/config/config.generated.ts";
import { profileNames } from "../../../src/core/config/profiles.ts";
import { type ConfigSource, resolveSource } from "../../../src/core/config/resolve.ts";
import { realClock } from "../../../src/core/download/clock.ts";
import { builtinCatalogue } from "../../../src/core/hub/catalogue.ts";
import type { Platform } from "../../../src/core/platform.ts";
import { printModelSpec } from "../../../src/core/spec/model-spec.ts";
import { memoryPlatform } from "../../../src/core/testing/index.ts";

const profile = (name: string): ConfigSource => ({ kind: "profile", name });
const text = (toml: string): ConfigSource => ({ kind: "text", text: toml });
const defaults: ConfigSource = { kind: "defaults" };
const configOf = async (source: ConfigSource): Promise<Config> => (await resolveSource(source)).config;

const providersOf = async (source: ConfigSource, host: Partial<Platform> = {}, env: Record<string, string> = {}) => {
  const platform = { ...memoryPlatform(), ...host };
  return createProviders({
    platform,
    config: await resolveSource(source, { env }),
    network: { fetch: platform.fetch, clock: realClock(platform.now) },
    catalogue: async () => builtinCatalogue(),
    wallTime: Date.now,
    isLoaded: () => false,
  });
};
const route = async (source: ConfigSource, name: string | undefined, host?: Partial<Platform>, env?: Record<string, string>) => {
  const providers = await providersOf(source, host, env);
  const { backend, spec } = await providers.route(name === undefined ? undefined : providers.parse(name));
  return [backend.name, printModelSpec(spec)];
};

it("every type of provider has a built-in profile, which errors name", () => {
  for (const type of backendTypes) expect(profileNames()).toContain(type.profile);
});

describe("which provider answers", () => {
  it("without a name: the default provider's model, else candle's, else Ollama's", async () => {
    expect(await route(defaults, undefined)).toEqual(["candle", "tiny-stories"]);
    expect(await route(profile("candle"), undefined)).toEqual(["candle", "tinyllama"]);
    const box = '[providers]\ndefault_provider = "box"\n[providers.box]\nprovider_type = "candle"\ndefault_model = "./m.gguf"\n';
    expect(await route(text(box), undefined)).toEqual(["box", "./m.gguf"]);
    await expect(route(profile("minimal"), undefined)).rejects.toMatchObject({
      code: "usage-no-model",
      exitCode: 2,
      actions: [{ kind: "run", model: "tiny-stories", profile: "candle" }],
    });
    const error = await route(text("[providers.candle]\n"), undefined).catch((reason: unknown) => reason);
    expect(error).toMatchObject({ code: "usage-no-model", actions: [{ kind: "run", model: "tiny-stories", profile: undefined }] });
  });

  it.each(["x@candle", "x@local", "candle/x", "local/x", "x@CANDLE"])("%s is the embedded engine's x", async (spec) => {
    expect(await route(profile("candle"), spec)).toEqual(["candle", "x"]);
  });

  it("the default model of a server is named as the server names it", async () => {
    const server = (model: string): ConfigSource => text(`[providers.box]\nprovider_type = "ollama"\ndefault_model = "${model}"\n`);
    for (const model of ["some-user/thing:v1", "reg.example.com:5000/team/Tool:v1", "some-user/thing:v1@box"])
      expect(await route(server(model), undefined)).toEqual(["box", `ollama:${model.replace("@box", "")}`]);
  });

  it("a name with an owner is asked back: a repository, or a model of the server where that is all there is", async () => {
    const asked = (meant: string) => ({ code: "backend-unknown", details: { meant }, actions: [{ kind: "pull", model: meant }] });
    await expect(route(defaults, "owner/repo:Q8_0")).rejects.toMatchObject(asked("hf:owner/repo:Q8_0"));
    await expect(route(profile("candle"), "owner/repo")).rejects.toMatchObject(asked("hf:owner/repo"));
    await expect(route(profile("ollama"), "owner/name:v1")).rejects.toMatchObject(asked("owner/name:v1@ollama"));
    expect(await route(profile("ollama"), "owner/name:v1@ollama")).toEqual(["ollama", "ollama:owner/name:v1"]);
  });

  it("a path keeps its own @ and /", async () => {
    for (const spec of ["./a@b/c.gguf", "/a/openai/x", "~/x"]) expect(await route(profile("candle"), spec)).toEqual(["candle", spec]);
  });

  it("a name of the catalogue is the embedded engine's, where there is one; any other one a server's that was declared", async () => {
    expect(await route(profile("candle"), "TinyLlama:Q4_0")).toEqual(["candle", "TinyLlama:Q4_0"]);
    expect(await route(profile("ollama"), "llama3.2:1b")).toEqual(["ollama", "llama3.2:1b"]);
    expect(await route(profile("ollama"), "tinyllama")).toEqual(["ollama", "tinyllama"]);
    expect(await route(profile("ollama"), "x@ollama")).toEqual(["ollama", "x"]);
    expect(await route(defaults, "ollama:x")).toEqual(["ollama", "ollama:x"]);
    expect(await route(profile("candle"), "ollama:x")).toEqual(["candle", "ollama:x"]);
    await expect(route(profile("candle"), "llama3.2:1b")).rejects.toMatchObject({
      code: "model-unknown",
      actions: expect.arrayContaining([{ kind: "pull", model: "llama3.2:1b@ollama".replace(":1b", "") }]),
    });
  });

  describe("a name that is in no catalogue, where Ollama is there by the built-in defaults alone", () => {
    const server = (models: readonly string[], asked: string[] = []): Partial<Platform> => ({
      looksForServers: true,
      fetch: async (input) => {
        asked.push(String(input));
        return new Response(JSON.stringify({ models: models.map((name) => ({ name })) }));
      },
    });

    it("is Ollama's where a server answers and has it; else unknown, with the nearest name and why", async () => {
      expect(await route(defaults, "own:1b", server(["own:1b"]))).toEqual(["ollama", "own:1b"]);
      await expect(route(defaults, "own:2b", server(["own:1b"]))).rejects.toMatchObject({
        code: "model-unknown",
        actions: expect.arrayContaining([{ kind: "pull", model: "own@ollama" }]),
      });
      await expect(route(defaults, "tinylama", server([]))).rejects.toMatchObject({
        code: "model-unknown",
        message: expect.stringContaining("did you mean tinyllama?"),
        details: { nearest: "tinyllama" },
      });
      const none: Partial<Platform> = { looksForServers: true, fetch: () => Promise.reject(new TypeError("refused")) };
      await expect(route(defaults, "nope", none)).rejects.toMatchObject({
        message: expect.stringContaining("No Ollama server"),
        actions: [{ kind: "available" }, { kind: "help-names" }], // no model of a server that is not there, and no pattern to fill in
      });
    });

    it("is unknown at once where a server does not answer within 300 ms", async () => {
      const started = performance.now();
      const silent: Partial<Platform> = {
        looksForServers: true,
        fetch: (_, init) => new Promise((_resolve, reject) => init?.signal?.addEventListener("abort", () => reject(init.signal?.reason))),
      };
      await expect(route(defaults, "nope", silent)).rejects.toMatchObject({ code: "model-unknown" });
      expect(performance.now() - started).toBeLessThan(5000); // the client itself waits for minutes
    });

    it("is looked for on no server by a page; one that was configured, by file or variable, is taken at its word", async () => {
      const asked: string[] = [];
      const { looksForServers: _, ...page } = server(["own:1b"], asked);
      await expect(route(defaults, "own:1b", page)).rejects.toMatchObject({ code: "model-unknown" });
      const file = text('[providers.candle]\n[providers.ollama]\nbase_url = "http://127.0.0.1:9"\n');
      expect(await route(file, "own:1b", page)).toEqual(["ollama", "own:1b"]);
      expect(await route(defaults, "own:1b", page, { OLLAMA_HOST: "127.0.0.1:9" })).toEqual(["ollama", "own:1b"]);
      expect(asked).toEqual([]);
    });

    it("is a slip of a path where it ends like a file, and no server is asked for it", async () => {
      const asked: string[] = [];
      await expect(route(defaults, "model.gguf", server(["model.gguf:latest"], asked))).rejects.toMatchObject({
        code: "model-unknown",
        hint: expect.stringContaining("./"),
        actions: [{ kind: "list" }],
      });
      expect(asked).toEqual([]);
    });
  });

  it.each([
    ["ollama", "x@candle", "candle", "candle"],
    ["providers", "tiny-stories", "candle", "candle"],
    ["providers", "./m.gguf", "candle", "candle"],
    ["candle", "x@ollama", "ollama", "ollama"],
    ["candle", "openai/gpt-4o", "openai", "providers"],
  ])("under -p %s, %s says that %s is not configured, with both ways out", async (name, spec, backend, offered) => {
    const file = { kind: "file", path: "own.toml", folder: "/", text: "", isPublic: false } as const;
    const resolved = { ...(await resolveSource(profile(name))), source: `file:${file.path}` };
    const platform = memoryPlatform();
    const providers = createProviders({
      platform,
      config: resolved,
      network: { fetch: platform.fetch, clock: realClock(platform.now) },
      catalogue: async () => builtinCatalogue(),
      wallTime: Date.now,
      isLoaded: () => false,
    });
    const error = await providers.route(providers.parse(spec)).catch((caught: unknown) => caught);
    expect(error).toMatchObject({ code: "backend-not-configured", exitCode: 2, where: backend });
    expect((error as Error).message).toContain(`Backend '${backend}' not configured. To use ${backend} models:`);
    expect((error as Error).message).toContain(`[providers.${backend}]\n       provider_type = "${backend}"`);
    expect((error as Error).message).toContain("own.toml");
    expect(error).toMatchObject({ actions: [{ kind: "use-profile", profile: offered }] });
  });

  it("an unknown word is backend-unknown, with what there is", async () => {
    await expect(route(profile("candle"), "x@nosuch")).rejects.toMatchObject({
      code: "backend-unknown",
      hint: expect.stringContaining("ollama, candle (alias local)"),
    });
    for (const word of ["__proto__", "constructor", "default_provider"])
      await expect(route(profile("candle"), `x@${word}`)).rejects.toMatchObject({
        code: /^_/.test(word) ? "spec-syntax" : "backend-unknown",
      });
    await expect(route(profile("candle"), "owner/repo")).rejects.toMatchObject({
      code: "backend-unknown",
      actions: [{ kind: "pull", model: "hf:owner/repo" }],
    });
  });

  it("a service elsewhere is asked where its name or the default provider leads to it, and calls its models as it likes", async () => {
    const development = profile("development");
    expect(await route(development, undefined)).toEqual(["openai", "gpt-4o"]);
    expect(await route(development, "gpt-5-mini")).toEqual(["openai", "gpt-5-mini"]);
    expect(await route(development, "tinyllama")).toEqual(["candle", "tinyllama"]);
    expect(await route(development, "claude@anthropic")).toEqual(["anthropic", "claude"]);
    const office = text(
      '[providers.office]\nprovider_type = "openai-compatible"\nbase_url = "https://office.example/v1"\ndefault_model = "a/b:c"\n',
    );
    for (const [name, model] of [
      ["office/Qwen/Qwen2.5-0.5B:free", "Qwen/Qwen2.5-0.5B:free"],
      ["Qwen/Qwen2.5-0.5B@Office", "Qwen/Qwen2.5-0.5B"],
      ["openai/gpt-4o@office", "openai/gpt-4o"],
      ["office/x@office", "x"],
      ["office//models/x.gguf", "/models/x.gguf"],
      ["office/claude@20240620", "claude@20240620"],
      ["office/ft:gpt-4o:org::id", "ft:gpt-4o:org::id"],
    ] as const)
      expect(await route(office, name), name).toEqual(["office", model]);
    expect(await route(office, "x@candle")).toEqual(["candle", "x"]);
    // nobody named it, and it is nobody's default
    await expect(route(office, "gpt-4o")).rejects.toMatchObject({ code: "model-unknown" });
    await expect(route(office, "office/")).rejects.toMatchObject({ code: "spec-syntax" });
  });

  it("a provider that is declared adds to the built-in ones; what somebody wrote stands before what is there by itself", async () => {
    const key = text('[providers.openai]\napi_key = "k"\n');
    expect(await route(key, undefined)).toEqual(["candle", "tiny-stories"]);
    expect(await route(key, "tinyllama")).toEqual(["candle", "tinyllama"]);
    expect(await route(key, "x@ollama")).toEqual(["ollama", "x"]);
    expect(await route(text('[providers.openai]\ndefault_model = "gpt-4o"\n'), undefined)).toEqual(["openai", "gpt-4o"]);
    const server = text('[providers.ollama]\ndefault_model = "llama3.2:1b"\n');
    expect(await route(server, undefined)).toEqual(["ollama", "llama3.2:1b"]);
    expect(await route(server, "tinyllama")).toEqual(["ollama", "tinyllama"]);
    expect(await route(server, "tiny-stories")).toEqual(["candle", "tiny-stories"]);
    expect(await route(server, "tinyllama@candle")).toEqual(["candle", "tinyllama"]);
    await expect(route(text("[providers.candle]\nenabled = false\n"), "x@candle")).rejects.toMatchObject({
      code: "backend-not-configured",
    });
  });

  it("a file handed in needs the embedded engine", async () => {
    expect((await (await providersOf(profile("candle"))).forFiles()).name).toBe("candle");
    await expect((await providersOf(profile("minimal"))).forFiles()).rejects.toMatchObject({ code: "backend-not-configured" });
  });

  it("settings reach the backend in its own terms", async () => {
    const toml = `[providers.candle]
device = "wasm"
context_size = 0
batch_size = 64
cpu_threads = 3
max_concurrent = 2
keep_alive_seconds = -1
timeout_seconds = 7
temperature = 0.1
top_p = 0.5
top_k = 3
min_p = 0.1
repeat_penalty = 1.5
repeat_last_n = -1
max_tokens = 11
seed = 5
stop = ["a"]
preset = "greedy"
`;
    expect(candleSettings(await configOf(text(toml)))).toEqual({
      modelFolder: "~/.llmspell/models",
      defaultQuantization: "Q4_K_M",
      load: { device: "wasm", contextSize: 0, threads: 3, keptBytes: 4_096_000_000, batchSize: 64 },
      calls: {
        generate: {
          temperature: 0.1,
          topP: 0.5,
          topK: 3,
          minP: 0.1,
          repeatPenalty: 1.5,
          repeatLastN: -1,
          maxTokens: 11,
          seed: 5,
          stop: ["a"],
          preset: "greedy",
        },
        timeoutMs: 7000,
        maxConcurrent: 2,
        maxPerModel: 1,
        keepAliveMs: undefined,
      },
    });
    expect(candleSettings(await configOf(profile("ollama")))).toBeUndefined();
    expect(candleSettings(await configOf(profile("ollama")), "ollama")).toBeUndefined();
  });
});
