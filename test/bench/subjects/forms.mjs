/** What a form costs: milliseconds of a token with a schema and without, of answers of equal length. Arguments: MODEL DEVICE */
import { load } from "../../../dist/node/index.js";
import { print } from "./prompt.mjs";

const [path, device] = process.argv.slice(2);
const maxTokens = 48;
const rounds = 5;
// the model cannot end it before its tokens are spent, nor the schema
const jsonSchema = {
  type: "array",
  minItems: 40,
  maxItems: 40,
  items: {
    type: "object",
    properties: { name: { type: "string", minLength: 8, maxLength: 60 }, age: { type: "integer" } },
    required: ["name", "age"],
  },
};
const model = await load(path, { device, contextSize: 512 });

/** People ask for what they hold a model to; a story instead is the worst case, because nearly every token that the model would write is refused. */
const prompts = {
  asked:
    'Forty people as JSON: [{"name": "Anna Smith of London", "age": 30}, {"name": "Bert Miller of Paris", "age": 41}, and so on\n\nForty other people as JSON: ',
  story: "Once upon a time there were forty girls. Write a long story of all of them.",
};

async function msPerToken(name, form) {
  const { usage, timing, finishReason } = await model.generate(prompts[name], {
    ...form,
    raw: name === "asked", // continued, so that the answer without a form is JSON too
    temperature: 0.8,
    repeatPenalty: 1,
    seed: 3,
    maxTokens,
  });
  if (finishReason !== "length" || usage.completionTokens !== maxTokens) console.error(`${usage.completionTokens} tokens, ${finishReason}`);
  return timing.decodeMs / (usage.completionTokens - 1);
}
const median = (values) => values.sort((a, b) => a - b)[Math.floor(values.length / 2)];

const figures = {};
for (const name of Object.keys(prompts)) {
  for (const form of [{}, { jsonSchema }]) await msPerToken(name, form);
  const [free, held] = [[], []];
  for (let i = 0; i < rounds; i += 1) {
    free.push(await msPerToken(name, {}));
    held.push(await msPerToken(name, { jsonSchema }));
  }
  const [freeMs, heldMs] = [median(free), median(held)];
  Object.assign(figures, { [`${name}FreeMs`]: freeMs, [`${name}HeldMs`]: heldMs, [`${name}Ratio`]: heldMs / freeMs });
}
await model.dispose();
print(figures);
process.exit(0);
