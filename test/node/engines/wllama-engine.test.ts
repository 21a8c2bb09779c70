/** wllama in its child process: what the driver absorbs, row by row. The contract of the whole is in language-model.test.ts. */

import { readFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { SpellError } from "../../../src/core/errors.ts";
import type { ByteSource } from "../../../src/core/formats/byte-source.ts";
import type { GgufGenerateOptions, GgufHandle, GgufOpenOptions, GgufRuntime } from "../../../src/core/spec/runtime.ts";
import { openWllama, type WllamaHost } from "../../../src/engines/wllama/driver.ts";
import { hasMemory64 } from "../../../src/engines/wllama/features.ts";
import { kernels } from "../../../src/engines/wllama/kernels.generated.ts";
import { childRuntime } from "../../../src/node/engines/child-runtime.ts";
import { hasKernels, kernelsVariable } from "../../../src/node/engines/wllama-files.ts";
import { load } from "../../../src/node/index.ts";
import { f32Tensor, tinyLlama } from "../../fixtures/gguf/models.ts";
import { writeGguf } from "../../fixtures/gguf-writer.ts";
import storiesGolden from "../../golden/tiny-stories.json" with { type: "json" };
import { failure } from "../../support/failure.ts";
import { textOf } from "../../support/text-of.ts";
import { isLong } from "../../support.ts";
import { ask, begun, drain, gone, isRunning, openFile, openOptions, temporaryFile, tinyStories } from "../support/engine.ts";

const prompt = "Once upon a time";
const pids: number[] = [];
const runtime: GgufRuntime = childRuntime<GgufOpenOptions, GgufGenerateOptions>({ engine: "wllama", onSpawn: (pid) => pids.push(pid) });
const wasm = { device: "wasm", bos: "<s>" } as const;

describe("wllama in Node", () => {
  let handle: GgufHandle;
  beforeAll(async () => {
    handle = await openFile(runtime, tinyStories, wasm);
  });
  afterAll(async () => {
    await handle.dispose();
    await gone(pids);
  });

  it("E15 takes the build this Node can run, by its features, and says which", () => {
    expect(handle.device).toMatchObject({ chosen: "wasm", runtime: "wllama", threads: { prompt: 1, decode: 1, origin: "asked" } });
    expect(handle.device.tried[0]?.hint).toContain(hasMemory64() ? "default build" : "compat build");
  });

  it("E4 answers two requests on one slot, one after the other", async () => {
    const [a, b] = await Promise.all([ask(handle, prompt, { maxTokens: 6 }), ask(handle, "The sun", { maxTokens: 6 })]);
    expect([a.end.completionTokens, b.end.completionTokens]).toEqual([6, 6]);
    expect((await ask(handle, prompt, { maxTokens: 6 })).text).toBe(a.text);
  });

  it("E6 has an effect for every sampling option", async () => {
    const text = async (sampling: object): Promise<string> => (await ask(handle, prompt, { maxTokens: 40, sampling })).text;
    const greedy = await text({});
    expect(await text({ temperature: 2, topK: 1, seed: 1 })).toBe(greedy);
    expect(await text({ temperature: 2, minP: 1, seed: 1 })).toBe(greedy);
    expect(await text({ temperature: 2, topP: 0.0001, seed: 1 })).toBe(greedy);
    expect(await text({ temperature: 2, seed: 1 })).not.toBe(greedy);
    expect(await text({ temperature: 2, seed: 1 })).toBe(await text({ temperature: 2, seed: 1 }));
    const penalized = await text({ repeatPenalty: 1.8, repeatLastN: 64 });
    expect(penalized).not.toBe(greedy);
    expect(await text({ repeatPenalty: 1.8, repeatLastN: 0 })).toBe(greedy);
    expect(await text({ presencePenalty: 2, repeatLastN: 64 })).not.toBe(greedy);
    expect(await text({ frequencyPenalty: 2, repeatLastN: 64 })).not.toBe(greedy);
  });

  it("E10 begins with begin-of-sequence once, also where the text brings it", async () => {
    const plain = await ask(handle, prompt, { maxTokens: 4 });
    const twice = await ask(handle, `<s>${prompt}`, { maxTokens: 4 });
    expect(twice.end.promptTokens).toBe(plain.end.promptTokens);
    expect(twice.text).toBe(plain.text);
  });

  // Where this process is held up, the answer may be whole before the abort.
  it("E17 answers an abort in a long prompt at once, and is usable after a batch", { retry: 3 }, async () => {
    const controller = new AbortController();
    const answer = failure(ask(handle, `${prompt} and `.repeat(80), { signal: controller.signal }));
    await new Promise((resolve) => setTimeout(resolve, 30));
    controller.abort();
    expect((await answer).code).toBe("run-aborted");
    expect((await ask(handle, prompt, { maxTokens: 3 })).end.completionTokens).toBe(3);
  });

  it("R10 refuses a prompt that does not fit, with both counts", async () => {
    const error = await failure(ask(handle, `${prompt} `.repeat(300)));
    expect(error).toMatchObject({ code: "run-context", details: { contextLength: 512 } });
    expect(error.details?.["promptTokens"]).toBeGreaterThan(1000);
  });

  it("G100 takes NUL, emoji and an empty text", async () => {
    for (const text of ["nul \0 byte", "😀 é 你好", "", "   "])
      expect((await ask(handle, text, { maxTokens: 2 })).end.completionTokens).toBeGreaterThan(0);
  });
});

describe("a context the engine rounds up", () => {
  it("R10 holds what was asked for: one token more is refused, an exact fit gives none, a near fit what is left", async () => {
    const small = await openFile(runtime, tinyStories, { ...wasm, contextLength: 128 });
    const words = (count: number): string => `a${" a".repeat(count - 1)}`; // with begin-of-sequence one token more
    for (const [count, completionTokens] of [
      [125, 2],
      [126, 1],
      [127, 0],
    ] as const) {
      const { end } = await ask(small, words(count), { maxTokens: 5 });
      expect(end).toMatchObject({ finishReason: "length", promptTokens: count + 1, completionTokens });
    }
    expect(await failure(ask(small, words(128)))).toMatchObject({
      code: "run-context",
      details: { promptTokens: 129, contextLength: 128 },
    });
    expect((await ask(small, "Once", { maxTokens: 3 })).end.completionTokens).toBe(3);
    await small.dispose();
  });
});

describe("the kernels", () => {
  const without = childRuntime<GgufOpenOptions, GgufGenerateOptions>({
    ...{ engine: "wllama", onSpawn: (pid) => pids.push(pid) },
    env: { [kernelsVariable]: "off" },
  });

  // Two threads meet at every step of the graph, of which a token has some hundred: on busy processors each waits for its turn. So they write one short text.
  it.each([
    [1, runtime, `kernels ${kernels}`, isLong ? 3 : 1, 12],
    [2, runtime, `kernels ${kernels}`, 1, 3],
    [1, without, "without kernels", isLong ? 3 : 1, 6],
  ] as const)(
    "write what PyTorch writes: %i threads",
    async (threads, engine, label, texts, maxTokens) => {
      const handle = await openFile(engine, tinyStories, { ...wasm, threads });
      try {
        expect(handle.device.tried[0]?.hint).toContain(label);
        // The reference is F32, the bundled file Q8_0: where two tokens are nearly as likely, only the beginning is compared.
        for (const { prompt: asked, text } of storiesGolden.data.prompts.slice(0, texts)) {
          const answer = await ask(handle, asked, { maxTokens });
          expect(answer.end.completionTokens).toBe(maxTokens);
          expect(answer.text.length).toBeGreaterThan(maxTokens);
          expect(text.startsWith(answer.text.trim()), answer.text).toBe(true);
        }
      } finally {
        await handle.dispose();
      }
    },
    600_000,
  );

  it.skipIf(availableParallelism() === 1)(
    "choose how many of the threads compute while they do, and write the same text (needs two processors)",
    async () => {
      const [one, open] = await Promise.all([0, 1].map((at) => openFile(runtime, tinyStories, { ...wasm, threads: 1 - at })));
      try {
        expect(open!.device.threads).toEqual({
          prompt: expect.any(Number),
          decode: Math.min(8, availableParallelism()),
          origin: "running",
        });
        // enough steps for some comparisons, and keys enough for the threads to share them
        for (const asked of [prompt, `${prompt} there was a sea. `.repeat(8)]) {
          expect((await ask(open!, asked, { maxTokens: 70 })).text).toBe((await ask(one!, asked, { maxTokens: 70 })).text);
        }
      } finally {
        await Promise.all([one!.dispose(), open!.dispose()]);
      }
    },
  );

  it("are turned on and off by words alone", () => {
    expect([{}, { [kernelsVariable]: "" }, { [kernelsVariable]: "on" }, { [kernelsVariable]: "off" }].map(hasKernels)).toEqual([
      true,
      true,
      true,
      false,
    ]);
    expect(() => hasKernels({ [kernelsVariable]: "no" })).toThrow(`${kernelsVariable}: expected on, off; got "no"`);
  });
});

describe("models wllama cannot run", () => {
  it.each(["{% for i in range(100000000) %}x{% endfor %}", "{{ raise_exception('no') }}", "{{ messages | frobnicate }}", "{%"])(
    "the engine never runs a model's own template: %s",
    async (chatTemplate) => {
      const handle = await openFile(runtime, temporaryFile("template.gguf", writeGguf(tinyLlama({ chatTemplate }))), wasm);
      expect(handle.alive).toBe(true);
      await handle.dispose();
    },
  );

  it("E2 a file without its tensors is a typed error, and the next load works (E3: an instance each)", async () => {
    const spec = tinyLlama();
    const broken = writeGguf({ ...spec, tensors: spec.tensors.slice(0, 5) });
    expect(await failure(openFile(runtime, temporaryFile("no-tensors.gguf", broken), wasm))).toMatchObject({
      code: "gguf-metadata",
      message: expect.stringMatching(/cannot load the model: .*'[\w.]+'/) as string,
    });
    const two = await Promise.all([
      openFile(runtime, tinyStories, wasm),
      openFile(runtime, temporaryFile("tiny.gguf", writeGguf(spec)), wasm),
    ]);
    for (const handle of two) {
      expect((await ask(handle, "a b", { maxTokens: 3 })).end.completionTokens).toBeGreaterThan(0);
      await handle.dispose();
    }
  });

  it.each([
    ["begin a character that never ends are left out, and counted", 0xe4, 0xe5, { finishReason: "length", completionTokens: 6 }],
    ["begin no character end the answer with a note", 0xfd, 0xfe, { finishReason: "stop", note: expect.stringContaining("not text") }],
  ] as const)("E8 bytes that %s, and the engine goes on", async (_, one, other, wanted) => {
    const spec = tinyLlama();
    // Two rows that are each other's opposite: one of the two bytes always wins.
    const bytes = f32Tensor("output.weight", [64, 320], (i) => {
      const row = Math.floor(i / 64);
      return row === 3 + one ? 1 : row === 3 + other ? -1 : 0;
    });
    const path = temporaryFile(
      `bytes-${one}.gguf`,
      writeGguf({ ...spec, tensors: spec.tensors.map((tensor) => (tensor.name === "output.weight" ? bytes : tensor)) }),
    );
    const handle = await openFile(runtime, path, wasm);
    const pid = pids.at(-1);
    for (let turn = 0; turn < 3; turn += 1) {
      const { text, end } = await ask(handle, `a b${" c".repeat(turn)}`, { maxTokens: 6 });
      expect(text.replaceAll("\ufffd", "")).toBe("");
      expect(end).toMatchObject(wanted);
    }
    expect(handle.alive).toBe(true);
    expect(pids.at(-1)).toBe(pid);
    await handle.dispose();
  });

  it.each([
    ["not finite", "output_norm.weight", [64], Number.NaN],
    ["the same for every token", "output.weight", [64, 320], 0],
  ] as const)("R12 a model whose numbers are %s does not open", async (_, name, shape, value) => {
    const spec = tinyLlama();
    const tensors = spec.tensors.map((tensor) => (tensor.name === name ? f32Tensor(name, [...shape], () => value) : tensor));
    expect((await failure(openFile(runtime, temporaryFile("damaged.gguf", writeGguf({ ...spec, tensors })), wasm))).code).toBe("run-nan");
  });

  it("E9 R4 a file this build cannot load is device-memory before a byte is read", async () => {
    const reads: number[] = [];
    const huge: ByteSource = {
      name: "huge.gguf",
      size: 1_900_000_001,
      read: async (offset) => {
        reads.push(offset);
        return new Uint8Array();
      },
    };
    const host: WllamaHost = {
      label: "wllama, compat build",
      device: "wasm",
      maxFileBytes: 1_900_000_000,
      threads: { prompt: 1, decode: 1, origin: "asked" },
      notes: [],
      create: () => {
        throw new Error("it must not be started");
      },
    };
    const error = await failure(openWllama(host, [huge], { ...openOptions, ...wasm }));
    expect(error).toMatchObject({ code: "device-memory", details: { neededBytes: 1_900_000_001, availableBytes: 1_900_000_000 } });
    expect(reads).toEqual([]);
  });
});

describe("an engine that goes away", () => {
  it("R5 killed while generating it is run-crash for the call, with the signal; the next load works", async () => {
    const handle = await openFile(runtime, tinyStories, wasm);
    const pid = pids.at(-1) ?? 0;
    const pieces = await begun(handle);
    process.kill(pid, "SIGKILL");
    expect(await failure(drain(pieces))).toMatchObject({ code: "run-crash", details: { signal: "SIGKILL", runtime: "wllama" } });
    expect(handle.alive).toBe(false);
    expect(isRunning(pid)).toBe(false);
  });

  it("E5 dispose settles a running call", async () => {
    const handle = await openFile(runtime, tinyStories, wasm);
    const pieces = await begun(handle);
    await handle.dispose();
    expect((await failure(drain(pieces))).code).toBe("run-closed");
  });
});

describe("a model from memory", () => {
  it("runs in Node as a Blob, read through the parent, says why it is not native, and E7 refuses an option of a wrong type", async () => {
    await using model = await load(new Blob([new Uint8Array(readFileSync(tinyStories))]), { threads: 1 });
    expect(model.device).toMatchObject({ chosen: "wasm", runtime: "wllama" });
    const cpu = model.device!.tried.find(({ device }) => device === "cpu");
    expect(cpu).toMatchObject({ ok: false, hint: expect.stringContaining("memory") });
    expect(await textOf(model.stream(prompt, { temperature: 0, maxTokens: 8 }))).toBe(", there was a little girl named Lily");
    // E7: never an option of a wrong type
    await expect(textOf(model.stream(prompt, { topK: "x" as never }))).rejects.toThrow(SpellError);
    expect(await textOf(model.stream(prompt, { temperature: 0, maxTokens: 2 }))).toBe(", there");
  });
});
