/** onnxruntime-web is held to what weights in a Blob rely on: it asks for the bytes of a weight when it copies them, and for nothing else. */
import { describe, expect, it } from "vitest";
import { findAdapter } from "../../../src/browser/engines/adapter.ts";
import type { LateReport } from "../blob-weights-worker.ts";

const adapter = await findAdapter();

function ask(device: "wasm" | "webgpu"): Promise<LateReport> {
  const worker = new Worker(new URL("../blob-weights-worker.ts", import.meta.url), { type: "module" });
  return new Promise((resolve, reject) => {
    worker.onerror = (event) => reject(new Error(event.message));
    worker.onmessage = ({ data }: MessageEvent<LateReport>) => resolve(data);
    worker.postMessage(device);
  }).finally(() => worker.terminate()) as Promise<LateReport>;
}

describe.each(["wasm", ...(adapter === undefined ? [] : (["webgpu"] as const))] as const)("weights in a Blob, on %s", (device) => {
  it("are read once, by the engine, when it copies them", async () => {
    const { values, slices, eager } = await ask(device);
    expect(values.every((value, i) => value === i + 1)).toBe(true);
    expect(values).toHaveLength(256 * 1024);
    expect(slices).toEqual([[16, 1024 * 1024]]);
    expect(eager).toBe(0);
  });
});
