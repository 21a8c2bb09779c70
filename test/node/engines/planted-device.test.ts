/** Real engines with a planted fault, through the device list of Node: a card that computes wrongly, and one that fails at the second step. */
import { describe, expect, it } from "vitest";
import type { Verdict } from "../../../src/core/devices/self-test.ts";
import { SpellError } from "../../../src/core/errors.ts";
import type { OnnxGraph, OnnxRuntime } from "../../../src/core/spec/onnx.ts";
import type { Seq2SeqOpenOptions } from "../../../src/core/spec/runtime.ts";
import { openT5 } from "../../../src/core/t5/engine.ts";
import { bundledFile } from "../../../src/node/bundled-file.ts";
import { type NodeT5Options, t5Runtime } from "../../../src/node/engines/devices.ts";
import { openNativeOnnx } from "../../../src/node/engines/onnx-native.ts";
import { failure } from "../../support/failure.ts";

type Fault = (outputs: Awaited<ReturnType<OnnxGraph["run"]>>, pass: number) => Awaited<ReturnType<OnnxGraph["run"]>>;

const files = () =>
  Promise.all(
    ["config.json", "generation_config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"].map((name) =>
      bundledFile("tiny-t5-en-fr", name),
    ),
  );

/** onnxruntime-node on the processor, which calls itself a graphics card and spoils the passes of its decoder. */
async function brokenCard(fault: Fault): Promise<OnnxRuntime> {
  const real = await openNativeOnnx();
  return {
    ...real,
    device: "webgpu",
    async open(model, options) {
      const graph = await real.open(model, options);
      let pass = 0;
      return {
        ...graph,
        device: "webgpu",
        async run(feeds) {
          const outputs = await graph.run(feeds);
          pass += 1;
          return outputs["logits"] === undefined ? outputs : fault(outputs, pass);
        },
      };
    },
  };
}

/** @param isTrusted its self-test counts as passed, some time ago */
function planted(fault: Fault, isTrusted = false) {
  const kept = new Map<string, Verdict>();
  const opened: string[] = [];
  const native: NonNullable<NodeT5Options["native"]> = () => ({
    prepare: () => undefined,
    probe: async () => ({ ok: true, label: "planted card", isSoftware: false, identity: "planted 1" }),
    async open(sources, options) {
      opened.push(options.device);
      const onnx = options.device === "cpu" ? await openNativeOnnx() : await brokenCard(fault);
      return openT5(
        sources,
        {
          onnx,
          threads: 1,
          report: () => ({ chosen: onnx.device, tried: [{ device: onnx.device, ok: true, reason: "ok" }], runtime: onnx.name }),
          pause: () => new Promise((resolve) => setImmediate(resolve)),
          now: () => performance.now(),
        },
        options,
      );
    },
  });
  const runtime = t5Runtime({
    native,
    os: "linux",
    isInstalled: () => true,
    hasCuda: () => false,
    graphics: () => ({ hasCard: true, drivers: [], identity: "planted" }),
    verdicts: {
      read: async (key) => (isTrusted ? { ok: true, ms: 1, reason: "ok" } : kept.get(key)),
      write: async (key, verdict) => void kept.set(key, verdict),
    },
  });
  const options = { variant: "f32", inputLength: 128, threads: 1 } satisfies Omit<Seq2SeqOpenOptions, "device">;
  return { kept, opened, open: async (device: "auto" | "webgpu") => runtime.open(await files(), { ...options, device }) };
}

/** The scores of the first half of the vocabulary and the second change places: plausible numbers, wrong tokens. */
const wrongly: Fault = (outputs) => {
  const scores = outputs["logits"]?.local as Float32Array;
  const half = scores.length >> 1;
  const front = scores.slice(0, half);
  scores.copyWithin(0, half);
  scores.set(front, half);
  return outputs;
};

const atSecondStep: Fault = (outputs, pass) => {
  if (pass === 2) throw new SpellError("run-crash", "the second step was refused");
  return outputs;
};

const zeros: Fault = (outputs) => {
  const scores = outputs["logits"]?.local;
  if (scores instanceof Float32Array) scores.fill(0);
  return outputs;
};

describe.each([
  ["computes wrongly", wrongly, /expected .* got/],
  ["fails at the second step", atSecondStep, /second step/],
  ["gives zeros", zeros, /scores are all 0/],
] as const)("a card that %s", (_, fault, told) => {
  it("is passed over by auto with a warning, and its verdict is kept", async () => {
    const { open, kept, opened } = planted(fault);
    const handle = await open("auto");
    expect(handle.device.chosen).toBe("cpu");
    expect(handle.device.tried[0]).toMatchObject({
      device: "webgpu",
      ok: false,
      reason: "self-test-failed",
      hint: expect.stringMatching(told),
    });
    expect(handle.fallbacks).toEqual([expect.stringMatching(told)]);
    expect([...kept.values()]).toMatchObject([{ ok: false }]);
    expect(opened).toEqual(["webgpu", "cpu"]);
    await handle.dispose();
  });

  it("is refused when it is asked for by name", async () => {
    expect(await failure(planted(fault).open("webgpu"))).toMatchObject({ code: "device-self-test", message: expect.stringMatching(told) });
  });
});

it("a card that computes rightly is taken", async () => {
  const { open, opened } = planted((outputs) => outputs);
  const handle = await open("auto");
  expect(handle.device).toMatchObject({ chosen: "webgpu", tried: [{ device: "webgpu", ok: true, hint: "planted card" }] });
  expect(opened).toEqual(["webgpu", "webgpu"]);
  await handle.dispose();
});

it("a card that passed its self-test once and gives zeros now is found out by the load's first step", async () => {
  const handle = await planted(zeros, true).open("auto");
  expect(handle.device.chosen).toBe("cpu");
  expect(handle.device.tried[0]).toMatchObject({ device: "webgpu", ok: false, hint: expect.stringContaining("scores are all 0") });
  expect(handle.fallbacks).toEqual([expect.stringContaining("scores are all 0")]);
  await handle.dispose();
  expect((await failure(planted(zeros, true).open("webgpu"))).code).toBe("run-nan");
});
