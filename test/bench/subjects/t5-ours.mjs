/**
 * llmspell's T5, without its process wall, as the others run. Arguments: FOLDER FORM[+DRAFT] native|web [keep|many|first-load|2-threads]
 * Quantised weights come from the file that the product keeps of them: "keep" makes it, and measures nothing; "first-load" makes it under the clock. "many"
 * measures beams and batches instead of single answers. A load begins with the import of the library, as those of the others do.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { performance } from "node:perf_hooks";
import { fromSource } from "../../support/from-source.mjs";

const [folder, form, kind, what] = process.argv.slice(2);
const [variant, draft] = form.split("+");
const { input, newTokens, batch, rates, print } = await import("./t5-input.mjs");
const library = await fromSource([
  "core/t5/config.ts",
  "core/formats/safetensors.ts",
  "core/t5/session-weights.ts",
  "core/t5/decode.ts",
  "core/t5/search.ts",
  "core/t5/beam-search.ts",
  "core/t5/search-many.ts",
  "node/file-source.ts",
  "node/store/block-store.ts",
  "node/engines/onnx-web.ts",
  "node/engines/onnx-native.ts",
]);
const loading = performance.now();
const {
  readT5Configs,
  readSafetensors,
  sessionWeights,
  openT5Session,
  encode,
  searchTokens,
  searchBeams,
  searchMany,
  openFileSource,
  createBlockStore,
  openWebOnnx,
  openNativeOnnx,
} = await import(library.href);
const source = await openFileSource(`${folder}/model.safetensors`);
const readFiles = async () => ({
  config: (await readT5Configs(await openFileSource(`${folder}/config.json`))).config,
  tensors: await readSafetensors(source),
});
const openRuntime = () => (kind === "web" ? openWebOnnx() : openNativeOnnx());
const blocks = what === "first-load" ? mkdtempSync(join(tmpdir(), "llmspell-blocks-")) : undefined;
const store = createBlockStore(blocks);
const weightsOf = (files, runtime, as) => sessionWeights(files, [source], { variant: as, runtime, store });
if (what === "keep") {
  await (await weightsOf(await readFiles(), await openRuntime(), variant)).wide?.();
  library.remove();
  process.exit(0);
}
const onnx = await openRuntime();
const files = await readFiles();
const { config } = files;
const weights = await weightsOf(files, onnx, variant);
const session = await openT5Session(
  config,
  draft === undefined ? weights : { ...weights, draft: (await weightsOf(files, onnx, draft)).decoder },
  onnx,
  { threads: kind === "web" && what !== "2-threads" ? 1 : 2 },
);
const loadMs = performance.now() - loading;
library.remove();
const options = {
  sampling: { kind: "greedy", seed: 1 },
  maxTokens: newTokens,
  minTokens: newTokens,
  noRepeatNgramSize: 0,
  suppressTokens: [],
  endIds: new Set([1]),
  startId: 0,
  pause: () => new Promise((resolve) => setImmediate(resolve)),
};

const beams = { kind: "beam", seed: 1, numBeams: 4, lengthPenalty: 1, numReturnSequences: 1 };

async function answer() {
  const started = performance.now();
  const encoded = await encode(session, [input]);
  const encodeMs = performance.now() - started;
  let first = 0;
  let count = 0;
  for await (const _ of searchTokens(session, encoded, input, options)) {
    if (count === 0) first = performance.now();
    count += 1;
  }
  encoded.release();
  return { encodeMs, firstTokenMs: first - started, rate: ((count - 1) * 1000) / (performance.now() - first) };
}

const figures = { loadMs };
if (what === "many") {
  figures.beam4Rate = await rates(2, async () => {
    const started = performance.now();
    const encoded = await encode(session, [input]);
    const [best] = await searchBeams(session, encoded, { ...options, sampling: beams });
    encoded.release();
    return (best.ids.length * 1000) / (performance.now() - started);
  });
  figures.batch16Rate = await rates(2, async () => {
    const started = performance.now();
    let count = 0;
    for await (const _ of searchMany(session, Array(batch).fill(input), options)) count += 1;
    return (count * 1000) / (performance.now() - started);
  });
} else if (what !== "first-load") {
  await answer();
  const runs = [await answer(), await answer(), await answer()].sort((a, b) => a.rate - b.rate);
  Object.assign(figures, { encodeMs: runs[1].encodeMs, firstTokenMs: runs[1].firstTokenMs, decodeRate: runs[1].rate });
}
if (blocks !== undefined) rmSync(blocks, { recursive: true });
print(figures);
process.exit(0);
