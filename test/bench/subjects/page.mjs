/**
 * One subject in a page of headless Chromium, isolated from other origins unless "plain" is said: ours as a page without a bundler has it, and the
 * engines as their own packages offer them. Arguments: gguf-ours MODEL [THREADS [plain]] | gguf-raw MODEL THREADS [plain] | t5-ours FOLDER | t5-transformers-js FOLDER MODULE | embed-ours CHECKPOINT |
 * embed-transformers-js FOLDER MODULE CHECKPOINT | empty
 * The page's origin is the folder both lie in, so that files are fetched as a page fetches them; a folder of ours is picked, as a person picks it.
 */
import { readFileSync, realpathSync } from "node:fs";
import { availableParallelism } from "node:os";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright";
import { findChromium } from "../../../tools/chromium.mjs";
import { isolation, serve } from "../../../tools/serve.mjs";
import { beginnings, newTokens, print, prompt } from "./prompt.mjs";
import * as t5 from "./t5-input.mjs";

const [subject, model, extra, checkpoint = model] = process.argv.slice(2);
const isPeer = subject.endsWith("transformers-js");
const headers = subject.startsWith("gguf-") && checkpoint === "plain" ? {} : isolation;
const root = fileURLToPath(new URL("../../../", import.meta.url));
/** The deepest folder that holds all of them. */
const common = [root, ...(subject === "empty" ? [] : [realpathSync(model)]), ...(isPeer ? [realpathSync(extra)] : [])].reduce((a, b) => {
  const [left, right] = [a.split("/"), b.split("/")];
  const length = left.findIndex((part, index) => part !== right[index]);
  return left.slice(0, length < 0 ? left.length : length).join("/");
});
const path = (file) => realpathSync(file).slice(common.length);
const here = path(root);
const { url, close } = await serve(common === "" ? "/" : common, { headers: () => headers });
const executablePath = findChromium();
const browser = await chromium.launch({ ...(executablePath === undefined ? {} : { executablePath }), args: ["--no-sandbox"] });
const page = await browser.newPage();
page.on("pageerror", (error) => console.error(String(error)));
const imports = {
  llmspell: `${here}/dist/page/index.js`,
  "@wllama/": `${here}/node_modules/@wllama/`,
  "onnxruntime-web/": `${here}/node_modules/onnxruntime-web/dist/`,
  // transformers.js brings an onnxruntime of its own
  ...(isPeer
    ? {
        "onnxruntime-common": `${path(`${extra}/../../onnxruntime-common`)}/dist/esm/index.js`,
        "onnxruntime-web/webgpu": `${path(`${extra}/../../onnxruntime-web`)}/dist/ort.webgpu.bundle.min.mjs`,
      }
    : {}),
};
await page.route("**/bench.html", (route) =>
  route.fulfill({
    contentType: "text/html",
    headers,
    body: `<!doctype html><script type="importmap">${JSON.stringify({ imports })}</script><input type="file" multiple>`,
  }),
);
await page.goto(`${url}bench.html`);

const wasm = `${here}/node_modules/@wllama/wllama/esm/wasm/wllama.wasm`;
const input = {
  model: subject === "empty" ? "" : path(model),
  wasm,
  extra,
  prompt,
  beginnings,
  newTokens,
  t5Input: t5.input,
  t5NewTokens: t5.newTokens,
  embedInput: path(`${root}test/bench/subjects/embed-input.mjs`),
  threads: availableParallelism(),
};

