// Answers with a form: JSON by a schema, one of several choices, a pattern. Runs on the bundled models, without a network.
//   node examples/structured.mjs
import { createSpell } from "llmspell";

const spell = createSpell();
const person = {
  type: "object",
  properties: { name: { type: "string", maxLength: 12 }, age: { type: "integer", minimum: 0, maximum: 120 } },
  required: ["name", "age"],
};
const { json } = await spell.generate("tiny-stories", "Tell me of a girl.", { jsonSchema: person, seed: 1 });
console.log(`json: ${Object.keys(/** @type {object} */ (json)).join(", ")}`);

const choice = await spell.generate("tiny-t5-en-fr", "The cat is black.", { choices: ["animal", "plant"] });
console.log(`choice: ${choice.text}`);

const code = await spell.generate("tiny-stories", "A code:", { regex: /[A-Z]{2}-\d{3}/, seed: 1 });
console.log(`code: ${code.text}`);
await spell.dispose();
