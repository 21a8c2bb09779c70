/** llmspell's encoder, without its process wall, as the others run. Arguments: FOLDER native|web */
import { readFileSync } from "node:fs";
import { fromSource } from "../../support/from-source.mjs";
import { embedRates } from "./embed-input.mjs";
import { print } from "./t5-input.mjs";

const [folder, kind] = process.argv.slice(2);
const library = await fromSource(["core/bert/engine.ts", "node/files.ts", "node/engines/onnx-web.ts", "node/engines/onnx-native.ts"]);
const loading = performance.now();
const { openBert, openWebOnnx, openNativeOnnx, nodeFiles } = await import(library.href);
library.remove();
const onnx = kind === "web" ? await openWebOnnx() : await openNativeOnnx("cpu");
const { sources } = await nodeFiles().look(folder);
const pause = () => new Promise((resolve) => setImmediate(resolve));
const host = { onnx, threads: kind === "web" ? 1 : 2, report: () => ({ chosen: onnx.device, tried: [] }), pause };
const model = await openBert(sources, host, { variant: "f32", inputLength: 512 });
const loadMs = performance.now() - loading;

async function embed(texts) {
  const vectors = [];
  for await (const { index, vector } of model.embed(texts, { truncate: false })) vectors[index] = vector;
  return vectors;
}

const texts = JSON.parse(readFileSync(`${folder}/texts.json`, "utf8"));
print({ ...(await embedRates(texts, embed)), loadMs });
process.exit(0);
