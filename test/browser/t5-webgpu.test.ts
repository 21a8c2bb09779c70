/** T5 in Chromium on WebGPU, a software adapter: the bundled model's golden answers, and bytes as on WebAssembly. Minutes, so in the long run. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openWebGpuOnnx } from "../../src/browser/engines/onnx-web.ts";
import type { LanguageModel } from "../../src/browser/index.ts";
import { load } from "../../src/browser/index.ts";
import { bytesSource } from "../../src/core/formats/byte-source.ts";
import { DecoderState, encode, openT5Session } from "../../src/core/t5/decode.ts";
import { acceptT5, findT5Files } from "../../src/core/t5/files.ts";
import { sessionWeights } from "../../src/core/t5/session-weights.ts";
import { writeTinyT5 } from "../fixtures/t5-writer.ts";
import golden from "../golden/tiny-t5-en-fr.json";
import { textOf } from "../support/text-of.ts";

const prefix = "translate English to French: ";

describe("the bundled translator on webgpu in Chromium", () => {
  let model: LanguageModel;
  // the self-test compiles every shader on a processor
  beforeAll(async () => {
    model = await load("tiny-t5-en-fr", { device: "webgpu" });
  }, 180_000);
  afterAll(() => model.dispose());

  it("says where it computes", () => {
    expect(model.device).toMatchObject({ chosen: "webgpu", runtime: "onnxruntime-web" });
    expect(model.device!.tried).toContainEqual(expect.objectContaining({ device: "webgpu", ok: true }));
  });

  it("translates greedily and with beams as transformers does", async () => {
    for (const { en, greedy_text } of golden.cases.slice(0, 4)) expect(await textOf(model.stream(prefix + en)), en).toBe(greedy_text);
    for (const { en, beam4_text } of golden.cases.slice(0, 3)) {
      expect(await textOf(model.stream(prefix + en, { numBeams: 4 })), en).toBe(beam4_text);
    }
  }, 120_000);

  it("reads bytes where the checkpoint is ByT5, the same on both devices", async () => {
    const config = { vocab_size: 384, tokenizer_class: "ByT5Tokenizer" };
    const all = writeTinyT5({ config });
    const files = [...all].filter(([name]) => name !== "tokenizer.json").map(([name, bytes]) => new File([Uint8Array.from(bytes)], name));
    const answers = [];
    for (const device of ["wasm", "webgpu"] as const) {
      const model = await load(files, { device });
      answers.push(await model.generate("Grüße", { maxTokens: 12, stop: [] }));
      await model.dispose();
    }
    // five letters, two of them in two bytes, and the end
    expect(answers.map(({ usage }) => usage?.promptTokens)).toEqual([8, 8]);
    expect(answers[0]).toMatchObject({ text: answers[1]?.text, finishReason: "length" });
  }, 180_000);
});

/** What the page asked of its card since the last call: copied and bound bytes, new buffers. */
function watchCard() {
  const seen = { copied: 0, bound: 0, buffers: 0 };
  const { createBuffer, createBindGroup } = GPUDevice.prototype;
  const { copyBufferToBuffer } = GPUCommandEncoder.prototype;
  GPUDevice.prototype.createBuffer = function (descriptor) {
    seen.buffers += 1;
    return createBuffer.call(this, descriptor);
  };
  GPUDevice.prototype.createBindGroup = function (descriptor) {
    for (const { resource } of descriptor.entries) {
      if (resource instanceof GPUBuffer) seen.bound += resource.size;
      else if ("buffer" in resource) seen.bound += resource.size ?? resource.buffer.size;
    }
    return createBindGroup.call(this, descriptor);
  };
  GPUCommandEncoder.prototype.copyBufferToBuffer = function (...args: unknown[]) {
    seen.copied += Number(args.at(-1));
    return (copyBufferToBuffer as (...all: unknown[]) => undefined).apply(this, args);
  };
  return {
    take() {
      const taken = { ...seen };
      Object.assign(seen, { copied: 0, bound: 0, buffers: 0 });
      return taken;
    },
    end() {
      Object.assign(GPUDevice.prototype, { createBuffer, createBindGroup });
      Object.assign(GPUCommandEncoder.prototype, { copyBufferToBuffer });
    },
  };
}

describe("keys and values on the card", () => {
  // which form the weights have changes what a step binds of them, not what it binds and copies of keys and values
  it.each(["f32", "q8", "q4"] as const)(
    "grow in room for more (%s): a step copies its own and makes as many buffers late as early",
    async (variant) => {
      const sources = [...writeTinyT5({ config: { num_heads: 4, d_kv: 16, num_decoder_layers: 3 } })].map(([name, bytes]) =>
        bytesSource(name, bytes),
      );
      const facts = await acceptT5(findT5Files(sources));
      const watch = watchCard();
      try {
        const runtime = await openWebGpuOnnx();
        const session = await openT5Session(facts.config, await sessionWeights(facts, [], { variant, runtime }), runtime, {
          threads: 1,
        });
        const encoded = await encode(session, [[3, 4, 5, 1]]);
        const state = new DecoderState(session, encoded, 1);
        const steps = async (count: number) => {
          const all = [];
          for (let step = 0; step < count; step += 1) {
            watch.take();
            await state.stepToBest([4 + (step % 8)]);
            all.push(watch.take());
          }
          return all;
        };
        await state.step([0]);
        await steps(16);
        const early = (await steps(8)).at(-1);
        await state.step(Array.from({ length: 470 }, (_, at) => 3 + (at % 9)));
        await steps(4);
        const late = (await steps(8)).at(-1);
        console.log("a step early and late", variant, JSON.stringify({ early, late }));
        expect(late?.buffers).toBe(early?.buffers);
        // keys and values of one position are 3 · 2 · 64 floats in either case; what grows are the distances of positions, nine bytes for each
        expect(early?.copied).toBeGreaterThan(3 * 2 * 64 * 4);
        expect((late?.copied ?? 0) - (early?.copied ?? 0)).toBeLessThan(10 * 512);
        // what grows of the bound bytes are keys, values and scores: under a kilobyte for each position, layer and 64 of width, room included
        expect((late?.bound ?? 0) - (early?.bound ?? 0)).toBeLessThan(3 * 1024 * 640);
        // the same answer as with everything read again
        if (variant !== "f32") return void (await session.dispose()); // blocks round otherwise for one row than for many
        const whole = new DecoderState(session, encoded, 1);
        const ids = Array.from({ length: 40 }, (_, at) => 3 + (at % 7));
        const wanted = await whole.stepToBest([0, ...ids]);
        await state.truncate(0);
        const got = [...(await state.stepToBest([0]))];
        for (const id of ids) got.push(...(await state.stepToBest([id])));
        expect(got).toEqual(wanted);
        await session.dispose();
      } finally {
        watch.end();
      }
    },
    180_000,
  );
});
