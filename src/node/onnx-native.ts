/**
 * OnnxRuntime over onnxruntime-node, on the CPU. Weights that lie in files are mapped by the engine, through their real path: no copy, nothing written.
 * It computes synchronously, so it is used inside a child process (t5-engine.ts).
 */
import { lstat, realpath } from "node:fs/promises";
import { availableParallelism } from "node:os";
import { basename, dirname } from "node:path";
import { SpellError, toSpellError } from "../core/errors.ts";
import type { OnnxRuntime, WeightRange } from "../core/spec/onnx.ts";
import { checkInFile, type OrtModule, ortRuntime, placeInMemory, type WeightPlacement } from "../ort/driver.ts";

/** @throws SpellError device-unavailable where the package is missing or does not start */
export async function openNativeOnnx(): Promise<OnnxRuntime> {
  let ort: OrtModule;
  try {
    ort = (await import("onnxruntime-node")).default as unknown as OrtModule;
  } catch (error) {
    throw toSpellError(error, "device-unavailable", "onnxruntime-node does not start");
  }
  return ortRuntime({
    name: "onnxruntime-node",
    device: "cpu",
    ort,
    executionProvider: "cpu",
    reads16Bit: true,
    hasFastBlocks: true,
    clampThreads: (threads) => Math.min(Math.max(1, threads), availableParallelism()),
    // All in one folder of files, or all in memory: the engine refuses a mixture.
    place: async (weights, signal) => (await placeInFolder(weights)) ?? placeInMemory(weights, signal),
    // Each session has threads of its own, which would spin for a while after every pass and take the processors from the other session.
    sessionEntries: { force_spinning_stop: "1" },
  });
}

/** @returns undefined where some weight is not in a file, or files lie in several folders */
async function placeInFolder(weights: readonly WeightRange[]): Promise<WeightPlacement | undefined> {
  const paths = new Map<string, string>();
  for (const { name, length, file } of weights) {
    const path = file?.source.path;
    if (file === undefined || path === undefined) return undefined;
    if (!paths.has(path)) paths.set(path, await regularFile(path, file.source.size, name));
    checkInFile({ name, length }, file.source.size, file.offset, file.source.name);
  }
  const folders = new Set([...paths.values()].map((path) => dirname(path)));
  const [folder] = folders;
  if (folder === undefined || folders.size > 1) return undefined;
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
    new SpellError("onnx-external", `weight ${weight}: wanted a regular file of ${size} bytes at ${path}; got ${got}`, {
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
