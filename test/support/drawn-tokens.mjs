/**
 * Whether llama.cpp in WebAssembly, with the kernels, leaves the tokens that a form allows: of each form, every STEP-th token that fits it is made likely, and one
 * that does not fit is made likelier. The first draw is refused, all of the vocabulary is put to the form, and the token must be drawn. Prints JSON: how
 * many were tried, and those that were not drawn.
 */
import { fileURLToPath } from "node:url";
import { fromSource } from "./from-source.mjs";
import { startWllama } from "./raw-wllama.mjs";

const [step = "20"] = process.argv.slice(2);
/** @type {readonly (readonly [grammar: string, fits: RegExp])[]} */
const forms = [
  ['root ::= [b-y]+ "."', /^[b-y]+\.?$/],
  ['root ::= " " [a-m]+ "." | [0-9]', /^(?: (?:[a-m]+\.?)?|[0-9])$/],
  ["root ::= [^a-z ] [^\\n]* [\\n]", /^[^a-z \n][^\n]*\n?$/],
  ['root ::= "<" [a-z]+ | "S" [^a]* "." | [é-ÿ]', /^(?:<[a-z]*|S[^a]*|[é-ÿ])$/],
];
const model = fileURLToPath(new URL("../../builtins/models/tiny-stories/tiny-stories.gguf", import.meta.url));
const wllama = await startWllama(model, { threads: 1, kernels: true });
const library = await fromSource(["core/gguf/header.ts", "node/file-source.ts"]);
const { readGgufHeader, openFileSource } = await import(library.href);
library.remove();
const { metadata } = await readGgufHeader(await openFileSource(model));
/** SentencePiece writes a space as ▁, and single bytes as <0x0A>. @type {string[]} */
const texts = metadata
  .get("tokenizer.ggml.tokens")
  .values.map((/** @type {string} */ text) => (/^<.+>$/.test(text) ? "" : text.replaceAll("▁", " ")));

async function draw(grammar, likely, likelier) {
  let text = "";
  await wllama.createCompletion({
    prompt: "Once upon a time",
    stream: true,
    max_tokens: 1,
    temperature: 0,
    grammar,
    logit_bias: [
      [likely, 400],
      [likelier, 500],
    ],
    onData: ({ choices }) => {
      text += choices?.[0]?.text ?? "";
    },
  });
  return text;
}

let tried = 0;
const missed = [];
for (const [grammar, fits] of forms) {
  const fitting = texts.flatMap((text, id) => (text !== "" && fits.test(text) ? [id] : []));
  const other = texts.findIndex((text) => /^[a-z ]{2,}$/.test(text) && !fits.test(text));
  for (const id of fitting.filter((_, place) => place % Number(step) === 0)) {
    tried += 1;
    const text = await draw(grammar, id, other);
    if (text !== texts[id]) missed.push([grammar, id, texts[id], text]);
  }
}
process.stdout.write(`${JSON.stringify({ tried, missed })}\n`, () => process.kill(process.pid, "SIGKILL"));
