/** Which runtime is chosen, and what the report says of the others. Runtimes are scripted here; real ones are in child-runtime and llama-engine. */
import { describe, expect, it } from "vitest";
import { ggufSelfTest, type Verdict } from "../../../src/core/devices/self-test.ts";
import { SpellError } from "../../../src/core/errors.ts";
import { bytesSource } from "../../../src/core/formats/byte-source.ts";
import type { DeviceChoice, DeviceProbe, DeviceReport, GgufHandle, GgufOpenOptions } from "../../../src/core/spec/runtime.ts";
import { ggufRuntime, type NodeGgufOptions } from "../../../src/node/engines/devices.ts";
import type { Graphics } from "../../../src/node/engines/graphics.ts";
import { installCommand } from "../../../src/node/engines/packages.ts";
import { failure } from "../../support/failure.ts";
import { openOptions } from "../support/engine.ts";

interface Asked {
  readonly name: string;
  readonly device: DeviceChoice;
}

type Engine = ReturnType<NonNullable<NodeGgufOptions["native"]>>;

/** An engine that notes what it was asked and answers with a report, or fails. */
function engine(name: string, asked: Asked[], fail?: SpellError, probe?: DeviceProbe): Engine {
  return {
    prepare: () => void asked.push({ name: `${name} prepared`, device: "auto" }),
    probe: async (device) => {
      asked.push({ name: `${name} probed`, device });
      return probe ?? { ok: false, reason: "driver-missing", hint: "no device behind it" };
    },
    async open(_files, { device }) {
      asked.push({ name, device });
      if (fail !== undefined) throw fail;
      const chosen = device === "auto" ? "cpu" : device;
      const report: DeviceReport = { chosen, tried: [{ device: chosen, ok: true, reason: "ok", runtime: name }], runtime: name };
      const handle: GgufHandle = {
        alive: true,
        device: report,
        contextLength: 128,
        unsupported: [],
        notes: [`${name} says hello`],
        generate: async function* () {
          yield { type: "text", text: ggufSelfTest.questions[0]?.answer ?? "" };
        },
        dispose: async () => undefined,
      };
      return handle;
    },
  };
}

interface Scripted extends NodeGgufOptions {
  readonly fail?: SpellError;
  readonly probe?: DeviceProbe;
  readonly installed?: readonly string[];
}

const card: Graphics = { hasCard: true, drivers: [{ name: "radeon_icd", isSoftware: false }], identity: "radeon_icd@1" };
const noCard: Graphics = { hasCard: false, drivers: [], identity: "no driver" };

function scripted({ fail, probe, installed = ["node-llama-cpp"], ...rest }: Scripted = {}) {
  const asked: Asked[] = [];
  const kept = new Map<string, Verdict>();
  const nativeEngine = engine("node-llama-cpp", asked, fail, probe);
  const portableEngine = engine("wllama", asked, undefined, probe);
  const chosen = ggufRuntime({
    native: () => nativeEngine,
    portable: () => portableEngine,
    isInstalled: (name) => installed.includes(name),
    graphics: () => noCard,
    os: "linux",
    verdicts: { read: async (key) => kept.get(key), write: async (key, verdict) => void kept.set(key, verdict) },
    ...rest,
  });
  const file = { ...bytesSource("model.gguf", new Uint8Array(4)), path: "/somewhere/model.gguf" };
  const memory = bytesSource("model.gguf", new Uint8Array(4));
  return {
    asked,
    kept,
    prepare: (device: DeviceChoice) => chosen.prepare?.(device),
    open: (device: DeviceChoice, from: "file" | "memory" = "file", options: Partial<GgufOpenOptions> = {}) =>
      chosen.open([from === "file" ? file : memory], { ...openOptions, ...options, device }),
  };
}

const withoutNative = { installed: [] } as const;
const vulkan = `@node-llama-cpp/linux-${process.arch}-vulkan`;

