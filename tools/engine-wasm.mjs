/** The files of llama.cpp's WebAssembly: what the build makes of them, in dist/wasm. Run alone it makes them. */
import { createHash } from "node:crypto";
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { merge } from "./merge-kernels.mjs";

const root = new URL("..", import.meta.url);
export const sha256 = (/** @type {Uint8Array} */ bytes) => createHash("sha256").update(bytes).digest("hex");
/** @returns {Readonly<Record<string, string>>} */
export const readPinned = () => JSON.parse(readFileSync(new URL("tools/pinned.json", root), "utf8"));

/** The engine's two builds, by the bits of their addresses. */
export const builds = /** @type {const} */ ([
  { bits: 64, engine: "node_modules/@wllama/wllama/esm/wasm/wllama.wasm", merged: "dist/wasm/wllama-default.wasm" },
  { bits: 32, engine: "node_modules/@wllama/wllama-compat/wasm/wllama.wasm", merged: "dist/wasm/wllama-compat.wasm" },
]);
/** The program of the second, for pages: beside it, where it is found. */
const program = { engine: "node_modules/@wllama/wllama-compat/wasm/wllama.js", merged: "dist/wasm/wllama-compat.js" };

/** @throws where a file is not the one that the kernels were tested with */
export function checkPinned(/** @type {string} */ path, /** @type {Uint8Array} */ bytes, pinned = readPinned()) {
  const found = sha256(bytes);
  if (found !== pinned[path]) {
    throw new Error(`${path}: expected sha256 ${pinned[path]}, got ${found}. docs/kernels.md says what to do with another version.`);
  }
}

/** Writes dist/wasm. @throws where an engine, the kernels or a result is not as pinned, or does not fit */
export function mergeKernels() {
  mkdirSync(new URL("dist/wasm/", root), { recursive: true });
  const read = (/** @type {string} */ path) => {
    const bytes = readFileSync(new URL(path, root));
    checkPinned(path, bytes);
    return bytes;
  };
  for (const { bits, engine, merged } of builds) {
    const result = merge(read(engine), read(`src/kernels/kernels-${bits}.wasm`));
    checkPinned(merged, result);
    writeFileSync(new URL(merged, root), result);
  }
  copyFileSync(new URL(program.engine, root), new URL(program.merged, root));
}

if (process.argv[1] === fileURLToPath(import.meta.url)) mergeKernels();
