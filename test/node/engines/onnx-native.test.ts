/** The contract on onnxruntime-node, and what only files on a disk can do wrong. */

import { execFileSync } from "node:child_process";
import {
  existsSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Worker } from "node:worker_threads";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import type { ByteSource } from "../../../src/core/formats/byte-source.ts";
import { OnnxGraphBuilder } from "../../../src/core/onnx/graph-builder.ts";
import type { OnnxGraph, OnnxRuntime } from "../../../src/core/spec/onnx.ts";
import { openNativeOnnx } from "../../../src/node/engines/onnx-native.ts";
import { openFileSource } from "../../../src/node/file-source.ts";
import { onnxRuntimeContract } from "../../contract/onnx-runtime.ts";
import { linux, posix } from "../../support/only-where.ts";

let folder: string;
let count = 0;
/** Each file in a folder of its own. */
function newPath(name: string): string {
  count += 1;
  const own = join(folder, String(count));
  mkdirSync(own);
  return join(own, name);
}
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "onnx-"));
});
afterAll(() => rmSync(folder, { recursive: true }));

async function file(name: string, bytes: Uint8Array): Promise<ByteSource> {
  const path = newPath(name);
  writeFileSync(path, bytes);
  return openFileSource(path);
}

onnxRuntimeContract("onnxruntime-node, CPU", openNativeOnnx, { file });

/** Each graph that may be is on a thread of its own. */
async function openApart(): Promise<OnnxRuntime> {
  const runtime = await openNativeOnnx();
  return {
    ...runtime,
    open: (model, options) => runtime.open(model, { ...options, beside: runtime.opensApart?.(model) === true ? "apart" : undefined }),
  };
}
onnxRuntimeContract("onnxruntime-node, CPU, on threads of their own", openApart, { file });

describe("a graph on a thread of its own", () => {
  it("is there for weights in files, and its thread ends with it", async () => {
    const terminate = vi.spyOn(Worker.prototype, "terminate");
    const runtime = await openApart();
    const source = await file("weights", bytes(1, 2, 3, 4));
    const model = sum(source, source);
    expect(runtime.opensApart?.(model)).toBe(true);
    const [first, second] = [await runtime.open(model, { threads: 1 }), await runtime.open(model, { threads: 1 })];
    const view = new Float32Array([9, 0, 0, 0, 0, 9]).subarray(1, 5);
    const { y } = await second.run({ x: runtime.tensor("float32", view, [4]) });
    expect(await y?.read()).toEqual(Float32Array.of(2, 4, 6, 8));
    // what was handed in is still there
    expect(view).toEqual(new Float32Array(4));
    await first.dispose();
    const again = await second.run({ x: runtime.tensor("float32", new Float32Array(4).fill(1), [4]) });
    expect(await again["y"]?.read()).toEqual(Float32Array.of(3, 5, 7, 9));
    expect(terminate).not.toHaveBeenCalled();
    await second.dispose();
    expect(terminate).toHaveBeenCalledTimes(1);
    terminate.mockRestore();
  });

  it("is not for weights that are made", async () => {
    const runtime = await openApart();
    const graph = new OnnxGraphBuilder("made");
    graph.input("x", "float32", [1]);
    graph.weight({ name: "w", type: "float32", shape: [1], length: 4, make: async () => bytes(1) });
    graph.node("Add", ["x", "w"], { output: "y" });
    graph.output("y", "float32", [1]);
    expect(runtime.opensApart?.(graph.toModel())).toBe(false);
  });
});

/** y = x + a + b, each weight of four values at byte 0 of its file. */
function sum(a: ByteSource, b: ByteSource, length = 4) {
  const graph = new OnnxGraphBuilder("sum");
  graph.input("x", "float32", [length]);
  graph.weight({ name: "a", type: "float32", shape: [length], length: length * 4, file: { source: a, offset: 0 } });
  graph.weight({ name: "b", type: "float32", shape: [length], length: length * 4, file: { source: b, offset: 0 } });
  graph.node("Add", [graph.node("Add", ["x", "a"]), "b"], { output: "y" });
  graph.output("y", "float32", [length]);
  return graph.toModel();
}

const bytes = (...values: number[]): Uint8Array => new Uint8Array(Float32Array.from(values).buffer);
const open = (runtime: OnnxRuntime, a: ByteSource, b: ByteSource): Promise<OnnxGraph> => runtime.open(sum(a, b), { threads: 1 });
async function total(runtime: OnnxRuntime, graph: OnnxGraph): Promise<number[]> {
  const { y } = await graph.run({ x: runtime.tensor("float32", new Float32Array(4), [4]) });
  const values = [...((await y?.read()) ?? [])].map(Number);
  await graph.dispose();
  return values;
}

