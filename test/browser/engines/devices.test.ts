/** Devices of a page in Chromium, on its software adapter: what is chosen and why, and what happens when the device goes away. */

import { describe, expect, it } from "vitest";
import { findAdapter } from "../../../src/browser/engines/adapter.ts";
import { ggufRuntime, t5Runtime } from "../../../src/browser/engines/devices.ts";
import { openWebGpuOnnx } from "../../../src/browser/engines/onnx-web.ts";
import { t5Engine } from "../../../src/browser/engines/t5-engine.ts";
import { browserVerdicts } from "../../../src/browser/engines/verdict-store.ts";
import { createSpell, load, type Platform } from "../../../src/browser/index.ts";
import { browserPlatform } from "../../../src/browser/platform.ts";
import type { VerdictStore } from "../../../src/core/devices/self-test.ts";
import { OnnxGraphBuilder } from "../../../src/core/onnx/graph-builder.ts";
import type { StreamPart } from "../../../src/core/spec/stream-part.ts";
import { failure } from "../../support/failure.ts";
import { soonMs } from "../../support/soon.ts";
import { textOf } from "../../support/text-of.ts";

const adapter = await findAdapter();
const why = adapter === undefined ? " (skipped: the browser offers no adapter)" : "";
const onGpu = describe.skipIf(adapter === undefined);
const hello = "translate English to French: Hello world";

/** This page's WebGPU, whose devices can be taken away. */
function loseableGpu() {
  const devices: GPUDevice[] = [];
  const gpu = {
    async requestAdapter() {
      const real = await navigator.gpu.requestAdapter();
      if (real === null) return null;
      return new Proxy(real, {
        get(target, key) {
          if (key !== "requestDevice") {
            const value: unknown = Reflect.get(target, key, target);
            return typeof value === "function" ? value.bind(target) : value;
          }
          return async (descriptor?: GPUDeviceDescriptor) => {
            const device = await target.requestDevice(descriptor);
            devices.push(device);
            return device;
          };
        },
      });
    },
  } as unknown as GPU;
  return { gpu, devices, lose: () => devices.at(-1)?.destroy() };
}

const memoryVerdicts = (): VerdictStore => {
  const kept = new Map<string, Awaited<ReturnType<VerdictStore["read"]>>>();
  return { read: async (key) => kept.get(key), write: async (key, verdict) => void kept.set(key, verdict) };
};

/** T5 in this very page, on devices that can be lost; the adapter passes for a real one, so that `auto` takes it. */
function loseablePlatform() {
  const { gpu, devices, lose } = loseableGpu();
  const base = browserPlatform();
  const value = t5Runtime(
    t5Engine({}, () => openWebGpuOnnx({}, gpu)),
    {
      bundled: base.bundled,
      // known already: the self-test of this adapter has a test of its own
      verdicts: { read: async () => ({ ok: true, ms: 1, reason: "ok" }), write: async () => undefined },
      adapter: async () => {
        const found = await findAdapter(gpu);
        return found === undefined ? undefined : { ...found, isSoftware: false };
      },
    },
  );
  const platform: Platform = { ...base, seq2seq: { available: true, value } };
  return { spell: createSpell({ platform }), devices, lose };
}

onGpu(`auto in a page${why}`, () => {
  it("takes WebAssembly, and says that the adapter is software", async () => {
    await using model = await load("tiny-t5-en-fr");
    expect(model.device).toMatchObject({ chosen: "wasm", runtime: "onnxruntime-web" });
    expect(model.device!.tried).toMatchObject([
      { device: "webgpu", ok: false, reason: "software-adapter", hint: expect.stringContaining("swiftshader") },
      { device: "wasm", ok: true },
    ]);
  });

  it("E13 GGUF on an adapter without shader-f16: refused by name, passed over by auto, never computed on the processor in silence", async () => {
    expect(adapter?.hasF16, "this adapter has shader-f16: GGUF could be tried on it").toBe(false);
    const error = await failure(load("tiny-stories", { device: "webgpu" }));
    expect(error).toMatchObject({ code: "device-unavailable", message: expect.stringContaining("shader-f16") });
    await using model = await load("tiny-stories", { threads: 1 });
    expect(model.device).toMatchObject({ chosen: "wasm", tried: [{ device: "webgpu", reason: "missing-feature" }, { device: "wasm" }] });
  });

  it.each(["cuda", "metal", "vulkan"] as const)("%s cannot exist in a browser: wasm with a warning that names webgpu", async (device) => {
    await using model = await load("tiny-t5-en-fr", { device });
    const warnings: StreamPart[] = [];
    for await (const part of model.stream(hello)) if (part.type === "warning") warnings.push(part);
    expect(model.device!.chosen).toBe("wasm");
    expect(warnings[0]).toMatchObject({ code: "device-fallback", message: `${device} does not exist here; wasm is used (use webgpu)` });
  });
});

describe("R3 a page without", () => {
  const base = browserPlatform();
  const none = { name: "none", open: () => Promise.reject(new Error("it must not be started")) };

  it("an adapter: the next device under auto, device-unavailable by name", async () => {
    for (const runtime of [
      t5Runtime(none, { bundled: base.bundled, verdicts: memoryVerdicts(), adapter: async () => undefined }),
      ggufRuntime(none, { bundled: base.bundled, verdicts: memoryVerdicts(), adapter: async () => undefined }),
    ]) {
      expect(await runtime.preview?.([], { device: "auto" })).toMatchObject({
        chosen: "wasm",
        tried: [{ reason: "no-adapter" }, { ok: true }],
      });
      expect((await runtime.preview?.([], { device: "webgpu" }))?.chosen).toBeUndefined();
    }
  });

  it("R4 a model beyond WebAssembly's memory is device-memory with both numbers and a smaller variant, and the page lives", async () => {
    const runtime = t5Runtime(none, { bundled: base.bundled, verdicts: memoryVerdicts() });
    const needs = { memoryBytes: 5e9, bufferBytes: 1 };
    const error = await failure(runtime.open([], { device: "wasm", variant: "f32", inputLength: 512, threads: 1, needs }));
    expect(error).toMatchObject({ code: "device-memory", details: { neededBytes: 5e9, availableBytes: 2 ** 32 } });
  });
});

