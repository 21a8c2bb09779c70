// Try again with less, by the code of the error.
//   llmspell run examples/scripts/features/error-handling.js

const ask = async (max_tokens) => (await LocalLLM.generate("tiny-stories", "Once", { max_tokens })).text;
let result;
try {
  result = await ask(-5);
} catch (error) {
  Logger.info("asked for too few", { code: error.code });
  result = await ask(10);
}
console.log(result.length > 0);
