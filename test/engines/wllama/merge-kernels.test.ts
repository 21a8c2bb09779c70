/** What the build refuses: an engine that the kernels were not made for must never be changed by them. */
import { readFile } from "node:fs/promises";
import { beforeAll, describe, expect, it } from "vitest";
import { builds, checkPinned } from "../../../tools/engine-wasm.mjs";
import { merge } from "../../../tools/merge-kernels.mjs";
import { functionNames, parse } from "../../../tools/wasm-module.mjs";

const root = new URL("../../../", import.meta.url);
const path = builds[1].engine;
let engine: Uint8Array;
let names: ReadonlyMap<string, number>;
beforeAll(async () => {
  engine = await readFile(new URL(path, root));
  names = functionNames(parse(engine));
});
const kernels = (bits: 32 | 64): Promise<Uint8Array> => readFile(new URL(`src/kernels/kernels-${bits}.wasm`, root));

describe("the build", () => {
  it("refuses another file of wllama, by its name", () => {
    const other = Uint8Array.from(engine);
    other[other.length - 1]! ^= 1;
    expect(() => checkPinned(path, engine)).not.toThrow();
    expect(() => checkPinned(path, other)).toThrow(
      /^node_modules\/@wllama\/wllama-compat\/wasm\/wllama\.wasm: expected sha256 [0-9a-f]{64}, got [0-9a-f]{64}\. /,
    );
  });

  it("makes a module that is valid, with every function where it was", async () => {
    const merged = merge(engine, await kernels(32));
    const [before, after] = [parse(engine), parse(merged)];
    expect(after.exports).toEqual(before.exports);
    expect(after.functionTypes.slice(0, before.functionTypes.length)).toEqual(before.functionTypes);
    const changed = before.bodies.flatMap((body, at) =>
      Buffer.compare(body, after.bodies[at]!) === 0 ? [] : [at + before.importedFunctions.length],
    );
    const replaced = ["ggml_compute_forward_mul_mat", "ggml_vec_dot_f16_f32"].map((name) => names.get(name));
    expect(changed).toEqual(expect.arrayContaining(replaced));
    expect(changed).toHaveLength(parse(await kernels(32)).exports.filter(({ name }) => name.startsWith("replace:")).length);
  });

  it.each([
    [
      "a function that is gone",
      32,
      (map: Map<string, number>) => map.delete("ggml_compute_forward_mul_mat"),
      /no function named ggml_compute_forward_mul_mat/,
    ],
    [
      "a name that means another function",
      32,
      (map: Map<string, number>) => map.set("ggml_vec_dot_f16_f32", map.get("ggml_barrier")!),
      /ggml_vec_dot_f16_f32 has another type/,
    ],
    [
      "a stack pointer that is elsewhere",
      32,
      (map: Map<string, number>) => map.set("_emscripten_stack_restore", map.get("ggml_barrier")!),
      /stack pointer is not where/,
    ],
    ["kernels for other addresses", 64, () => undefined, /has another type in the engine/],
  ] as const)("refuses %s", async (_, bits, change, message) => {
    const changed = new Map(names);
    change(changed);
    const file = await kernels(bits);
    expect(() => merge(engine, file, changed)).toThrow(message);
  });

  it("refuses an engine that names no functions, and files that are no modules", async () => {
    const merged = merge(engine, await kernels(32)); // without its names
    const file = await kernels(32);
    expect(() => merge(merged, file)).toThrow("it names no functions");
    expect(() => merge(engine.subarray(1), file)).toThrow("expected a module");
    expect(() => merge(engine, file.subarray(0, file.length - 9))).toThrow("ends too early");
  });
});
