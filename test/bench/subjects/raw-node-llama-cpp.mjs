/** node-llama-cpp as its documentation uses it, without us. Arguments: MODEL THREADS (0 = its own default) */
import { getLlama } from "node-llama-cpp";
import { beginnings, newTokens, print, prompt } from "./prompt.mjs";

const [modelPath, threads = "0"] = process.argv.slice(2);
const loaded = performance.now();
const llama = await getLlama({
  gpu: false,
  build: "never",
  skipDownload: true,
  progressLogs: false,
  logLevel: "error",
  ...(threads === "0" ? {} : { maxThreads: Number(threads) }),
});
const model = await llama.loadModel({ modelPath });
const context = await model.createContext({ contextSize: 512 });
const sequence = context.getSequence();
const loadMs = performance.now() - loaded;

async function run(text) {
  await sequence.clearHistory();
  const tokens = model.tokenize(text, true);
  if (model.tokens.shouldPrependBosToken) tokens.unshift(model.tokens.bos);
  const started = performance.now();
  let first = 0;
  let count = 0;
  for await (const _ of sequence.evaluate(tokens, { temperature: 0, yieldEogToken: true })) {
    if (count === 0) first = performance.now();
    count += 1;
    if (count >= newTokens) break;
  }
  return { first, prefillRate: (tokens.length * 1000) / (first - started), decodeRate: ((count - 1) * 1000) / (performance.now() - first) };
}

const cold = await run(prompt);
const warm = [];
for (const beginning of beginnings) warm.push(await run(beginning + prompt));
const best = (key) => Math.max(...warm.map((figures) => figures[key]));
print({ loadMs, firstTokenFromStartMs: cold.first, prefillRate: best("prefillRate"), decodeRate: best("decodeRate") });
process.exit(0);
