// Two models, one question.
//   llmspell run examples/scripts/cookbook/compare.js 'Where is the station?'

const question = ARGS[1] ?? "Where is the station?";
for (const model of ["tiny-stories", "tiny-t5-en-fr"]) {
  const answer = await LocalLLM.generate(model, question, { max_tokens: 20, temperature: 0 });
  console.log(model, answer.completion_tokens, Utils.trim(answer.text));
}
