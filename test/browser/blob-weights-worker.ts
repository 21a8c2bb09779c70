/** Opens one graph whose weight lies in a Blob, in a worker, where late reads are possible; posts what came out and what was read. */
import { openWasmOnnx, openWebGpuOnnx } from "../../src/browser/engines/onnx-web.ts";
import { blobSource } from "../../src/core/formats/byte-source.ts";
import { OnnxGraphBuilder } from "../../src/core/onnx/graph-builder.ts";

export interface LateReport {
  readonly values: readonly number[];
  /** [offset, length] of each slice that was taken of the Blob, in order */
  readonly slices: readonly (readonly [number, number])[];
  /** bytes of weights that were read by the asynchronous way, into the page's own memory */
  readonly eager: number;
}

/** Just large enough to be left in its Blob. */
const count = 256 * 1024;
const weights = new Float32Array(count).map((_, i) => i);
const slices: [number, number][] = [];
class WatchedBlob extends Blob {
  override slice(start = 0, end = this.size): Blob {
    slices.push([start, end - start]);
    return super.slice(start, end);
  }
}
let eager = 0;

self.onmessage = async ({ data: device }: MessageEvent<"wasm" | "webgpu">) => {
  const onnx = await (device === "wasm" ? openWasmOnnx() : openWebGpuOnnx());
  const whole = blobSource("w", new WatchedBlob([new Uint8Array(16), weights]));
  const source = {
    ...whole,
    read(offset: number, length: number, signal?: AbortSignal) {
      eager += length;
      return whole.read(offset, length, signal);
    },
  };
  const builder = new OnnxGraphBuilder("late");
  builder.input("x", "float32", [count]);
  builder.weight({ name: "w", type: "float32", shape: [count], length: 4 * count, file: { source, offset: 16 } });
  builder.node("Add", ["x", "w"], { output: "y" });
  builder.output("y", "float32", [count]);
  const graph = await onnx.open(builder.toModel(), { threads: 1 });
  const { y } = await graph.run({ x: onnx.tensor("float32", new Float32Array(count).fill(1), [count]) });
  const values = [...((await y?.read()) ?? [])].map(Number);
  y?.release();
  await graph.dispose();
  self.postMessage({ values, slices, eager } satisfies LateReport);
};
