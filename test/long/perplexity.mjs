/**
 * How likely a model finds a text, as one JSON object. Arguments: native|kernels|shipped MODEL TEXT
 *   logprobs: of each scored token, null where the engine reads the text before it as other tokens
 * The words of the text are cut into shares. Each is scored after the share before it, which is computed as a prompt; the engine in WebAssembly then computes token
 * by token. So both of its ways, tiles and single columns, are in every number.
 */
import { readFileSync } from "node:fs";
import { getLlama } from "node-llama-cpp";
import { startWllama } from "../support/raw-wllama.mjs";

const shareWords = 100;
const count = 2000;
const [engine, modelPath = "", textPath = ""] = process.argv.slice(2);
const words = readFileSync(textPath, "utf8").split(/\s+/);

const llama = await getLlama({ gpu: false, build: "never", skipDownload: true, progressLogs: false, logLevel: "error", maxThreads: 1 });
const model = await llama.loadModel({ modelPath });
const { bos, shouldPrependBosToken } = model.tokens;
const first = shouldPrependBosToken && bos !== null ? [bos] : [];

/** @typedef {import("node-llama-cpp").Token} Token */
/** @typedef {(tokens: readonly Token[], from: number) => Promise<(number | null)[]>} Score log-probabilities of the tokens from there on */

/** @returns {Promise<Score>} */
async function native() {
  const sequence = (await model.createContext({ contextSize: 512 })).getSequence();
  const options = { temperature: 1, topK: 0, topP: 1, minP: 0 };
  return async (tokens, from) => {
    await sequence.clearHistory();
    const before = from + first.length - 1;
    const results = await sequence.controlledEvaluate(
      [...first, ...tokens].map((token, at) => (at < before ? token : [token, { generateNext: { probabilities: true, options } }])),
    );
    return tokens.slice(from).map((token, at) => Math.log(results[before + at]?.next.probabilities?.get(token) ?? Number.NaN));
  };
}

/** @returns {Promise<Score>} */
async function webAssembly(/** @type {boolean} */ kernels) {
  const wllama = await startWllama(modelPath, { threads: 1, kernels, load: { n_batch: 128, n_ubatch: 128 } });
  return async (tokens, from) => {
    const logprobs = [];
    for (let at = from; at < tokens.length; at += 1) {
      const wanted = /** @type {Token} */ (tokens[at]);
      let logprob = Number.NaN;
      let promptTokens = 0;
      // The wanted token always wins; the server reports its probability before the bias.
      await wllama.createCompletion({
        prompt: model.detokenize(tokens.slice(0, at)),
        ...{ max_tokens: 1, temperature: 0, n_probs: 1, stream: true, cache_prompt: true, logit_bias: [[wanted, 1e6]] },
        onData: (/** @type {Chunk} */ { choices = [], usage }) => {
          promptTokens = usage?.prompt_tokens ?? promptTokens;
          const [content] = choices[0]?.logprobs?.content ?? [];
          if (content?.id === wanted) logprob = content.logprob;
        },
      });
      logprobs.push(promptTokens === first.length + at ? logprob : null);
    }
    return logprobs;
  };
}

/** @typedef {{ choices?: { logprobs?: { content?: { id: number, logprob: number }[] } }[], usage?: { prompt_tokens: number } }} Chunk */

const score = engine === "native" ? await native() : await webAssembly(engine === "kernels");
const logprobs = [];
for (let at = shareWords; logprobs.length < count; at += shareWords) {
  const share = (/** @type {number} */ from) => words.slice(from, from + shareWords).join(" ");
  if (words.length < at + shareWords)
    throw new Error(`${textPath} has ${words.length} words, which give ${logprobs.length} tokens; expected ${count}`);
  const before = model.tokenize(share(at - shareWords)).length;
  logprobs.push(...(await score(model.tokenize(`${share(at - shareWords)} ${share(at)}`), before)));
}
process.stdout.write(`${JSON.stringify({ logprobs })}\n`, () => process.kill(process.pid, "SIGKILL"));
