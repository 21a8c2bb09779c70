/**
 * What prompt lookup gains, by how much of its input an answer repeats. The weights are random, so the answer is imposed: every pass is computed in full, then
 * the wanted ids are made the best ones. Arguments: FOLDER
 */
import { performance } from "node:perf_hooks";
import { fromSource } from "../../support/from-source.mjs";
import { input, newTokens, print, rates } from "./t5-input.mjs";

const [folder] = process.argv.slice(2);
const library = await fromSource([
  "core/t5/config.ts",
  "core/formats/safetensors.ts",
  "core/t5/session-weights.ts",
  "core/t5/decode.ts",
  "core/t5/search.ts",
  "node/file-source.ts",
  "node/engines/onnx-native.ts",
]);
const {
  readT5Configs,
  readSafetensors,
  sessionWeights,
  openT5Session,
  encode,
  DecoderState,
  searchTokens,
  openFileSource,
  openNativeOnnx,
} = await import(library.href);
library.remove();
const onnx = await openNativeOnnx();
const { config } = await readT5Configs(await openFileSource(`${folder}/config.json`));
const tensors = await readSafetensors(await openFileSource(`${folder}/model.safetensors`));
const plain = await openT5Session(config, await sessionWeights({ tensors, config }, [], { variant: "f32", runtime: onnx }), onnx, {
  threads: 2,
});

let target = [];
const session = {
  ...plain,
  decoder: {
    ...plain.decoder,
    async run(feeds, outputs) {
      const out = await plain.decoder.run(feeds, outputs);
      const past = Number(feeds.past_length.local[0]);
      // by their ids, or as looked up outside of the graph
      const rows = (feeds.input_ids ?? feeds.token_rows).shape[1];
      for (let row = 0; row < rows; row += 1) {
        const wanted = target[past + row] ?? 2;
        if (out.best !== undefined) out.best.local[row] = BigInt(wanted);
        if (out.logits !== undefined) out.logits.local[row * config.vocabSize + wanted] = 1e9;
      }
      return out;
    },
  },
};
const options = {
  sampling: { kind: "greedy", seed: 1 },
  maxTokens: newTokens,
  minTokens: 0,
  noRepeatNgramSize: 0,
  suppressTokens: [],
  endIds: new Set([1]),
  startId: 0,
  pause: () => new Promise((resolve) => setImmediate(resolve)),
};
const words = input.slice(0, -1);
const other = (i) => 3 + ((i * 104_729 + 50) % 32_000);
const copied = Array.from({ length: newTokens }, (_, i) => words[i % words.length]);
const targets = {
  copy: copied,
  // every tenth word is another one
  rewrite: copied.map((id, i) => (i % 10 === 9 ? other(i) : id)),
  other: Array.from({ length: newTokens }, (_, i) => other(i)),
};

/** Tokens per second. @param search over one encoded input, the ids it finds are counted */
async function rate(search) {
  const encoded = await encode(session, [input]);
  const started = performance.now();
  const count = await search(encoded);
  encoded.release();
  return (count * 1000) / (performance.now() - started);
}
const looked = (encoded) =>
  (async () => {
    let count = 0;
    for await (const _ of searchTokens(session, encoded, input, options)) count += 1;
    return count;
  })();
async function single(encoded) {
  const state = new DecoderState(session, encoded, 1);
  for (let i = 0; i < newTokens; i += 1) {
    await state.stepToBest([i === 0 ? 0 : target[i - 1]]);
    await options.pause();
  }
  state.release();
  return newTokens;
}

const figures = {};
for (const [name, ids] of Object.entries(targets)) {
  target = ids;
  figures[`${name}Rate`] = await rates(3, () => rate(looked));
  figures[`${name}Gain`] = figures[`${name}Rate`] / (await rates(3, () => rate(single)));
}
print(figures);
process.exit(0);