/** Each runs in the page, "empty" to know what Chromium takes by itself; "cold" is the first answer, figures are those of the best of two more, on other beginnings. */
const subjects = {
  empty: () => new Promise((resolve) => setTimeout(() => resolve({}), 2000)),
  "gguf-ours": async ({ model, extra, prompt, beginnings, newTokens }) => {
    const blob = await (await fetch(model)).blob();
    const started = performance.now();
    const { load } = await import("llmspell");
    const loaded = await load(new File([blob], "model.gguf"), { device: "wasm", contextSize: 512, threads: Number(extra ?? 0) });
    const loadMs = performance.now() - started;
    const run = async (text) => {
      for await (const part of loaded.stream(text, { maxTokens: newTokens, temperature: 0, repeatPenalty: 1, raw: true }))
        if (part.type === "stream-end") return part.timing;
    };
    const cold = await run(prompt);
    const warm = [];
    for (const beginning of beginnings) warm.push(await run(beginning + prompt));
    const best = (key) => Math.max(...warm.map((timing) => timing[key]));
    return { loadMs, firstTokenMs: cold.firstTokenMs, decodeRate: best("decodeRate"), prefillRate: best("prefillRate") };
  },
  "gguf-raw": async ({ model, extra, prompt, beginnings, newTokens, wasm }) => {
    const blob = await (await fetch(model)).blob();
    const started = performance.now();
    const { Wllama } = await import("@wllama/wllama/esm/index.js");
    const silent = () => {};
    // not suppressNativeLog: with it the engine writes eight lines for a token, for its messages to be thrown away
    const engine = new Wllama({ default: wasm }, { logger: { debug: silent, log: silent, warn: silent, error: silent } });
    engine.setCompat(null);
    await engine.loadModel([blob], { n_ctx: 512, n_threads: Number(extra), n_gpu_layers: 0, n_parallel: 1 });
    const loadMs = performance.now() - started;
    const run = async (text) => {
      const began = performance.now();
      let first = 0;
      let timings = {};
      await engine.createCompletion({
        prompt: text,
        max_tokens: newTokens,
        temperature: 0,
        stream: true,
        cache_prompt: true,
        timings_per_token: true,
        onData: (chunk) => {
          timings = chunk.timings ?? timings;
          if (first === 0 && chunk.choices?.[0]?.text) first = performance.now();
        },
      });
      return {
        firstTokenMs: first - began,
        decodeRate: ((timings.predicted_n - 1) * 1000) / timings.predicted_ms,
        prefillRate: (timings.prompt_n * 1000) / timings.prompt_ms,
      };
    };
    const cold = await run(prompt);
    const warm = [];
    for (const beginning of beginnings) warm.push(await run(beginning + prompt));
    const best = (key) => Math.max(...warm.map((timing) => timing[key]));
    return { loadMs, firstTokenMs: cold.firstTokenMs, decodeRate: best("decodeRate"), prefillRate: best("prefillRate") };
  },
  "t5-ours": async ({ t5NewTokens }) => {
    const files = [...document.querySelector("input").files];
    // random weights end when they like; this makes them go on
    const settings = { decoder_start_token_id: 0, eos_token_id: 1, pad_token_id: 0, min_new_tokens: t5NewTokens };
    files.push(new File([JSON.stringify(settings)], "generation_config.json"));
    const started = performance.now();
    const { load } = await import("llmspell");
    const loaded = await load(files, { device: "wasm" });
    const loadMs = performance.now() - started;
    const run = async (round) => {
      // sixty-odd tokens; another one each time, since the encoder's newest work is kept
      const text = `${round} ${"the cat sat on a mat and saw the dog ".repeat(6)}`;
      for await (const part of loaded.stream(text, { maxTokens: t5NewTokens, temperature: 0 }))
        if (part.type === "stream-end") return part.timing;
    };
    await run(0);
    const timings = [await run(1), await run(2), await run(3)].sort((a, b) => a.decodeRate - b.decodeRate);
    return { loadMs, firstTokenMs: timings[1].firstTokenMs, decodeRate: timings[1].decodeRate };
  },
  "t5-transformers-js": async ({ model, extra, runtime, t5Input, t5NewTokens }) => {
    const started = performance.now();
    const { AutoModelForSeq2SeqLM, env, Tensor } = await import(`${extra}/dist/transformers.web.js`);
    env.allowRemoteModels = false;
    env.allowLocalModels = true;
    env.localModelPath = model.slice(0, model.lastIndexOf("/") + 1);
    env.useBrowserCache = false;
    env.backends.onnx.wasm.wasmPaths = runtime;
    const loaded = await AutoModelForSeq2SeqLM.from_pretrained(model.slice(model.lastIndexOf("/") + 1), { dtype: "fp32", device: "wasm" });
    const loadMs = performance.now() - started;
    const feeds = {
      input_ids: new Tensor("int64", BigInt64Array.from(t5Input, BigInt), [1, t5Input.length]),
      attention_mask: new Tensor("int64", new BigInt64Array(t5Input.length).fill(1n), [1, t5Input.length]),
    };
    const answer = async (count) => {
      const began = performance.now();
      await loaded.generate({ ...feeds, max_new_tokens: count, min_new_tokens: count });
      return performance.now() - began;
    };
    const median = async (count) => [await answer(count), await answer(count), await answer(count)].sort((a, b) => a - b)[1];
    await answer(t5NewTokens);
    const firstTokenMs = await median(1);
    return { loadMs, firstTokenMs, decodeRate: ((t5NewTokens - 1) * 1000) / ((await median(t5NewTokens)) - firstTokenMs) };
  },
  "embed-ours": async ({ texts, embedInput }) => {
    const files = [...document.querySelector("input").files];
    const started = performance.now();
    const { createSpell } = await import("llmspell");
    const loaded = await createSpell().embeddings(files, { device: "wasm" });
    const loadMs = performance.now() - started;
    const { embedRates } = await import(embedInput);
    return { loadMs, ...(await embedRates(texts, (some) => loaded.embed(some))) };
  },
  "embed-transformers-js": async ({ model, extra, runtime, texts, embedInput, threads }) => {
    const started = performance.now();
    const { env, pipeline } = await import(`${extra}/dist/transformers.web.js`);
    env.allowRemoteModels = false;
    env.allowLocalModels = true;
    env.localModelPath = model.slice(0, model.lastIndexOf("/") + 1);
    env.useBrowserCache = false;
    env.backends.onnx.wasm.wasmPaths = runtime;
    // as many as ours takes; its own default is half of the processors
    env.backends.onnx.wasm.numThreads = threads;
    const extract = await pipeline("feature-extraction", model.slice(model.lastIndexOf("/") + 1), { dtype: "fp32", device: "wasm" });
    const loadMs = performance.now() - started;
    const { embedRates } = await import(embedInput);
    return { loadMs, ...(await embedRates(texts, (some) => extract([...some], { pooling: "mean", normalize: true }))) };
  },
};

if (subject === "gguf-raw" && extra === undefined) input.extra = String(Math.max(1, Math.floor(availableParallelism() / 2)));
if (subject.startsWith("embed-")) input.texts = JSON.parse(readFileSync(`${checkpoint}/texts.json`, "utf8"));
if (isPeer) {
  input.extra = path(extra);
  input.runtime = `${path(`${extra}/../../onnxruntime-web`)}/dist/`;
}
if (subject === "t5-ours" || subject === "embed-ours") {
  const names = ["config.json", "model.safetensors", "tokenizer.json"];
  await page.setInputFiles(
    "input",
    names.map((name) => `${model}/${name}`),
  );
}
const figures = await page.evaluate(subjects[subject], input);
await browser.close();
await close();
print(figures);
