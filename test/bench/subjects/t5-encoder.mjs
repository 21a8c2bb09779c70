/**
 * T5's encoder alone, f32, at 64 and 512 tokens, 2 threads: ours, or with MODULE that of transformers.js on an export of the same weights. Ours also with the
 * keys and values of the decoder's cross-attention, which its encoder computes and the other's decoder does. Arguments: FOLDER [MODULE]
 */
import { basename, dirname } from "node:path";
import { pathToFileURL } from "node:url";
import { fromSource } from "../../support/from-source.mjs";
import { print, rates } from "./t5-input.mjs";

const [folder, module] = process.argv.slice(2);
const lengths = [64, 512];
const idsOf = (length) => [...Array.from({ length: length - 1 }, (_, i) => 3 + ((i * 7919) % 32_000)), 1];

/** @returns what encodes so many ids, by the name of its figure */
async function ours() {
  const library = await fromSource([
    "core/t5/config.ts",
    "core/formats/safetensors.ts",
    "core/t5/session-weights.ts",
    "core/t5/decode.ts",
    "core/t5/graph.ts",
    "node/file-source.ts",
    "node/engines/onnx-native.ts",
  ]);
  const { readT5Configs, readSafetensors, sessionWeights, openT5Session, encode, encoderGraph, openFileSource, openNativeOnnx } =
    await import(library.href);
  library.remove();
  const onnx = await openNativeOnnx();
  const { config } = await readT5Configs(await openFileSource(`${folder}/config.json`));
  const tensors = await readSafetensors(await openFileSource(`${folder}/model.safetensors`));
  const weights = await sessionWeights({ tensors, config }, [], { variant: "f32", runtime: onnx });
  const whole = await openT5Session(config, weights, onnx, { threads: 2 });
  // to a decoder without layers it gives no keys and values
  const graph = encoderGraph({ ...config, numDecoderLayers: 0 }, weights.encoder);
  const alone = { ...whole, encoder: await onnx.open(graph, { threads: 2, asWritten: true }) };
  const by = (session) => async (ids) => (await encode(session, [ids])).release();
  return { encode: by(alone), withKeys: by(whole) };
}

async function theirs() {
  const { AutoModelForSeq2SeqLM, env, Tensor } = await import(pathToFileURL(`${module}/dist/transformers.node.mjs`).href);
  env.allowRemoteModels = false;
  env.localModelPath = dirname(folder);
  const options = { dtype: "fp32", device: "cpu", session_options: { intraOpNumThreads: 2 } };
  const model = await AutoModelForSeq2SeqLM.from_pretrained(basename(folder), options);
  const encoder = model.sessions.model;
  return {
    async encode(ids) {
      const input = new Tensor("int64", BigInt64Array.from(ids, BigInt), [1, ids.length]);
      const mask = new Tensor("int64", new BigInt64Array(ids.length).fill(1n), [1, ids.length]);
      await encoder.run({ input_ids: input.ort_tensor, attention_mask: mask.ort_tensor });
    },
  };
}

const figures = {};
for (const [name, encode] of Object.entries(await (module === undefined ? ours() : theirs()))) {
  for (const length of lengths) {
    const ids = idsOf(length);
    figures[`${name}${length}Ms`] = await rates(15, async () => {
      const started = performance.now();
      await encode(ids);
      return performance.now() - started;
    });
  }
}
print(figures);
process.exit(0);
