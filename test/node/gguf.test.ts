/** Which runtime is chosen, and what the report says of the others. Runtimes are scripted here; real ones are in engine-host and llama-engine. */
import { describe, expect, it } from "vitest";
import { SpellError } from "../../src/core/errors.ts";
import { bytesSource } from "../../src/core/formats/byte-source.ts";
import type { DeviceChoice, DeviceReport, GgufHandle, GgufRuntime } from "../../src/core/spec/runtime.ts";
import { type NodeGgufOptions, nativeInstallCommand, nodeGgufRuntime } from "../../src/node/gguf.ts";
import { failure, openOptions } from "./support/engine.ts";

interface Asked {
  readonly name: string;
  readonly device: DeviceChoice;
}

/** A runtime that notes what it was asked and answers with a report, or fails. */
function runtime(name: string, asked: Asked[], fail?: SpellError): GgufRuntime {
  return {
    name,
    prepare: () => void asked.push({ name: `${name} prepared`, device: "auto" }),
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
          yield { type: "text", text: name };
        },
        dispose: async () => undefined,
      };
      return handle;
    },
  };
}

function scripted(options: NodeGgufOptions & { readonly fail?: SpellError } = {}) {
  const asked: Asked[] = [];
  const { fail, ...rest } = options;
  const chosen = nodeGgufRuntime({
    native: runtime("node-llama-cpp", asked, fail),
    portable: runtime("wllama", asked),
    isNativeInstalled: () => true,
    os: "linux",
    ...rest,
  });
  const file = { ...bytesSource("model.gguf", new Uint8Array(4)), path: "/somewhere/model.gguf" };
  const memory = bytesSource("model.gguf", new Uint8Array(4));
  return {
    asked,
    prepare: (device: DeviceChoice) => chosen.prepare?.(device),
    open: (device: DeviceChoice, from: "file" | "memory" = "file") =>
      chosen.open([from === "file" ? file : memory], { ...openOptions, device }),
  };
}

describe("the runtime of Node", () => {
  it.each(["auto", "cpu"] as const)("%s: node-llama-cpp where it is installed", async (device) => {
    const { open, asked } = scripted();
    const handle = await open(device);
    expect(asked).toEqual([{ name: "node-llama-cpp", device }]);
    expect(handle.device).toMatchObject({ chosen: "cpu", runtime: "node-llama-cpp", tried: [{ ok: true }] });
    expect(handle.notes).toEqual(["node-llama-cpp says hello"]);
  });

  it.each(["auto", "cpu"] as const)("%s: wllama without it, and the report holds the command that installs it", async (device) => {
    const { open, asked } = scripted({ isNativeInstalled: () => false });
    const handle = await open(device);
    expect(asked).toEqual([{ name: "wllama", device: "wasm" }]);
    expect(handle.device).toEqual({
      chosen: "wasm",
      runtime: "wllama",
      tried: [
        { device: "cpu", ok: false, reason: "package-missing", hint: nativeInstallCommand, runtime: "node-llama-cpp" },
        { device: "wasm", ok: true, reason: "ok", runtime: "wllama" },
      ],
    });
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
    expect(report.tried[0]).toMatchObject({ device: "cpu", ok: false, reason: "missing-feature", runtime: "node-llama-cpp" });
    expect(report.tried[0]?.hint).toContain("memory");
  });

  it.each(["auto", "cpu"] as const)("R3 %s: an engine that does not start is passed over, not silently", async (device) => {
    const { open } = scripted({ fail: new SpellError("device-unavailable", "NoBinaryFoundError") });
    const { device: report } = await open(device);
    expect(report.chosen).toBe("wasm");
    expect(report.tried[0]).toEqual({
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
      const { open, asked } = scripted({ isNativeInstalled: () => false });
      const error = await failure(open(device));
      expect(error.code).toBe("device-unavailable");
      expect(error.commands[0]).toBe(nativeInstallCommand);
      expect(error.exitCode).toBe(4);
      expect(asked).toEqual([]);
    },
  );

  it("R3 cuda: an engine that has none is device-unavailable", async () => {
    const { open, asked } = scripted({ fail: new SpellError("device-unavailable", "no driver") });
    expect((await failure(open("cuda"))).message).toBe("no driver");
    expect(asked).toEqual([{ name: "node-llama-cpp", device: "cuda" }]);
  });

  it("webgpu is device-unavailable for now", async () => {
    expect((await failure(scripted().open("webgpu"))).code).toBe("device-unavailable");
  });

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
    expect(handle.notes[0]).toMatch(hint);
  });

  it("prepares the engine that is likely to be needed", () => {
    const installed = scripted();
    installed.prepare("auto");
    installed.prepare("wasm");
    installed.prepare("webgpu");
    expect(installed.asked.map(({ name }) => name)).toEqual(["node-llama-cpp prepared", "wllama prepared"]);
    const missing = scripted({ isNativeInstalled: () => false });
    missing.prepare("cpu");
    expect(missing.asked.map(({ name }) => name)).toEqual(["wllama prepared"]);
  });
});