describe("weights in files", () => {
  let runtime: OnnxRuntime;
  beforeAll(async () => {
    runtime = await openNativeOnnx();
  });

  it("finds shards in one folder, and in folders of their own", async () => {
    const path = newPath("model-00001-of-00002.safetensors");
    const other = path.replace("00001-of", "00002-of");
    writeFileSync(path, bytes(1, 2, 3, 4));
    writeFileSync(other, bytes(10, 20, 30, 40));
    const [a, b] = [await openFileSource(path), await openFileSource(other)];
    expect(await total(runtime, await open(runtime, a, b))).toEqual([11, 22, 33, 44]);
    expect(await total(runtime, await open(runtime, a, await file("apart", bytes(5, 5, 5, 5))))).toEqual([6, 7, 8, 9]);
  });

  it("E21 takes the file from its own folder, where one of the same name lies in the working directory", async () => {
    const source = await file("vite.config.ts", bytes(1, 2, 3, 4));
    expect(existsSync("vite.config.ts")).toBe(true);
    expect(await total(runtime, await open(runtime, source, source))).toEqual([2, 4, 6, 8]);
  });

  it("E22 opens a symbolic link to a file in another folder, as hubs' caches have them", async () => {
    const link = newPath("model.safetensors");
    const blob = newPath("0123abcd");
    writeFileSync(blob, bytes(1, 2, 3, 4));
    symlinkSync(blob, link);
    const source = await openFileSource(link);
    expect(await total(runtime, await open(runtime, source, source))).toEqual([2, 4, 6, 8]);
  });

  it("opens a hard link: it is the file itself, and package managers make them", async () => {
    const [path, link] = [newPath("w"), newPath("w")];
    writeFileSync(path, bytes(1, 2, 3, 4));
    linkSync(path, link);
    const source = await openFileSource(link);
    expect(await total(runtime, await open(runtime, source, source))).toEqual([2, 4, 6, 8]);
  });

  linux.it("maps the file instead of copying it", async () => {
    const length = 2 ** 20;
    const source = await file("mapped.safetensors", new Uint8Array(length * 4));
    const graph = await runtime.open(sum(source, source, length), { threads: 1 });
    expect(readFileSync("/proc/self/maps", "utf8")).toContain(source.path);
    await graph.dispose();
    expect(readFileSync("/proc/self/maps", "utf8")).not.toContain(source.path);
  });

  posix.describe("G66: what took the place of a file since it was looked at → onnx-external", () => {
    it.each<[string, (path: string, secret: string) => void]>([
      ["a symbolic link", (path, secret) => symlinkSync(secret, path)],
      ["a pipe", (path) => execFileSync("mkfifo", [path])],
      ["a folder", (path) => mkdirSync(path)],
      ["a shorter file", (path, secret) => writeFileSync(path, readFileSync(secret).subarray(0, 8))],
      ["nothing", () => undefined],
    ])("G66: %s", async (_what, replace) => {
      const path = newPath("model.safetensors");
      const secret = newPath("secret.bin");
      writeFileSync(path, bytes(1, 2, 3, 4));
      writeFileSync(secret, bytes(6, 6, 6, 6));
      const source = await openFileSource(path);
      renameSync(path, `${path}.old`);
      replace(path, secret);
      await expect(open(runtime, source, source)).rejects.toMatchObject({
        code: "onnx-external",
        message: expect.stringContaining("regular file"),
      });
    });

    it("G66: the same where weights go through memory", async () => {
      const path = newPath("model.safetensors");
      writeFileSync(path, bytes(1, 2, 3, 4));
      const source = await openFileSource(path);
      truncateSync(path, 8);
      const graph = new OnnxGraphBuilder("mixed");
      graph.input("x", "float32", [4]);
      graph.weight({ name: "a", type: "float32", shape: [4], length: 16, file: { source, offset: 0 } });
      graph.weight({ name: "b", type: "float32", shape: [4], length: 16, make: async () => bytes(1, 1, 1, 1) });
      graph.node("Add", [graph.node("Add", ["x", "a"]), "b"], { output: "y" });
      graph.output("y", "float32", [4]);
      await expect(runtime.open(graph.toModel(), { threads: 1 })).rejects.toMatchObject({ code: "onnx-external", where: "a" });
    });

    it("G66: ../ and absolute paths lead nowhere: a source names one real path", async () => {
      const secret = newPath("secret.bin");
      writeFileSync(secret, bytes(6, 6, 6, 6));
      for (const path of [`${folder}/1/../${secret.slice(folder.length + 1)}`, "secret.bin", "../secret.bin"]) {
        const source: ByteSource = { ...(await openFileSource(secret)), path };
        await expect(open(runtime, source, source)).rejects.toMatchObject({ code: "onnx-external" });
      }
    });
  });
});
