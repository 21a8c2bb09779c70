// A long beginning that is computed once for all runs: node examples/session.mjs "Tom ran"; then again, with another end.
import { load } from "llmspell";

const beginning = "Tom had a big dog. The dog was brown and liked to play with a red ball in the park near the house. ".repeat(6);
const model = await load("tiny-stories");
const session = model.session({ save: true });
const { text, usage, warnings } = await session.generate(`${beginning}${process.argv[2] ?? "One day"}`, { maxTokens: 40 });
console.log(text);
for (const { message } of warnings) console.error(`note: ${message}`);
console.error(`(${usage.cachedTokens ?? 0} of ${usage.promptTokens} prompt tokens were not computed again)`);
await model.dispose();
