/** @huggingface/transformers on an optimum export of the same weights. Arguments: FOLDER DTYPE MODULE (its folder in some node_modules) */
import { basename, dirname } from "node:path";
import { pathToFileURL } from "node:url";
import { input, newTokens, print } from "./t5-input.mjs";

const [folder, dtype, module] = process.argv.slice(2);
const loading = performance.now();
const { AutoModelForSeq2SeqLM, env, Tensor } = await import(pathToFileURL(`${module}/dist/transformers.node.mjs`).href);
env.allowRemoteModels = false;
env.localModelPath = dirname(folder);
const model = await AutoModelForSeq2SeqLM.from_pretrained(basename(folder), {
  dtype,
  device: "cpu",
  session_options: { intraOpNumThreads: 2 },
});
const loadMs = performance.now() - loading;
const feeds = {
  input_ids: new Tensor("int64", BigInt64Array.from(input, BigInt), [1, input.length]),
  attention_mask: new Tensor("int64", new BigInt64Array(input.length).fill(1n), [1, input.length]),
};

async function answer(count) {
  const started = performance.now();
  await model.generate({ ...feeds, max_new_tokens: count, min_new_tokens: count });
  return performance.now() - started;
}

await answer(newTokens);
const median = async (count) => [await answer(count), await answer(count), await answer(count)].sort((a, b) => a - b)[1];
const firstTokenMs = await median(1);
const whole = await median(newTokens);
print({ loadMs, firstTokenMs, decodeRate: ((newTokens - 1) * 1000) / (whole - firstTokenMs) });
process.exit(0);
