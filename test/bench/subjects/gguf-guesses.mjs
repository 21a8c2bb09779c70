/**
 * What guesses of repeated tokens gain natively, by how much of its input an answer repeats: the same steps with guesses and without, in pairs, one context.
 * Arguments: MODEL (one with ChatML, such as SmolLM2) THREADS. With UV_THREADPOOL_SIZE=1, as the child that computes has it.
 */
import { performance } from "node:perf_hooks";
import { fromSource } from "../../support/from-source.mjs";
import { print, prompt as story } from "./prompt.mjs";

const [modelPath, threads] = process.argv.slice(2);
const library = await fromSource(["node/engines/llama-start.ts", "node/engines/llama-steps.ts", "node/engines/llama-guess.ts"]);
const { startLlama, directSteps, createGuesser } = await import(library.href);
library.remove();
const llama = await startLlama(false);
llama.maxThreads = Number(threads);
const model = await llama.loadModel({ modelPath });
const context = await model.createContext({ contextSize: 1024, flashAttention: true });
const sequence = context.getSequence();
const most = 96;
const costs = new Map();
const config = { temperature: 0, topK: 0, topP: 1, minP: 0, seed: 0 };

const text = story.split(". ").slice(0, 6).join(". ");
/** So many of the first letters of the text, to the end of a word. */
const beginning = (letters) => text.slice(0, text.indexOf(" ", letters));
// The model is small: told to copy it retells, so that what it is to copy stands there twice already.
const prompts = {
  copy: `${text}.\n\n${text}.\n\n${beginning(60)}`,
  letter: "<|im_start|>user\nWrite a letter to a friend about a day in the mountains.<|im_end|>\n<|im_start|>assistant\n",
};

/** @returns milliseconds of each token after the first, and the tokens */
async function answer(prompt, isGuessing) {
  await sequence.clearHistory();
  const tokens = model.tokenize(prompt, true);
  const steps = directSteps(
    { llama, model, sequence },
    tokens,
    config,
    undefined,
    isGuessing ? { guesser: createGuesser(tokens, costs), most } : undefined,
  );
  const came = [];
  let first = 0;
  for await (const token of steps) {
    if (came.length === 0) first = performance.now();
    came.push(token);
    if (model.isEogToken(token) || came.length >= most) break;
  }
  return { ms: (performance.now() - first) / (came.length - 1), tokens: came.join(), text: model.detokenize(came) };
}

const figures = {};
for (const [kind, prompt] of Object.entries(prompts)) {
  const gains = [];
  const rates = [];
  let isSame = true;
  await answer(prompt, false);
  for (let pair = 0; pair < 5; pair += 1) {
    // whoever goes first has the quieter or the later machine: in turns
    const order = pair % 2 === 0 ? [true, false] : [false, true];
    const results = new Map();
    for (const isGuessing of order) results.set(isGuessing, await answer(prompt, isGuessing));
    gains.push(results.get(false).ms / results.get(true).ms);
    rates.push(1000 / results.get(true).ms);
    isSame &&= results.get(false).tokens === results.get(true).tokens;
  }
  const median = (values) => values.sort((a, b) => a - b)[Math.floor(values.length / 2)];
  Object.assign(figures, { [`${kind}Rate`]: median(rates), [`${kind}Gain`]: median(gains) });
  if (!isSame) console.error(`${kind}: the texts differ (ties, or a fault)`);
}
print(figures);
process.exit(0);
