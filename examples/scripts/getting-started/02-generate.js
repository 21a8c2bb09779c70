// One prompt, one answer.
//   llmspell run examples/scripts/getting-started/02-generate.js

const answer = await LocalLLM.generate("tiny-stories", "Once upon a time", { max_tokens: 40, temperature: 0 });
console.log(answer.text);
console.log(`${answer.completion_tokens} tokens`);