describe("verdicts of self-tests", () => {
  it("stay with the browser, and one that cannot be read is no verdict", async () => {
    const key = `test ${crypto.randomUUID()}`;
    await browserVerdicts().write(key, { ok: false, ms: 12, reason: "missing-kernel", detail: "no Softmax" });
    expect(await browserVerdicts().read(key)).toEqual({ ok: false, ms: 12, reason: "missing-kernel", detail: "no Softmax" });
    expect(await browserVerdicts().read("another")).toBeUndefined();
  });
});

onGpu(`the self-test on WebGPU${why}`, () => {
  it("answers as transformers does on this adapter, in the time the survey reports", async () => {
    const base = browserPlatform();
    const told: string[] = [];
    if (!base.seq2seq.available) throw new Error("no runtime");
    const found = await base.seq2seq.value.survey?.({ onAttempt: ({ device, reason }) => told.push(`${device} ${reason}`) });
    expect(told).toEqual([
      "cuda not-on-this-platform",
      "metal not-on-this-platform",
      "vulkan not-on-this-platform",
      "webgpu software-adapter",
      "wasm ok",
    ]);
    expect(found?.chosen).toBe("wasm");
    expect(found?.tried.find(({ device }) => device === "webgpu")?.selfTestMs).toBeGreaterThan(0);
  }, 120_000);
});

onGpu(`R1 a device that is lost, in a page${why}`, () => {
  it("under a graph: before a pass, during one and between two: device-lost at once, never numbers", async () => {
    const builder = new OnnxGraphBuilder("neg");
    builder.input("x", "float32", ["n"]);
    builder.node("Neg", ["x"], { output: "y" });
    builder.output("y", "float32", ["n"]);
    for (const moment of ["before", "during", "between"] as const) {
      const { gpu, lose } = loseableGpu();
      const runtime = await openWebGpuOnnx({}, gpu);
      const graph = await runtime.open(builder.toModel(), { threads: 1, keepOnDevice: ["y"] });
      const x = runtime.tensor("float32", new Float32Array(1000).fill(2), [1000]);
      const started = performance.now();
      const work = async (): Promise<unknown> => {
        if (moment === "before") lose();
        const running = graph.run({ x });
        if (moment === "during") lose();
        const { y } = await running;
        if (moment === "between") lose();
        return y?.read();
      };
      expect((await failure(work())).code, moment).toBe("device-lost");
      expect(performance.now() - started, moment).toBeLessThan(soonMs);
      expect((await failure(graph.run({ x }))).code, moment).toMatch(/device-lost/);
      await graph.dispose();
    }
  }, 60_000);

  it("between tokens: device-lost with the text so far, and the next call is answered elsewhere", async () => {
    const { spell, lose } = loseablePlatform();
    await using model = await spell.load("tiny-t5-en-fr", { device: "auto" });
    expect(model.device!.chosen).toBe("webgpu");
    let shown = "";
    const error = await failure(
      (async () => {
        for await (const part of model.stream("translate English to French: There is a police car parked outside our house.")) {
          if (part.type !== "text-delta") continue;
          shown += part.text;
          lose();
        }
      })(),
    );
    expect(error).toMatchObject({ code: "device-lost", details: { partialText: shown } });
    expect(shown).not.toBe("");
    expect("Il y a une voiture à l'extérieur de notre maison.".startsWith(shown)).toBe(true);
    expect(await textOf(model.stream(hello))).toBe("Bonjour le monde");
    expect(model.device!.chosen).toBe("wasm");
  }, 120_000);

  it("before any text, under auto: one restart on WebAssembly with a warning; by name: an error, and no other device", async () => {
    const { spell, lose } = loseablePlatform();
    await using model = await spell.load("tiny-t5-en-fr", { device: "auto" });
    lose();
    const parts: StreamPart[] = [];
    for await (const part of model.stream(hello)) parts.push(part);
    expect(parts.map((part) => (part.type === "text-delta" ? part.text : "")).join("")).toBe("Bonjour le monde");
    expect(parts.flatMap((part) => (part.type === "warning" ? [part.code] : []))).toContain("device-fallback");
    expect(model.device!.chosen).toBe("wasm");
    await using named = await spell.load("tiny-t5-en-fr", { device: "webgpu" });
    lose();
    expect((await failure(textOf(named.stream(hello)))).code).toBe("device-lost");
  }, 120_000);

  it("R2 opened, used and given back 20 times", async () => {
    const builder = new OnnxGraphBuilder("neg");
    builder.input("x", "float32", [1]);
    builder.node("Neg", ["x"], { output: "y" });
    builder.output("y", "float32", [1]);
    for (let turn = 0; turn < 20; turn += 1) {
      const { gpu, lose } = loseableGpu();
      const runtime = await openWebGpuOnnx({}, gpu);
      const graph = await runtime.open(builder.toModel(), { threads: 1 });
      const { y } = await graph.run({ x: runtime.tensor("float32", Float32Array.of(turn + 1), [1]) });
      expect((await y?.read())?.[0]).toBe(-(turn + 1));
      await graph.dispose();
      lose();
    }
  }, 120_000);
});
