/**
 * wllama used directly, with the file of its package or, where "kernels" is said, with ours. Arguments: MODEL THREADS [kernels]
 * Rates "Cpu" are tokens per second of processor time, which other work on the machine changes less.
 */
import { startWllama } from "../../support/raw-wllama.mjs";
import { beginnings, newTokens, print, prompt } from "./prompt.mjs";

const [modelPath, threads, kernels] = process.argv.slice(2);
const started = performance.now();
const w = await startWllama(modelPath, { threads: Number(threads), kernels: kernels === "kernels" });
const loadMs = performance.now() - started;
const cpuMs = () => {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
};

async function run(text) {
  const began = performance.now();
  const cpuBegan = cpuMs();
  let first = 0;
  let cpuFirst = 0;
  let count = 0;
  let timings = {};
  await w.createCompletion({
    prompt: text,
    max_tokens: newTokens,
    temperature: 0,
    stream: true,
    cache_prompt: true,
    onData: (chunk) => {
      timings = chunk.timings ?? timings;
      if (!chunk.choices?.[0]?.text) return;
      if (first === 0) [first, cpuFirst] = [performance.now(), cpuMs()];
      count += 1;
    },
  });
  const tokens = timings.predicted_n ?? count;
  return {
    first,
    prefillRate: ((timings.prompt_n ?? 0) * 1000) / (first - began),
    decodeRate: ((tokens - 1) * 1000) / (performance.now() - first),
    prefillCpuRate: ((timings.prompt_n ?? 0) * 1000) / (cpuFirst - cpuBegan),
    decodeCpuRate: ((tokens - 1) * 1000) / (cpuMs() - cpuFirst),
  };
}

const cold = await run(prompt);
const warm = [];
for (const beginning of beginnings) warm.push(await run(beginning + prompt));
const best = (key) => Math.max(...warm.map((figures) => figures[key]));
const rates = ["prefillRate", "decodeRate", "prefillCpuRate", "decodeCpuRate"];
print({ loadMs, firstTokenFromStartMs: cold.first, ...Object.fromEntries(rates.map((rate) => [rate, best(rate)])) });
process.kill(process.pid, "SIGKILL");
