// Sends a question to the desk whose examples are most like it, or to nobody: node route.mjs MODEL "a question"
// A model that is not here is fetched first (`pull: true`); without MODEL that is all-minilm-l6-v2, 91 MB.
import { createSpell } from "llmspell";

const [name = "all-minilm-l6-v2", question = "the cat was singing"] = process.argv.slice(2);
// Classes need no training: some examples of each are enough.
const desks = {
  animals: ["the cat was singing", "our dog and the river", "a cat on a tree"],
  games: ["playing chess with the king", "chess and music", "the queen and the king play"],
};
const least = 0.3;

const spell = createSpell();
const model = await spell.embeddings(name, { pull: true });
const [asked] = (await model.embed([question])).vectors;
const scores = [];
for (const [desk, examples] of Object.entries(desks)) {
  const { vectors } = await model.embed(examples);
  const cosines = vectors.map((vector) => vector.reduce((sum, value, i) => sum + value * asked[i], 0));
  scores.push({ desk, score: Math.max(...cosines) });
}
const [best] = scores.sort((a, b) => b.score - a.score);
console.log(best.score < least ? "nobody" : best.desk, best.score.toFixed(3));
await spell.dispose();
