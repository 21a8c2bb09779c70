/**
 * OnnxRuntime over onnxruntime-node: on the processor, on WebGPU (inside the package), on CUDA where its files were installed. Weights that lie in files are mapped by the engine, through their real path: no copy, nothing written.
 * It computes synchronously, so it is used inside a child process (t5-engine.ts).
 */
import { lstat, realpath } from "node:fs/promises";
import { availableParallelism } from "node:os";
import { basename, dirname } from "node:path";
import { messageOf, SpellError, toSpellError } from "../../core/errors.ts";
import { OnnxGraphBuilder } from "../../core/onnx/graph-builder.ts";
import { fastBlocksOn } from "../../core/onnx/weights.ts";
import type { OnnxRuntime, WeightRange } from "../../core/spec/onnx.ts";
import { checkInFile, type OrtModule, ortRuntime, placeInMemory, type WeightPlacement } from "../../engines/ort/driver.ts";
import { apartOrt } from "./onnx-apart.ts";
import { requirePackage } from "./packages.ts";

/** Where this package computes; each is an execution provider of the same name. */
export type NativeDevice = "cpu" | "webgpu" | "cuda";

/** @throws SpellError device-unavailable where the package is missing or does not start */
export async function openNativeOnnx(device: NativeDevice = "cpu"): Promise<OnnxRuntime> {
  const ort = loadOrt();
  const runtime = ortRuntime({
    name: "onnxruntime-node",
    device,
    ort,
    apart: device === "cpu" ? { ort: apartOrt(ort), fits: lieInFolder } : undefined,
    executionProvider: device,
    // Cards compute in F32 here: without shader-f16 there is no other way, and T5 overflows in F16.
    reads16Bit: device === "cpu",
    widens: false,
    fastBlocks: fastBlocksOn(device),
    columnLimit: 63,
    keptLocation: device === "webgpu" ? ("gpu-buffer" as const) : undefined,
    readsKept: device === "webgpu" ? ("by-graph" as const) : undefined,
    handsOutAll: device === "webgpu",
    clampThreads: (threads) => Math.min(Math.max(1, threads), availableParallelism()),
    // All in one folder of files, or all in memory: the engine refuses a mixture.
    place: async (weights, signal) => (await placeInFolder(weights)) ?? placeInMemory(weights, signal),
    // Each session has threads of its own, which would spin for a while after every pass and take the processors from the other session.
    sessionEntries: { force_spinning_stop: "1" },
    // New threads spin too while a session is opened, and take the processor from another one that is opened meanwhile. In microseconds.
    besideEntries: { "intra_op.spin_duration_us": "1000" },
  });
  return { ...runtime, columnLimit: device === "cpu" && (await sumsExactly(runtime)) ? 127 : 63 };
}

/** Whether DynamicQuantizeMatMul adds exactly here: x64 without VNNI adds two products in 16 bits, which then hold less than the largest sum. */
async function sumsExactly(runtime: OnnxRuntime): Promise<boolean> {
  const [rows, inner, columns] = [4, 64, 64];
  const graph = new OnnxGraphBuilder("sums");
  graph.input("x", "float32", [rows, inner]);
  const made = (bytes: Uint8Array) => ({ length: bytes.byteLength, make: async () => bytes });
  const values = new Int8Array(inner * columns).fill(127);
  const scales = new Float32Array(columns).fill(1);
  graph.weight({ name: "values", type: "int8", shape: [inner, columns], ...made(new Uint8Array(values.buffer)) });
  graph.weight({ name: "scales", type: "float32", shape: [columns], ...made(new Uint8Array(scales.buffer)) });
  graph.node("DynamicQuantizeMatMul", ["x", "values", "scales"], { domain: "com.microsoft", output: "y" });
  graph.output("y", "float32", [rows, columns]);
  const opened = await runtime.open(graph.toModel(), { threads: 1 });
  const { y } = await opened.run({ x: runtime.tensor("float32", new Float32Array(rows * inner).fill(1), [rows, inner]) });
  await opened.dispose();
  const sums = (await y?.read()) as Float32Array;
  return sums.every((sum) => Math.abs(sum - inner * 127) < 1);
}

function loadOrt(): OrtModule {
  try {
    // 5 ms sooner than by import()
    return requirePackage("onnxruntime-node") as OrtModule;
  } catch (error) {
    throw toSpellError(error, "device-unavailable", "onnxruntime-node does not start");
  }
}

/**
 * Really opens a graph of one node there: the package lists WebGPU on every system, whether or not there is a card.
 * @returns undefined where it works, else what the engine said
 */
export async function tryNativeOnnx(device: Exclude<NativeDevice, "cpu">): Promise<string | undefined> {
  const graph = new OnnxGraphBuilder("probe");
  graph.input("x", "float32", [1]);
  graph.node("Neg", ["x"], { output: "y" });
  graph.output("y", "float32", [1]);
  try {
    const opened = await (await openNativeOnnx(device)).open(graph.toModel(), { threads: 1 });
    await opened.dispose();
    return undefined;
  } catch (error) {
    const text = messageOf(error);
    // The engine puts the place in its own source first.
    return /(Failed to get a WebGPU adapter[^\n]*|Failed to load shared library[^\n]*)/.exec(text)?.[1] ?? text.slice(0, 300);
  }
}

/** Whether all weights are in files of one folder, as the engine reads them. */
function lieInFolder(weights: readonly WeightRange[]): boolean {
  const folders = new Set<string>();
  for (const { file } of weights) {
    if (file?.source.path === undefined || file.stored !== undefined) return false;
    folders.add(dirname(file.source.path));
  }
  return folders.size === 1;
}

/** @returns undefined where some weight is not in a file, or files lie in several folders */
async function placeInFolder(weights: readonly WeightRange[]): Promise<WeightPlacement | undefined> {
  if (!lieInFolder(weights)) return undefined;
  const paths = new Map<string, string>();
  for (const weight of weights) {
    const { name, file: { source } = {} } = weight;
    if (source?.path === undefined) continue;
    if (!paths.has(source.path)) paths.set(source.path, await regularFile(source.path, source.size, name));
    checkInFile(weight);
  }
  const [first = ""] = paths.keys();
  const folder = dirname(first);
  return {
    locate({ name, length, file }) {
      const real = paths.get(file?.source.path ?? "");
      if (file === undefined || real === undefined) throw new SpellError("internal-error", `weight ${name} was not placed`);
      return { location: basename(real), offset: file.offset, length };
    },
    options: { extra: { session: { model_external_initializers_file_folder_path: folder } } },
  };
}

/**
 * Sources name real paths, so a link on the way there came later: it may lead anywhere, and the engine refuses it too.
 * A hard link is the file itself, which package managers make all the time.
 * @throws SpellError onnx-external
 */
async function regularFile(path: string, size: number, weight: string): Promise<string> {
  const refuse = (got: string, cause?: unknown): SpellError =>
    new SpellError("onnx-external", `weight ${weight}: expected a regular file of ${size} bytes at ${path}, got ${got}`, {
      where: weight,
      cause,
    });
  try {
    const real = await realpath(path);
    if (real !== path) throw refuse(`a link to ${real}`);
    const found = await lstat(real);
    if (!found.isFile()) throw refuse("something else");
    if (found.size !== size) throw refuse(`${found.size} bytes: it changed since its header was read`);
    return real;
  } catch (error) {
    throw error instanceof SpellError ? error : refuse("nothing that can be read", error);
  }
}