describe("the runtime of Node", () => {
  it.each(["auto", "cpu"] as const)("%s: node-llama-cpp where it is installed", async (device) => {
    const { open, asked } = scripted();
    const handle = await open(device);
    expect(asked).toEqual([{ name: "node-llama-cpp", device: "cpu" }]);
    expect(handle.device).toMatchObject({ chosen: "cpu", runtime: "node-llama-cpp" });
    expect(handle.device.tried.at(-1)).toMatchObject({ device: "cpu", ok: true });
    expect(handle.notes).toEqual(["node-llama-cpp says hello"]);
  });

  it.each(["auto", "cpu"] as const)("%s: wllama without it, and the report holds the command that installs it", async (device) => {
    const { open, asked } = scripted(withoutNative);
    const handle = await open(device);
    expect(asked).toEqual([{ name: "wllama", device: "wasm" }]);
    expect(handle.device).toMatchObject({ chosen: "wasm", runtime: "wllama" });
    expect(handle.device.tried.slice(-2)).toMatchObject([
      { device: "cpu", ok: false, reason: "package-missing", hint: installCommand("node-llama-cpp"), runtime: "node-llama-cpp" },
      { device: "wasm", ok: true, reason: "ok", runtime: "wllama" },
    ]);
  });

  it("wasm: wllama only, also where node-llama-cpp is there", async () => {
    const { open, asked } = scripted();
    expect((await open("wasm")).device.tried).toHaveLength(1);
    expect(asked).toEqual([{ name: "wllama", device: "wasm" }]);
  });

  it.each(["auto", "cpu"] as const)("%s: bytes without a path go to wllama, with the reason", async (device) => {
    const { open } = scripted();
    const { device: report } = await open(device, "memory");
    expect(report.chosen).toBe("wasm");
    const cpu = report.tried.find((attempt) => attempt.device === "cpu");
    expect(cpu).toMatchObject({ ok: false, reason: "missing-feature", runtime: "node-llama-cpp" });
    expect(cpu?.hint).toContain("memory");
  });

  it.each(["auto", "cpu"] as const)("R3 %s: an engine that does not start is passed over, not silently", async (device) => {
    const { open } = scripted({ fail: new SpellError("device-unavailable", "NoBinaryFoundError") });
    const { device: report } = await open(device);
    expect(report.chosen).toBe("wasm");
    expect(report.tried).toContainEqual({
      device: "cpu",
      ok: false,
      reason: "driver-missing",
      hint: "NoBinaryFoundError",
      runtime: "node-llama-cpp",
    });
  });

  it.each(["run-crash", "gguf-metadata", "device-memory", "run-nan", "run-aborted"] as const)(
    "a model that ends in %s is not fed to the other runtime",
    async (code) => {
      const { open, asked } = scripted({ fail: new SpellError(code, "no") });
      expect((await failure(open("auto"))).code).toBe(code);
      expect(asked).toHaveLength(1);
    },
  );

  it.each(["cuda", "vulkan"] as const)(
    "R3 %s: without node-llama-cpp it is device-unavailable with the command, never a fallback",
    async (device) => {
      const { open, asked } = scripted(withoutNative);
      const error = await failure(open(device));
      expect(error.code).toBe("device-unavailable");
      expect(error.actions[0]).toEqual({ kind: "shell", line: installCommand("node-llama-cpp") });
      expect(error.exitCode).toBe(4);
      expect(asked).toEqual([]);
    },
  );

  it("R3 E19 vulkan: a library with no device behind it is device-unavailable when asked for, and passed over by auto", async () => {
    const options = { installed: ["node-llama-cpp", vulkan], graphics: () => card };
    const named = scripted(options);
    const error = await failure(named.open("vulkan"));
    expect(error).toMatchObject({ code: "device-unavailable", message: expect.stringContaining("no device behind it") });
    expect(error.details?.["tried"]).toMatchObject([
      { device: "vulkan", reason: "driver-missing" },
      { device: "webgpu", reason: "package-missing" },
    ]);
    expect(named.asked).toEqual([{ name: "node-llama-cpp probed", device: "vulkan" }]);
    const { device } = await scripted(options).open("auto");
    expect(device.chosen).toBe("cpu");
    expect(device.tried).toContainEqual(expect.objectContaining({ device: "vulkan", ok: false, reason: "driver-missing" }));
  });

  it("auto: a real card passes the self-test once, and is taken from then on", async () => {
    const probe: DeviceProbe = { ok: true, label: "AMD Radeon", isSoftware: false, identity: "3.22 AMD Radeon", memoryBytes: 8e9 };
    const { open, asked, kept } = scripted({ installed: ["node-llama-cpp", vulkan], graphics: () => card, probe });
    expect((await open("auto")).device).toMatchObject({ chosen: "vulkan", runtime: "node-llama-cpp" });
    expect(asked.filter(({ name }) => name === "node-llama-cpp")).toHaveLength(2);
    expect([...kept]).toMatchObject([[expect.stringContaining("3.22 AMD Radeon"), { ok: true }]]);
    await open("auto");
    expect(asked.filter(({ name }) => name === "node-llama-cpp")).toHaveLength(3);
  });

  it("auto: without a card in sight no driver is started", async () => {
    const { open, asked } = scripted({ installed: ["node-llama-cpp", vulkan, "webgpu"] });
    const { device } = await open("auto");
    expect(asked).toEqual([{ name: "node-llama-cpp", device: "cpu" }]);
    expect(device.tried.map(({ device: name, reason }) => [name, reason])).toEqual([
      ["cuda", "package-missing"],
      ["vulkan", "no-adapter"],
      ["webgpu", "no-adapter"],
      ["cpu", "ok"],
    ]);
  });

  it("auto: only a software driver in sight is software-adapter, and is not started either", async () => {
    const software: Graphics = { hasCard: false, drivers: [{ name: "lvp_icd", isSoftware: true }], identity: "lvp_icd@1" };
    const { open, asked } = scripted({ installed: ["node-llama-cpp", "webgpu"], graphics: () => software });
    const { device } = await open("auto");
    expect(device.tried).toContainEqual(
      expect.objectContaining({ device: "webgpu", reason: "software-adapter", hint: expect.stringContaining("lvp_icd") }),
    );
    expect(asked.map(({ name }) => name)).toEqual(["node-llama-cpp"]);
  });

  it("webgpu: without the package it is device-unavailable with the command", async () => {
    const error = await failure(scripted().open("webgpu"));
    expect(error).toMatchObject({ code: "device-unavailable", exitCode: 4 });
    expect(error.actions).toEqual([{ kind: "shell", line: "npm install webgpu@0.6.2" }, { kind: "diagnose" }]);
  });

  it("vulkan: WebGPU on top of it will do, and the report says so", async () => {
    const probe: DeviceProbe = { ok: true, label: "AMD Radeon", isSoftware: false, identity: "Radeon" };
    const { device } = await scripted({ installed: ["webgpu"], graphics: () => card, probe }).open("vulkan");
    expect(device).toMatchObject({ chosen: "webgpu", runtime: "wllama" });
  });

  it("E13 webgpu: an adapter without shader-f16 is refused, and passed over by auto, with the reason", async () => {
    const probe: DeviceProbe = { ok: false, reason: "missing-feature", hint: "google swiftshader has no shader-f16" };
    const options = { installed: ["webgpu"], graphics: () => card, probe };
    expect(await failure(scripted(options).open("webgpu"))).toMatchObject({
      code: "device-unavailable",
      message: expect.stringContaining("shader-f16"),
    });
    const { device } = await scripted(options).open("auto");
    expect(device.chosen).toBe("wasm");
    expect(device.tried).toContainEqual(expect.objectContaining({ device: "webgpu", reason: "missing-feature" }));
  });

  it.each(["cpu", "wasm"] as const)(
    "R4 %s: a model beyond the machine's memory is device-memory, before anything is loaded",
    async (device) => {
      const { open, asked } = scripted({ memoryBytes: () => 4e9 });
      const error = await failure(open(device, "file", { needs: { memoryBytes: 8e9, bufferBytes: 1 } }));
      expect(error).toMatchObject({ code: "device-memory", details: { neededBytes: 8e9, availableBytes: 4e9 } });
      expect(asked).toEqual([]);
    },
  );

  it.each([
    ["metal", "linux", /webgpu or cuda/],
    ["metal", "win32", /webgpu or cuda/],
    ["cuda", "darwin", /use metal/],
    ["vulkan", "darwin", /use metal/],
  ] as const)("%s on %s cannot exist: cpu with a note", async (device, os, hint) => {
    const { open } = scripted({ os });
    const handle = await open(device);
    expect(handle.device.chosen).toBe("cpu");
    expect(handle.device.tried[0]).toMatchObject({ device, ok: false, reason: "not-on-this-platform" });
    expect(handle.fallbacks?.[0]).toMatch(hint);
  });

  it("prepares the engine that is likely to be needed", () => {
    const installed = scripted();
    installed.prepare("auto");
    installed.prepare("wasm");
    installed.prepare("webgpu");
    expect(installed.asked.map(({ name }) => name)).toEqual(["node-llama-cpp prepared", "wllama prepared"]);
    const missing = scripted(withoutNative);
    missing.prepare("cpu");
    expect(missing.asked.map(({ name }) => name)).toEqual(["wllama prepared"]);
  });
});
