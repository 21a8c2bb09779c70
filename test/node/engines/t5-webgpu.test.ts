/** T5 on WebGPU in Node, for real: onnxruntime-node's own provider on Chromium's software adapter, in the child process it lives in. */

import { readFileSync } from "node:fs";
import { afterAll, beforeAll, expect, it } from "vitest";
import type { DeviceProbe, Seq2SeqGenerateOptions, Seq2SeqOpenOptions } from "../../../src/core/spec/runtime.ts";
import { childRuntime } from "../../../src/node/engines/child-runtime.ts";
import { t5Runtime } from "../../../src/node/engines/devices.ts";
import { createSpell, type LanguageModel, load, nodePlatform } from "../../../src/node/index.ts";
import { failure } from "../../support/failure.ts";
import { onlyWhere } from "../../support/only-where.ts";
import { textOf } from "../../support/text-of.ts";
import { offerSoftwareGpu } from "../support/software-gpu.ts";

const golden = JSON.parse(readFileSync(new URL("../../golden/tiny-t5-en-fr.json", import.meta.url), "utf8")) as {
  readonly prefix: string;
  readonly cases: readonly { readonly en: string; readonly greedy_text: string; readonly beam4_text: string }[];
};
const softwareGpu = onlyWhere(offerSoftwareGpu());

/** onnxruntime-node in children whose ids are kept, and whose adapter passes for real where a test needs `auto` to take it. */
function watched(isPassedOff: boolean) {
  const pids: number[] = [];
  const engine = childRuntime<Seq2SeqOpenOptions, Seq2SeqGenerateOptions>({ engine: "onnxruntime-node", onSpawn: (pid) => pids.push(pid) });
  const native = {
    ...engine,
    probe: async (device: "webgpu" | "cuda" | "metal" | "vulkan" | "cpu" | "wasm"): Promise<DeviceProbe> => {
      const probe = await engine.probe(device);
      return probe.ok && isPassedOff ? { ...probe, isSoftware: false } : probe;
    },
  };
  const value = t5Runtime({
    native: () => native,
    hasCuda: () => false,
    ...(isPassedOff ? { graphics: () => ({ hasCard: true, drivers: [], identity: "passed off" }) } : {}),
  });
  const spell = createSpell({ platform: { ...nodePlatform(), seq2seq: { available: true, value } } });
  return { pids, load: (device: "auto" | "webgpu") => spell.load("tiny-t5-en-fr", { device }) };
}

softwareGpu.describe("the bundled translator on WebGPU in Node", () => {
  let model: LanguageModel;
  beforeAll(async () => {
    model = await load("tiny-t5-en-fr", { device: "webgpu" });
  }, 180_000);
  afterAll(() => model?.dispose());

  it("says where it computes, and that it is a software adapter", async () => {
    expect(model.device).toMatchObject({ chosen: "webgpu", runtime: "onnxruntime-node" });
    const warnings: string[] = [];
    for await (const part of model.stream(`${golden.prefix}Hello world`)) if (part.type === "warning") warnings.push(part.message);
    expect(warnings).toEqual([expect.stringContaining("software adapter")]);
  });

  it("translates greedily and with beams as transformers does", async () => {
    for (const { en, greedy_text } of golden.cases.slice(0, 4))
      expect(await textOf(model.stream(golden.prefix + en)), en).toBe(greedy_text);
    for (const { en, beam4_text } of golden.cases.slice(0, 1)) {
      expect(await textOf(model.stream(golden.prefix + en, { numBeams: 4 })), en).toBe(beam4_text);
    }
  }, 180_000);

  it("vulkan is the same card by another name", async () => {
    await using other = await load("tiny-t5-en-fr", { device: "vulkan" });
    expect(other.device).toMatchObject({ chosen: "webgpu", runtime: "onnxruntime-node" });
  }, 120_000);

  it("auto passes it over: software adapters never", async () => {
    await using other = await load("tiny-t5-en-fr", { device: "auto" });
    expect(other.device!.chosen).toBe("cpu");
    expect(other.device!.tried[0]).toMatchObject({ device: "webgpu", ok: false, reason: "software-adapter" });
  });
});

softwareGpu.describe("R1 a driver that falls with its process, in Node", () => {
  const text = `${golden.prefix}There is a police car parked outside our house.`;

  it("between tokens: device-lost with the text so far, and the next call is answered", async () => {
    const { load: open, pids } = watched(false);
    await using model = await open("webgpu");
    let shown = "";
    const error = await failure(
      (async () => {
        for await (const part of model.stream(text, { noRepeatNgramSize: 1, maxTokens: 200 })) {
          if (part.type !== "text-delta") continue;
          shown += part.text;
          process.kill(pids.at(-1) ?? 0, "SIGSEGV");
        }
      })(),
    );
    expect(error).toMatchObject({ code: "device-lost", details: { partialText: shown, signal: "SIGSEGV" } });
    expect(await textOf(model.stream(`${golden.prefix}Hello world`))).toBe("Bonjour le monde");
  }, 180_000);

  it("before any text, under auto: one restart on the processor, with a warning", async () => {
    const { load: open, pids } = watched(true);
    await using model = await open("auto");
    expect(model.device!.chosen).toBe("webgpu");
    process.kill(pids.at(-1) ?? 0, "SIGKILL");
    const parts = [];
    for await (const part of model.stream(`${golden.prefix}Hello world`)) parts.push(part);
    expect(parts.map((part) => (part.type === "text-delta" ? part.text : "")).join("")).toBe("Bonjour le monde");
    expect(model.device!.chosen).toBe("cpu");
  }, 180_000);
});
