/** What a form costs: milliseconds of a token with a schema and without, of answers of equal length. Arguments: MODEL DEVICE */
import { load } from "../../../dist/node/index.js";
import { print } from "./prompt.mjs";

const [path, device] = process.argv.slice(2);
const maxTokens = 64;
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

async function msPerToken(form) {
  const { usage, timing, finishReason } = await model.generate(
    "Once upon a time there were forty girls. Write a long story of all of them.",
    {
      ...form,
      temperature: 0.8,
      repeatPenalty: 1,
      seed: 3,
      maxTokens,
    },
  );
  if (finishReason !== "length" || usage.completionTokens !== maxTokens) console.error(`${usage.completionTokens} tokens, ${finishReason}`);
  return timing.decodeMs / (usage.completionTokens - 1);
}
const median = (values) => values.sort((a, b) => a - b)[Math.floor(values.length / 2)];

for (const form of [{}, { jsonSchema }]) await msPerToken(form);
const [free, held] = [[], []];
for (let i = 0; i < rounds; i += 1) {
  free.push(await msPerToken({}));
  held.push(await msPerToken({ jsonSchema }));
}
const [freeMs, heldMs] = [median(free), median(held)];
await model.dispose();
print({ freeMs, heldMs, ratio: heldMs / freeMs });
process.exit(0);
