import { describe, expect, it } from "vitest";
import { candleSettings } from "../../../src/core/backends/candle-settings.ts";
import { chooseModel, requireCandle } from "../../../src/core/backends/model-choice.ts";
import type { Config } from "../../../src/core/config/config.generated.ts";
import { resolveSource } from "../../../src/core/config/resolve.ts";

const ofProfile = async (name: string): Promise<Config> => (await resolveSource({ kind: "profile", name })).config;
const ofText = async (text: string): Promise<Config> => (await resolveSource({ kind: "text", text })).config;

describe("which provider answers", () => {
  it("without a name: the default provider's model, else candle's, else Ollama's", async () => {
    expect(chooseModel((await resolveSource({ kind: "defaults" })).config, undefined)).toEqual({
      provider: "candle",
      spec: "tiny-stories",
    });
    expect(chooseModel(await ofProfile("candle"), undefined)).toEqual({ provider: "candle", spec: "tinyllama" });
    const box = '[providers]\ndefault_provider = "box"\n[providers.box]\nprovider_type = "candle"\ndefault_model = "./m.gguf"\n';
    expect(chooseModel(await ofText(box), undefined)).toEqual({ provider: "box", spec: "./m.gguf" });
    expect(() => chooseModel(ofNothing, undefined)).toThrow(expect.objectContaining({ code: "usage-no-model", exitCode: 2 }));
  });

  it.each(["x@candle", "x@local", "candle/x", "local/x", "x@CANDLE"])("%s is the in-process backend's x", async (spec) => {
    expect(chooseModel(await ofProfile("candle"), spec)).toEqual({ provider: "candle", spec: "x" });
  });

  it("a path keeps its own @ and /", async () => {
    for (const spec of ["./a@b/c.gguf", "/a/openai/x", "~/x"])
      expect(chooseModel(await ofProfile("candle"), spec)).toEqual({ provider: "candle", spec });
  });

  it("a name without a provider is decided by the catalogue; whom another name belongs to is said", async () => {
    expect(chooseModel(await ofProfile("candle"), "tinyllama:Q4_0")).toEqual({ spec: "tinyllama:Q4_0", preferred: "candle" });
    expect(chooseModel(await ofProfile("ollama"), "llama3.2:1b")).toEqual({ spec: "llama3.2:1b", preferred: "ollama" });
    expect(chooseModel((await resolveSource({ kind: "defaults" })).config, "x")).toEqual({ spec: "x" });
    expect(chooseModel(await ofProfile("ollama"), "x@ollama")).toEqual({ provider: "ollama", spec: "x" });
  });

  it.each([
    ["ollama", "x@candle", "candle", "candle"],
    ["providers", "tiny-stories", "candle", "candle"],
    ["providers", "./m.gguf", "candle", "candle"],
    ["candle", "x@ollama", "ollama", "ollama"],
    ["candle", "openai/gpt-4o", "openai", "providers"],
  ])("under -p %s, %s says that %s is not configured, with both ways out", async (profile, spec, backend, offered) => {
    const config = await ofProfile(profile);
    let caught: unknown;
    try {
      chooseModel(config, spec, "own.toml");
    } catch (error) {
      caught = error;
    }
    expect(caught).toMatchObject({ code: "backend-not-configured", exitCode: 2, where: backend });
    expect((caught as Error).message).toContain(`Backend '${backend}' not configured. To use ${backend} models:`);
    expect((caught as Error).message).toContain(`[providers.${backend}]\n       provider_type = "${backend}"`);
    expect((caught as Error).message).toContain("own.toml");
    expect((caught as { commands: string[] }).commands[0]).toContain(`llmspell -p ${offered} `);
  });

  it("a word nobody knows is backend-unknown, with what there is", async () => {
    const config = await ofProfile("candle");
    expect(() => chooseModel(config, "x@nosuch")).toThrow(
      expect.objectContaining({ code: "backend-unknown", hint: expect.stringContaining("ollama, candle (alias local)") }),
    );
    for (const word of ["__proto__", "constructor", "default_provider"])
      expect(() => chooseModel(config, `x@${word}`)).toThrow(expect.objectContaining({ code: "backend-unknown" }));
  });

  it("a provider that is declared and not there yet says so", async () => {
    const config = await ofProfile("development");
    expect(() => chooseModel(config, undefined)).toThrow(expect.objectContaining({ code: "usage-not-available", where: "openai" }));
    expect(() => chooseModel(config, "claude@anthropic")).toThrow(expect.objectContaining({ code: "usage-not-available" }));
    const { refuse, ...choice } = chooseModel(config, "gpt-4o");
    expect(choice).toEqual({ spec: "gpt-4o" });
    expect(() => refuse?.()).toThrow(expect.objectContaining({ code: "usage-not-available", where: "openai" }));
  });

  it("a file handed in needs the in-process backend", async () => {
    expect(requireCandle(await ofProfile("candle"))).toBe("candle");
    expect(() => requireCandle(ofNothing)).toThrow(expect.objectContaining({ code: "backend-not-configured" }));
  });

  it("settings reach the backend in its own terms", async () => {
    const text = `[providers.candle]
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
    expect(candleSettings(await ofText(text))).toEqual({
      modelFolder: "~/.llmspell/models",
      load: { device: "wasm", contextSize: 0, threads: 3, batchSize: 64 },
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
      keepAliveMs: undefined,
    });
    expect(candleSettings(await ofProfile("ollama"))).toBeUndefined();
    expect(candleSettings(await ofProfile("ollama"), "ollama")).toBeUndefined();
  });
});

const ofNothing = (await resolveSource({ kind: "profile", name: "minimal" })).config;
