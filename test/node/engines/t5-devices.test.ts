/** What computes T5 in Node, in which order, and what the report says of the others. Engines are scripted here; real ones are in t5-webgpu and planted-device. */
import { describe, expect, it } from "vitest";
import { t5SelfTest } from "../../../src/core/devices/self-test.ts";
import { SpellError } from "../../../src/core/errors.ts";
import type { Device, DeviceChoice, DeviceProbe, Seq2SeqHandle } from "../../../src/core/spec/runtime.ts";
import { type NodeT5Options, t5Runtime } from "../../../src/node/engines/devices.ts";
import { installCommand } from "../../../src/node/engines/packages.ts";
import { createSpell, nodePlatform } from "../../../src/node/index.ts";
import { failure } from "../../support/failure.ts";

type Engine = ReturnType<NonNullable<NodeT5Options["native"]>>;

function scripted(options: NodeT5Options & { readonly fail?: SpellError; readonly probes?: Partial<Record<Device, DeviceProbe>> } = {}) {
  const asked: string[] = [];
  const { fail, probes = {}, ...rest } = options;
  const engine = (name: string, failing?: SpellError): Engine => ({
    prepare: () => void asked.push(`prepare ${name}`),
    async probe(device) {
      asked.push(`look at ${device}`);
      return probes[device] ?? { ok: false, reason: "no-adapter", hint: "Failed to get a WebGPU adapter" };
    },
    async open(_files, { device }) {
      asked.push(`open ${name} on ${device}`);
      if (failing !== undefined) throw failing;
      const chosen = device === "auto" ? "cpu" : device;
      const handle: Seq2SeqHandle = {
        alive: true,
        device: { chosen, tried: [{ device: chosen, ok: true, reason: "ok", runtime: name }], runtime: name },
        contextLength: 128,
        unsupported: [],
        notes: [],
        async *generate(prompt) {
          yield { type: "text", text: t5SelfTest.questions.find((question) => question.prompt === prompt)?.answer ?? "?" };
        },
        dispose: async () => undefined,
      };
      return handle;
    },
  });
  const native = engine("onnxruntime-node", fail);
  const portable = engine("onnxruntime-web");
  const runtime = t5Runtime({
    native: () => native,
    portable: () => portable,
    isInstalled: () => true,
    hasCuda: () => true,
    graphics: () => ({ hasCard: true, drivers: [], identity: "a card" }),
    verdicts: { read: async () => undefined, write: async () => undefined },
    os: "linux",
    ...rest,
  });
  const openOptions = { variant: "f32", inputLength: 128, threads: 1 } as const;
  return { asked, prepare: runtime.prepare, open: (device: DeviceChoice) => runtime.open([], { ...openOptions, device }) };
}

const card: DeviceProbe = { ok: true, label: "a card", isSoftware: false, identity: "1" };

describe("T5 in Node", () => {
  it("auto: WebGPU, CUDA, the processor, WebAssembly", async () => {
    const cases = [
      [{ probes: { webgpu: card } }, "webgpu"],
      [{ probes: { cuda: card } }, "cuda"],
      [{}, "cpu"],
      [{ isInstalled: () => false }, "wasm"],
    ] as const;
    for (const [options, chosen] of cases) {
      const { device } = await scripted(options).open("auto");
      expect(device.chosen).toBe(chosen);
      expect(device.tried.map((attempt) => attempt.device)).toEqual(["webgpu", "cuda", "cpu", "wasm"].slice(0, device.tried.length));
    }
  });

  it("without onnxruntime-node every way through it names the line that installs it", async () => {
    const { device } = await scripted({ isInstalled: () => false }).open("auto");
    expect(device.tried.slice(0, 3).map(({ reason, hint }) => [reason, hint])).toEqual(
      Array(3).fill(["package-missing", installCommand("onnxruntime-node")]),
    );
    expect(await failure(scripted({ isInstalled: () => false }).open("webgpu"))).toMatchObject({
      code: "device-unavailable",
      actions: [{ kind: "shell", line: installCommand("onnxruntime-node") }, { kind: "diagnose" }],
    });
  });

  it("cuda without its files names the line that fetches them, and asks no driver", async () => {
    const { open, asked } = scripted({ hasCuda: () => false });
    const error = await failure(open("cuda"));
    expect(error.actions[0]).toEqual({ kind: "shell", line: "ONNXRUNTIME_NODE_INSTALL=cuda12 npm rebuild onnxruntime-node" });
    expect(asked).toEqual([]);
  });

  it("vulkan on Linux and metal on macOS are WebGPU on top of them; vulkan on Windows is not", async () => {
    const probes = { webgpu: card };
    expect((await scripted({ probes }).open("vulkan")).device.chosen).toBe("webgpu");
    expect((await scripted({ probes, os: "darwin" }).open("metal")).device.chosen).toBe("webgpu");
    expect((await failure(scripted({ probes, os: "win32" }).open("vulkan"))).code).toBe("device-unavailable");
  });

  it.each([
    ["cuda", "darwin", /use metal/],
    ["vulkan", "darwin", /use metal/],
    ["metal", "linux", /use webgpu or cuda/],
    ["metal", "win32", /use webgpu or cuda/],
  ] as const)("%s on %s cannot exist: cpu with a warning", async (device, os, hint) => {
    const handle = await scripted({ os }).open(device);
    expect(handle.device.chosen).toBe("cpu");
    expect(handle.fallbacks).toEqual([expect.stringMatching(hint)]);
  });

  it("R3 cpu: an engine that does not start is passed over for WebAssembly, with the reason; a model it dies of is not", async () => {
    const { device } = await scripted({ fail: new SpellError("device-unavailable", "no binary") }).open("cpu");
    expect(device).toMatchObject({ chosen: "wasm", tried: [{ device: "cpu", reason: "driver-missing", hint: "no binary" }, { ok: true }] });
    const { open, asked } = scripted({ fail: new SpellError("run-crash", "died") });
    expect((await failure(open("cpu"))).code).toBe("run-crash");
    expect(asked).toEqual(["open onnxruntime-node on cpu"]);
  });

  it("prepares the engine that is likely to be needed", () => {
    const { prepare, asked } = scripted();
    prepare?.("auto");
    prepare?.("webgpu");
    prepare?.("wasm");
    expect(asked).toEqual(["prepare onnxruntime-node", "prepare onnxruntime-node", "prepare onnxruntime-web"]);
  });
});

describe("R4 memory", () => {
  const load = async (spec: string) => {
    const value = t5Runtime({ memoryBytes: () => 20e6 });
    return createSpell({ platform: { ...nodePlatform(), seq2seq: { available: true, value } } }).load(spec, { device: "cpu" });
  };

  it("a model that does not fit is device-memory before its load, with both sizes and the next smaller variant; that one fits", async () => {
    expect(await failure(load("tiny-t5-en-fr"))).toMatchObject({
      code: "device-memory",
      details: { availableBytes: 20e6, neededBytes: expect.any(Number) },
      hint: expect.stringContaining("q8"),
      actions: [{ kind: "run", model: "tiny-t5-en-fr:q8" }, { kind: "diagnose" }],
    });
    const model = await load("tiny-t5-en-fr:q8");
    expect(model.device!.chosen).toMatch(/cpu|wasm/);
    await model.dispose();
  });
});
