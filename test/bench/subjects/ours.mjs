/** llmspell through its public entry. Arguments: MODEL DEVICE [THREADS] */
import { load } from "../../../dist/node/index.js";
import { beginnings, newTokens, print, prompt } from "./prompt.mjs";

const [model, device, threads = "0"] = process.argv.slice(2);
const loaded = performance.now();
const m = await load(model, { device, threads: Number(threads), contextSize: 512 });
const loadMs = performance.now() - loaded;

async function run(text) {
  const started = performance.now();
  let first = 0;
  let end;
  for await (const part of m.stream(text, { raw: true, temperature: 0, repeatPenalty: 1, maxTokens: newTokens })) {
    if (part.type === "text-delta" && first === 0) first = performance.now();
    if (part.type === "stream-end") end = part;
  }
  const done = performance.now();
  const tokens = end.usage.completionTokens;
  return {
    prefillRate: ((end.usage.promptTokens - (end.usage.cachedTokens ?? 0)) * 1000) / (first - started),
    decodeRate: ((tokens - 1) * 1000) / (done - first),
    firstTokenFromStartMs: performance.timeOrigin ? first : 0,
    threads: m.device.threads,
    runtime: m.device.runtime,
  };
}

const cold = await run(prompt);
const warm = [];
for (const beginning of beginnings) warm.push(await run(beginning + prompt));
const best = (key) => Math.max(...warm.map((figures) => figures[key]));
print({
  loadMs,
  firstTokenFromStartMs: cold.firstTokenFromStartMs,
  prefillRate: best("prefillRate"),
  decodeRate: best("decodeRate"),
  threads: cold.threads,
  runtime: cold.runtime,
});
await m.dispose();
process.exit(0);
