/** The wall around an engine in a page: whatever happens to its worker, each call settles with a typed error, and the next load works. */

import { describe, expect, it, vi } from "vitest";
import { workerRuntime } from "../../../src/browser/engines/worker-runtime.ts";
import { createSpell, type GgufRuntime, type LanguageModel, type Platform, SpellError } from "../../../src/browser/index.ts";
import { browserPlatform } from "../../../src/browser/platform.ts";
import type { GgufGenerateOptions, GgufOpenOptions } from "../../../src/core/spec/runtime.ts";
import { failure } from "../../support/failure.ts";
import { soonMs } from "../../support/soon.ts";
import { textOf } from "../../support/text-of.ts";

const isLong = import.meta.env["LLMSPELL_LONG"] === "1";
const prompt = "Once upon a time";
const greedy = { temperature: 0, repeatPenalty: 1, maxTokens: 12 } as const;
/** Draws wildly, so that a story does not end before something happens to its engine. */
const endless = { temperature: 2, seed: 4, maxTokens: 2000 } as const;

const realWorker = (): Worker => new Worker(new URL("../../../src/browser/engines/wllama-worker.ts", import.meta.url), { type: "module" });
const scripted = (code: string): Worker => new Worker(URL.createObjectURL(new Blob([code], { type: "text/javascript" })));

/** A page's platform whose GGUF engines run in these workers. */
function platformWith(createWorker: () => Worker): Platform {
  const value: GgufRuntime = workerRuntime<GgufOpenOptions, GgufGenerateOptions>("wllama", { files: {}, createWorker });
  return { ...browserPlatform(), gguf: { available: true, value } };
}

const load = (createWorker: () => Worker): Promise<LanguageModel> =>
  createSpell({ platform: platformWith(createWorker) }).load("tiny-stories");

describe("R6 a worker that dies", () => {
  it("while it writes: run-crash with the text so far; the next call loads again by itself", async () => {
    const workers: Worker[] = [];
    await using model = await load(() => {
      const worker = realWorker();
      workers.push(worker);
      return worker;
    });
    const expected = await textOf(model.stream(prompt, greedy));
    let shown = "";
    const running = failure(
      (async () => {
        for await (const part of model.stream(prompt, endless)) {
          if (part.type !== "text-delta") continue;
          shown += part.text;
          if (shown.length > 20) workers.at(-1)?.terminate();
        }
      })(),
    );
    const started = performance.now();
    const error = await running;
    expect(error.code).toBe("run-crash");
    expect(error.message).toContain("worker");
    expect(error.details?.["partialText"]).toBe(shown);
    expect(performance.now() - started).toBeLessThan(10_000);
    expect(await textOf(model.stream(prompt, greedy))).toBe(expected);
    expect(workers).toHaveLength(2);
  });

  it("while it loads: a typed error, and the next load works", async () => {
    const error = await failure(
      load(() => {
        const worker = realWorker();
        setTimeout(() => worker.terminate(), 250);
        return worker;
      }),
    );
    expect(["run-crash", "device-unavailable"]).toContain(error.code);
    await using model = await load(realWorker);
    expect((await textOf(model.stream(prompt, greedy))).length).toBeGreaterThan(10);
  });

  it("at its first line, or because it cannot be fetched: device-unavailable that says so", async () => {
    expect(await failure(load(() => scripted("throw new Error('planted')")))).toMatchObject({
      code: "device-unavailable",
      message: expect.stringContaining("planted"),
    });
    expect(await failure(load(() => new Worker("/no-such-worker.js", { type: "module" })))).toMatchObject({
      code: "device-unavailable",
      message: expect.stringContaining("could not be loaded"),
    });
    expect(
      await failure(
        load(() => {
          throw new DOMException("Refused by the Content-Security-Policy", "SecurityError");
        }),
      ),
    ).toMatchObject({ code: "device-unavailable", message: expect.stringContaining("Content-Security-Policy") });
  });
});

describe("R6 a worker that misbehaves", () => {
  const opened = `{ type: "opened", handle: { device: { chosen: "wasm", tried: [] }, contextLength: 512, unsupported: [], notes: [], answersMany: false } }`;

  it("throws in the middle of an answer: run-crash", async () => {
    const model = await load(() =>
      scripted(`onmessage = ({ data }) => {
        if (data.type === "open") postMessage(${opened});
        if (data.type === "generate") {
          postMessage({ type: "pieces", call: data.call, pieces: [{ type: "text", text: "Once" }] });
          setTimeout(() => { throw new Error("planted") });
        }
      }`),
    );
    const error = await failure(textOf(model.stream(prompt)));
    expect(error).toMatchObject({ code: "run-crash", details: { partialText: "Once" } });
    expect(error.message).toContain("planted");
  });

  if (isLong) {
    it("says nothing: run-crash within the heartbeat", async () => {
      const started = performance.now();
      const error = await failure(load(() => scripted("onmessage = () => undefined")));
      expect(error).toMatchObject({ code: "device-unavailable", message: expect.stringContaining("silent for 20 s") });
      expect(performance.now() - started).toBeLessThan(25_000);
    }, 30_000);
  }

  it("sends code, hint, actions and details of its errors whole", async () => {
    const sent = new SpellError("gguf-metadata", "unusable", {
      hint: "Convert it.",
      actions: [{ kind: "diagnose" }],
      details: { wanted: 7 },
    });
    const error = await failure(
      load(() =>
        scripted(`onmessage = ({ data }) => {
          if (data.type === "open") postMessage({ type: "failed", call: 0, error: ${JSON.stringify(sent)} });
        }`),
      ),
    );
    expect(error.toJSON()).toEqual(sent.toJSON());
  });
});

describe("a ceiling", () => {
  it("refuses a file that is too large from its header alone", async () => {
    const header = await (await fetch("/builtins/models/tiny-stories/tiny-stories.gguf")).blob();
    const block = new Blob([new Uint8Array(50_000_000)]);
    // 4.4 GB that take no more room than one block
    const file = new File([header, ...Array<Blob>(88).fill(block)], "large.gguf");
    const started = performance.now();
    const error = await failure(createSpell().load(file));
    expect(error).toMatchObject({ code: "device-memory", details: { neededBytes: expect.any(Number) } });
    expect(performance.now() - started).toBeLessThan(soonMs);
  });
});

describe("a page", () => {
  if (isLong) {
    it("computes nothing in the page: no engine is compiled there while T5 loads and writes", async () => {
      const ways = [
        vi.spyOn(WebAssembly, "compile"),
        vi.spyOn(WebAssembly, "compileStreaming"),
        vi.spyOn(WebAssembly, "instantiate"),
        vi.spyOn(WebAssembly, "instantiateStreaming"),
        vi.spyOn(WebAssembly, "Module"),
      ];
      const calls = (): number => ways.reduce((sum, way) => sum + way.mock.calls.length, 0);
      try {
        await WebAssembly.compile(Uint8Array.of(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0));
        expect(calls()).toBe(1);
        await using model = await createSpell().load("tiny-t5-en-fr", { device: "wasm" });
        expect(await textOf(model.stream("translate English to French: Where is the train station?"))).not.toBe("");
        expect(calls()).toBe(1);
      } finally {
        vi.restoreAllMocks();
      }
    });
  }

  it("R9 leaves no worker behind when a model is disposed", async () => {
    const model = await load(realWorker);
    const locks = async (): Promise<number> =>
      ((await navigator.locks.query()).held ?? []).filter(({ name }) => name?.startsWith("llmspell-engine-")).length;
    const before = await locks();
    await model.dispose();
    await expect.poll(locks).toBe(before - 1);
  });
});
