/** What choosing costs: a whole call with four choices beside one that writes a single token, over prompts that are new each time. Arguments: MODEL DEVICE */
import { performance } from "node:perf_hooks";
import { load } from "../../../dist/node/index.js";
import { print } from "./prompt.mjs";

const [path, device] = process.argv.slice(2);
const rounds = 5;
const choices = ["The mood is glad.", "The mood is sad.", "The mood is angry.", "Nobody can say."];
const model = await load(path, { device });
let count = 0;

async function msOf(form) {
  count += 1;
  const started = performance.now();
  await model.generate(`${count} girls went to the park with a red ball and met a dog there. How did they feel?`, {
    ...form,
    temperature: 0,
  });
  return performance.now() - started;
}
const median = (values) => values.sort((a, b) => a - b)[Math.floor(values.length / 2)];

const forms = [{ maxTokens: 1 }, { choices }];
for (const form of forms) await msOf(form);
const [one, chosen] = [[], []];
for (let i = 0; i < rounds; i += 1) {
  one.push(await msOf(forms[0]));
  chosen.push(await msOf(forms[1]));
}
const [tokenMs, choiceMs] = [median(one), median(chosen)];
await model.dispose();
print({ tokenMs, choiceMs, ratio: choiceMs / tokenMs });
process.exit(0);
