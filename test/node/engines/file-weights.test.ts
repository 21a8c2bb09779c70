/** onnxruntime-web is held to what weights in files rely on: it asks for their bytes one after the other, when it copies them. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { OnnxGraphBuilder } from "../../../src/core/onnx/graph-builder.ts";
import { openWebOnnx } from "../../../src/node/engines/onnx-web.ts";
import { openFileSource } from "../../../src/node/file-source.ts";

const folder = mkdtempSync(join(tmpdir(), "llmspell-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const length = 1024;
const values = Float32Array.from({ length: 2 * length }, (_, i) => i + 1);

async function sums(change: (path: string) => void): Promise<readonly number[]> {
  const path = join(folder, "model.safetensors");
  writeFileSync(path, new Uint8Array(values.buffer));
  const source = await openFileSource(path);
  change(path);
  const graph = new OnnxGraphBuilder("sum");
  const x = graph.input("x", "float32", [length]);
  const weights = ["a", "b"].map((name, at) =>
    graph.weight({ name, type: "float32", shape: [length], length: 4 * length, file: { source, offset: 4 * length * at } }),
  );
  graph.node("Add", [graph.node("Add", [x, weights[0] as string]), weights[1] as string], { output: "y" });
  graph.output("y", "float32", [length]);
  const runtime = await openWebOnnx();
  const opened = await runtime.open(graph.toModel(), { threads: 1 });
  const { y } = await opened.run({ x: runtime.tensor("float32", new Float32Array(length), [length]) });
  await opened.dispose();
  const sum = (await y?.read()) as Float32Array;
  return Array.from(sum);
}

describe("weights in a file, in WebAssembly", () => {
  it("are those of the file, each its own", async () => {
    const expected = Array.from({ length }, (_, i) => i + 1 + length + i + 1);
    expect(await sums(() => undefined)).toEqual(expected);
  });

  it.each([
    ["F16", [0x3c00, 0xc000, 0x3800, 0x7bff], [1, -2, 0.5, 65504]],
    ["BF16", [0x3f80, 0xc000, 0x3f00, 0x7f7f], [1, -2, 0.5, 3.3895313892515355e38]],
  ] as const)("are widened from %s as the engine takes them", async (stored, halves, floats) => {
    const path = join(folder, "half.safetensors");
    writeFileSync(path, new Uint8Array(Uint16Array.of(0, ...halves).buffer));
    const graph = new OnnxGraphBuilder("half");
    const x = graph.input("x", "float32", [4]);
    const file = { source: await openFileSource(path), offset: 2, stored };
    const weight = graph.weight({ name: "w", type: "float32", shape: [4], length: 16, file });
    graph.node("Add", [x, weight], { output: "y" });
    graph.output("y", "float32", [4]);
    const runtime = await openWebOnnx();
    const opened = await runtime.open(graph.toModel(), { threads: 1 });
    const { y } = await opened.run({ x: runtime.tensor("float32", new Float32Array(4), [4]) });
    expect(Array.from((await y?.read()) as Float32Array)).toEqual(floats);
    await opened.dispose();
  });

  it.each([
    ["another file came in its place", (path: string) => writeFileSync(path, new Uint8Array(12 * length))],
    ["it is gone", (path: string) => rmSync(path)],
  ])("are not taken from what is there when %s: onnx-external", async (_, change) => {
    await expect(sums(change)).rejects.toMatchObject({ code: "onnx-external" });
  });
});
