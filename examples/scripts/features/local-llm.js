// Health, models and details.
//   llmspell run examples/scripts/features/local-llm.js

console.log((await LocalLLM.status("candle")).ready);
const info = await LocalLLM.info("tiny-t5-en-fr");
console.log(info.architecture, info.context_length);
for (const model of await LocalLLM.available({ recommended: true })) console.log(model.name, model.size_bytes);
