/** The contract on onnxruntime-web in Node: what is always there after a plain install. */
import { describe, expect, it } from "vitest";
import { limits } from "../../../src/core/limits.ts";
import type { OnnxModel } from "../../../src/core/spec/onnx.ts";
import { openWebOnnx } from "../../../src/node/engines/onnx-web.ts";
import { onnxRuntimeContract } from "../../contract/onnx-runtime.ts";

onnxRuntimeContract("onnxruntime-web, WebAssembly in Node", openWebOnnx);

describe("onnxruntime-web in Node", () => {
  it("E28 refuses weights that pass its memory before it reads any: device-memory with expected and possible", async () => {
    const length = limits.onnxWasmWeightBytes / 2 + 1;
    const read = (): Promise<never> => Promise.reject(new Error("it was read"));
    const source = { name: "large.safetensors", size: 2 * length, read };
    const model: OnnxModel = {
      weights: ["a", "b"].map((name, at) => ({ name, length, file: { source, offset: at * length } })),
      encode: () => new Uint8Array(0),
    };
    const runtime = await openWebOnnx();
    await expect(runtime.open(model, { threads: 1 })).rejects.toMatchObject({
      code: "device-memory",
      details: { neededBytes: 2 * length, availableBytes: limits.onnxWasmWeightBytes },
    });
  });
});
