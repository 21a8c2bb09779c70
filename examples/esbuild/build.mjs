// node build.mjs: bundles main.js into out/app. esbuild leaves the addresses of workers as they are, so copy the workers beside the bundle.
import { cpSync } from "node:fs";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const packageFolder = (name) => {
  const entry = fileURLToPath(import.meta.resolve(`${name}/package.json`));
  return dirname(entry);
};
const llmspell = `${packageFolder("llmspell")}/dist/browser`;
const ort = dirname(fileURLToPath(import.meta.resolve("onnxruntime-web/ort-wasm-simd-threaded.wasm")));

await build({ entryPoints: ["main.js"], bundle: true, format: "esm", target: "es2022", outdir: "out/app" });
for (const [from, to] of [
  ["index.html", "index.html"],
  [`${llmspell}/engines/engine-worker.js`, "app/engine-worker.js"],
  [`${llmspell}/store/opfs-worker.js`, "app/opfs-worker.js"],
  [`${llmspell}/isolate-worker.js`, "app/isolate-worker.js"],
  // the first two import ../chunks, the third ./chunks
  [`${llmspell}/chunks`, "chunks"],
  [`${llmspell}/chunks`, "app/chunks"],
  [`${packageFolder("@wllama/wllama")}/src/wasm/wllama.wasm`, "engines/wllama.wasm"],
  [`${packageFolder("@wllama/wllama-compat")}/wasm/wllama.wasm`, "engines/compat.wasm"],
  [`${packageFolder("@wllama/wllama-compat")}/wasm/wllama.js`, "engines/compat.js"],
  [`${ort}/ort-wasm-simd-threaded.wasm`, "engines/ort.wasm"],
  [`${ort}/ort-wasm-simd-threaded.asyncify.wasm`, "engines/ort-webgpu.wasm"],
]) {
  cpSync(from, `out/${to}`, { recursive: true });
}
