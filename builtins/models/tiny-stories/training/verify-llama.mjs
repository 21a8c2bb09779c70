// Compares the exported GGUF files with golden.json in llama.cpp (node-llama-cpp, CPU).
// usage: node verify_llama.mjs --dir <export folder> --modules <folder that has node_modules>
import fs from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import { pathToFileURL } from "node:url";

const arg = (n) => process.argv[process.argv.indexOf(`--${n}`) + 1];
const dir = path.resolve(arg("dir"));
const req = createRequire(path.resolve(arg("modules"), "package.json"));
const { getLlama } = await import(pathToFileURL(req.resolve("node-llama-cpp")).href);
const golden = JSON.parse(fs.readFileSync(path.join(dir, "golden.json"), "utf8"));
const llama = await getLlama({ gpu: false, build: "never", skipDownload: true, maxThreads: 1, progressLogs: false });
for (const type of ["F32", "F16", "Q8_0", "Q4_0", "Q4_K"]) {
  const model = await llama.loadModel({ modelPath: path.join(dir, `tiny-stories-${type}.gguf`) });
  const ctx = await model.createContext({ contextSize: 512, threads: 1 });
  const seq = ctx.getSequence();
  if (type === "F32") {
    let bad = 0;
    for (const [text, ids] of golden.tokenizer) {
      const got = [...model.tokenize(text)];
      if (JSON.stringify(got) !== JSON.stringify(ids)) {
        bad++;
        if (bad < 6) console.log("TOKENIZER", JSON.stringify(text), got.join(" "), "!=", ids.join(" "));
      }
    }
    console.log(
      `tokenizer: ${golden.tokenizer.length - bad}/${golden.tokenizer.length} equal to SentencePiece; train ctx ${model.trainContextSize}, params ok, bos ${model.tokens.bos} eos ${model.tokens.eos}`,
    );
  }
  let equal = 0,
    safe = 0,
    same = 0,
    total = 0;
  const texts = [];
  for (const g of golden.prompts) {
    await seq.clearHistory();
    const ids = [model.tokens.bos, ...model.tokenize(g.prompt)];
    if (JSON.stringify(ids) !== JSON.stringify(g.input_ids)) console.log("PROMPT IDS DIFFER", g.prompt);
    const out = [];
    for await (const t of seq.evaluate(ids, { temperature: 0, yieldEogToken: true })) {
      out.push(t);
      if (out.length >= g.greedy_ids.length || t === model.tokens.eos) break;
    }
    let k = 0;
    while (k < out.length && out[k] === g.greedy_ids[k]) k++;
    same += k;
    total += g.greedy_ids.length;
    if (k === g.greedy_ids.length) equal++;
    if (k >= g.safe_tokens) safe++;
    texts.push(g.prompt + model.detokenize(out));
  }
  console.log(
    `${type}: ${equal}/10 prompts token-identical to PyTorch F32, ${safe}/10 up to safe_tokens, ${same}/${total} tokens before the first difference`,
  );
  if (type === "F32" || type === "Q4_0") for (const t of texts.slice(0, 4)) console.log("   ", JSON.stringify(t));
  await ctx.dispose();
  await model.dispose();
}
await llama.dispose();
