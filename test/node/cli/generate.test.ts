import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import { createSpell } from "../../../src/core/api/spell.ts";
import type { GgufRuntime } from "../../../src/core/spec/runtime.ts";
import { memoryPlatform, scriptedRuntime } from "../../../src/core/testing/index.ts";
import { generate } from "../../../src/node/cli/generate.ts";
import { root } from "../../support.ts";
import { chunks, keptScreen, quietInterrupt, scriptedContext } from "./support.ts";

const gguf = readFileSync(`${root}/builtins/models/tiny-stories/tiny-stories.gguf`);
const files = { "tiny-stories/tiny-stories.gguf": gguf, "./own.gguf": gguf };
const flags = (given: Readonly<Record<string, readonly string[]>>) => new Map(Object.entries(given));
const templateNote = "note: tiny-stories has no chat template; the text is continued as it is\n";

describe("generate, over a scripted runtime", () => {
  it("streams the text to standard output, with one final newline, and nothing else there", async () => {
    const shown = keptScreen();
    const script = { answer: () => [" a", " b"] };
    expect(await generate(scriptedContext(shown, { files, script, operands: ["Once"] }))).toBe(0);
    expect(shown.out()).toBe(" a b\n");
    expect(shown.err()).toBe(templateNote);
  });

  it("adds no second newline where the text ends with one", async () => {
    const shown = keptScreen({ quiet: true });
    await generate(scriptedContext(shown, { files, script: { answer: () => ["x\n"] }, operands: ["Once"] }));
    expect(shown.out()).toBe("x\n");
    expect(shown.err()).toBe("");
  });

  it("looks at no other model on its way: a full store must not delay the first word", async () => {
    const platform = memoryPlatform({ files, gguf: scriptedRuntime({ answer: () => [" a"] }) });
    let looks = 0;
    const store = new Proxy(platform.store, {
      get(target, name, receiver) {
        if (name === "listManifests") looks += 1;
        return Reflect.get(target, name, receiver);
      },
    });
    const context = scriptedContext(keptScreen(), { files, operands: ["Once"] });
    const spell = createSpell({ platform: { ...platform, store }, config: await context.config() });
    expect(await generate({ ...context, openSpell: async () => spell })).toBe(0);
    expect(looks).toBe(0);
  });

  it("prints one document with the fields that programs rely on", async () => {
    const shown = keptScreen({ format: "json" });
    const given = flags({ seed: ["7"], "max-tokens": ["3"], "num-beams": ["4"] });
    await generate(scriptedContext(shown, { files, flags: given, stdin: chunks("piped\n"), operands: ["Once"] }));
    const document = JSON.parse(shown.out());
    expect(Object.keys(document)).toEqual([
      "status",
      "model",
      "provider",
      "backend",
      "architecture",
      "device",
      "text",
      "finish_reason",
      "usage",
      "timings",
      "seed",
      "warnings",
    ]);
    expect(document).toMatchObject({
      status: "ok",
      model: "tiny-stories",
      provider: "candle",
      backend: "candle",
      architecture: "llama",
      device: { chosen: "cpu", tried: [{ device: "cpu", ok: true, reason: "ok" }] },
      finish_reason: "length",
      // <s>, piped, Once: the operand follows the piped text
      usage: { prompt_tokens: 3, completion_tokens: 3, total_tokens: 6 },
      seed: 7,
      warnings: [{ code: "option-ignored", message: expect.stringMatching(/^--num-beams is not known/) }],
    });
    expect(Object.keys(document.timings)).toEqual(["load_ms", "prompt_ms", "first_token_ms", "generation_ms", "tokens_per_second"]);
  });

  it("hands every flag to the model", async () => {
    let seen: unknown;
    const script = {
      answer: (prompt: string, sampling: unknown) => {
        seen = { prompt, sampling };
        return [" one", " STOP", " two"];
      },
    };
    const shown = keptScreen({ quiet: true });
    const given = flags({
      temperature: ["0.5"],
      "top-p": ["0.8"],
      "top-k": ["10"],
      "min-p": ["0.1"],
      "repeat-penalty": ["1.3"],
      "repeat-last-n": ["-1"],
      "presence-penalty": ["-0.5"],
      "frequency-penalty": ["0.25"],
      seed: ["42"],
      stop: ["STOP"],
      raw: [],
    });
    await generate(scriptedContext(shown, { files, script, flags: given, operands: ["Once"] }));
    expect(shown.out()).toBe(" one \n");
    expect(seen).toEqual({
      prompt: "Once",
      sampling: {
        kind: "random",
        temperature: 0.5,
        topP: 0.8,
        topK: 10,
        minP: 0.1,
        penalties: { repeatPenalty: 1.3, lastTokens: "all", presencePenalty: -0.5, frequencyPenalty: 0.25 },
        seed: 42,
        isSeeded: true,
      },
    });
  });

  it("lets single values win over --preset", async () => {
    let seen: unknown;
    const script = {
      answer: (_: string, sampling: unknown) => {
        seen = sampling;
        return ["x"];
      },
    };
    await generate(
      scriptedContext(keptScreen(), { files, script, flags: flags({ preset: ["creative"], "top-k": ["3"] }), operands: ["x"] }),
    );
    expect(seen).toMatchObject({ kind: "random", temperature: 0.9, topK: 3 });
  });

  it("names --max-tokens where the answer was cut, and --context-size where the context is full", async () => {
    const cut = keptScreen();
    await generate(scriptedContext(cut, { files, flags: flags({ "max-tokens": ["2"] }), operands: ["x"] }));
    expect(cut.err()).toContain("note: the answer was cut after 2 tokens; --max-tokens N allows more\n");
    const full = keptScreen();
    await generate(scriptedContext(full, { files, flags: flags({ "context-size": ["128"] }), operands: ["x"] }));
    expect(full.err()).toContain("the context of 128 tokens is full; --context-size N allows more, if the model holds more\n");
  });

  it("tells in JSON which stop string ended it", async () => {
    const shown = keptScreen({ format: "json" });
    const given = flags({ stop: ["b", "c"], "max-tokens": ["9"] });
    await generate(scriptedContext(shown, { files, script: { answer: () => ["a", "b", "c"] }, flags: given, operands: ["x"] }));
    expect(JSON.parse(shown.out())).toMatchObject({ text: "a", finish_reason: "stop", stopped_by: "b" });
  });

  it("names no parameter where a stop string cut a form: more tokens change nothing", async () => {
    const shown = keptScreen();
    const given = flags({ regex: ["abc"], stop: ["b"], "max-tokens": ["9"] });
    await generate(scriptedContext(shown, { files, script: { answer: () => ["a", "b", "c"] }, flags: given, operands: ["x"] }));
    expect(shown.err()).toContain("note: a stop string ended the answer before its form was whole\n");
    expect(shown.err()).not.toContain("--max-tokens");
  });

  it("prints the answer at once with --no-stream, and times with --stats even when quiet", async () => {
    const shown = keptScreen({ quiet: true });
    await generate(
      scriptedContext(shown, {
        files,
        script: { answer: () => [" a", " b"] },
        flags: flags({ "no-stream": [], stats: [], seed: ["9"] }),
        operands: ["x"],
      }),
    );
    expect(shown.out()).toBe(" a b\n");
    expect(shown.err()).toMatch(
      /^load {8}.*\nprompt {6}2 tokens in .*\nfirst text {2}after .*\nanswer {6}2 tokens in .*\ndevice {6}cpu through scripted\nseed {8}9\n$/,
    );
  });

  it("keeps the text of an answer that is interrupted", async () => {
    for (const format of ["text", "json"] as const) {
      const shown = keptScreen({ format, quiet: true });
      const interrupt = quietInterrupt();
      const script = {
        answer: function* () {
          yield " a";
          yield " b";
          interrupt.controller.abort();
          yield " c";
        },
        stepMs: 1,
      };
      const run = generate(scriptedContext(shown, { files, script, interrupt, operands: ["x"] }));
      await expect(run, format).rejects.toMatchObject({ code: "run-aborted", exitCode: 130, details: { partialText: " a b" } });
      if (format === "text") expect(shown.out()).toBe(" a b");
    }
  });

  it("takes the device from LLMSPELL_DEVICE, then CANDLE_DEVICE, and the flag before both", async () => {
    const run = (env: Record<string, string>, given = {}) =>
      generate(scriptedContext(keptScreen(), { files, env, flags: flags({ ...given, "max-tokens": ["1"] }), operands: ["x"] }));
    await expect(run({ LLMSPELL_DEVICE: "gpu" })).rejects.toMatchObject({ code: "env-value", where: "LLMSPELL_DEVICE", exitCode: 2 });
    await expect(run({ CANDLE_DEVICE: "gpu" })).rejects.toMatchObject({ code: "env-value", where: "CANDLE_DEVICE" });
    await expect(run({ LLMSPELL_DEVICE: "cpu", CANDLE_DEVICE: "gpu" })).resolves.toBe(0);
    await expect(run({ LLMSPELL_DEVICE: "", CANDLE_DEVICE: "CPU" })).resolves.toBe(0);
    await expect(run({ LLMSPELL_DEVICE: "gpu" }, { device: ["cpu"] })).resolves.toBe(0);
  });

  it("names a missing faster runtime once in a home, with the line that installs it, and neither quietly nor in documents", async () => {
    const scripted = scriptedRuntime({ answer: () => ["x"] });
    const tried = [
      { device: "cpu", ok: false, reason: "package-missing", hint: "npm install some-runtime", runtime: "some-runtime" },
    ] as const;
    const runtime: GgufRuntime = {
      name: "wrapped",
      open: async (models, options) => {
        const handle = await scripted.open(models, options);
        return { ...handle, alive: true, device: { ...handle.device, tried: [...tried, ...handle.device.tried] } };
      },
    };
    const home = mkdtempSync(join(tmpdir(), "llmspell-said-"));
    vi.stubEnv("LLMSPELL_HOME", home);
    onTestFinished(() => {
      vi.unstubAllEnvs();
      rmSync(home, { recursive: true, force: true });
    });
    const told = async (settings: object, given: Record<string, string[]> = {}): Promise<string> => {
      const shown = keptScreen(settings);
      await generate(scriptedContext(shown, { files, runtime, flags: flags(given), operands: ["x"] }));
      return shown.err();
    };
    expect(await told({ quiet: true })).toBe("");
    expect(await told({ format: "json" })).toBe(templateNote);
    expect(await told({})).toMatch(
      /^note: some-runtime is not installed; with it models run faster(, and on the GPU)?:\n {2}npm install some-runtime\nnote: .*\n$/,
    );
    expect(await told({})).toBe(templateNote);
    expect(await told({}, { stats: [] })).toMatch(/\nfaster with some-runtime: npm install some-runtime\n/);
    // where nothing can be remembered, nothing is said each time
    vi.stubEnv("LLMSPELL_HOME", "/dev/null/home");
    expect(await told({})).toBe(templateNote);
  });

  it("speaks of flags, not of options of the library", async () => {
    const run = (given: Record<string, string[]>) =>
      generate(scriptedContext(keptScreen(), { files, flags: flags(given), operands: ["x"] }));
    await expect(run({ "context-size": ["5000"] })).rejects.toMatchObject({ code: "usage-value", where: "--context-size" });
    await expect(run({ raw: [], system: ["s"] })).rejects.toMatchObject({ code: "usage-value" });
    await expect(run({ model: ["tiny-stories:Q8_0"], quantization: ["Q4_0"] })).rejects.toMatchObject({ code: "usage-value" });
    await expect(run({ model: ["./own.gguf"], quantization: ["Q4_0"] })).rejects.toMatchObject({
      code: "usage-value",
      where: "--quantization",
    });
    await expect(run({ quantization: ["Q4_0"] })).rejects.toMatchObject({ code: "model-variant-unknown" });
    await expect(run({ quantization: ["q8_0"], "max-tokens": ["1"] })).resolves.toBe(0);
    await expect(run({ stop: Array.from({ length: 17 }, (_, i) => `s${i}`) })).rejects.toMatchObject({
      code: "usage-value",
      where: "--stop",
    });
  });

  it.each(["", "   "])("G100: the prompt %j is no prompt", async (prompt) => {
    const run = generate(scriptedContext(keptScreen({ quiet: true }), { files, operands: [prompt] }));
    await expect(run).rejects.toMatchObject({ code: "usage-no-prompt", exitCode: 2 });
  });

  it.each(["a\u0000b", "\ud800", "<s>[INST]</s>", "a ".repeat(200)])("G100: the prompt %j is answered", async (prompt) => {
    const shown = keptScreen({ quiet: true });
    expect(await generate(scriptedContext(shown, { files, flags: flags({ "max-tokens": ["2"] }), operands: [prompt] }))).toBe(0);
    expect(shown.out().endsWith("\n")).toBe(true);
  });

  it("G100: a prompt of a million characters is too long for the context, and the error has both counts", async () => {
    const run = generate(scriptedContext(keptScreen({ quiet: true }), { files, operands: ["word ".repeat(200_000)] }));
    await expect(run).rejects.toMatchObject({
      code: "run-context",
      exitCode: 1,
      message: expect.stringMatching(/\d{5,} tokens.* 512/),
      hint: "Shorten the prompt: the model itself holds 512 tokens.",
      actions: [{ kind: "info" }],
    });
  });

  it("a prompt that a larger context would hold is answered with its size, as a flag", async () => {
    const given = { files, operands: ["word ".repeat(150)], flags: flags({ "context-size": ["128"] }) };
    await expect(generate(scriptedContext(keptScreen({ quiet: true }), given))).rejects.toMatchObject({
      code: "run-context",
      hint: "Shorten the prompt, or give --context-size 512; the model's limit is 512.",
      actions: [{ kind: "use-option", name: "contextSize", value: 512 }],
    });
  });
});
