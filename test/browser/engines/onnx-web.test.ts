/** The contract in Chromium, on WebAssembly and on WebGPU. */
import { describe, expect, it } from "vitest";
import { findAdapter } from "../../../src/browser/engines/adapter.ts";
import { openWasmOnnx, openWebGpuOnnx } from "../../../src/browser/engines/onnx-web.ts";
import { onnxRuntimeContract } from "../../contract/onnx-runtime.ts";

const adapter = await findAdapter();

onnxRuntimeContract("onnxruntime-web, WASM in Chromium", () => openWasmOnnx());

if (adapter !== undefined) onnxRuntimeContract(`onnxruntime-web, WebGPU in Chromium (${adapter.label})`, () => openWebGpuOnnx());
else
  describe.skip(`onnxruntime-web, WebGPU in Chromium (skipped: the browser offers no adapter)`, () =>
    it("runs the contract", () => undefined));

describe("onnxruntime-web in a page", () => {
  it("E12 asks no other origin for anything", () => {
    const origins = new Set(performance.getEntriesByType("resource").map(({ name }) => new URL(name).origin));
    expect([...origins].filter((origin) => origin !== location.origin && !origin.startsWith("blob:") && origin !== "null")).toEqual([]);
  });

  it("R3 without an adapter webgpu → device-unavailable with the reason", async () => {
    const withoutAdapter = { requestAdapter: async () => null } as unknown as GPU;
    const refusing = { requestAdapter: () => Promise.reject(new Error("off")) } as unknown as GPU;
    await expect(findAdapter(refusing)).resolves.toBeUndefined();
    await expect(openWebGpuOnnx({}, withoutAdapter)).rejects.toMatchObject({
      code: "device-unavailable",
      message: expect.stringContaining("no WebGPU adapter"),
    });
  });
});
