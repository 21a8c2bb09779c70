// The four best translations.
//   llmspell run examples/scripts/cookbook/n-best.js 'The cat is sleeping on the bed.'

const prompt = `translate English to French: ${ARGS[1] ?? "The cat is sleeping on the bed."}`;
const answer = await LocalLLM.generate("tiny-t5-en-fr", prompt, { num_beams: 4, num_return_sequences: 4 });
for (const [index, candidate] of answer.candidates.entries()) console.log(index + 1, candidate);
