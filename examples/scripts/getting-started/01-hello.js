// Which models are here?
//   llmspell run examples/scripts/getting-started/01-hello.js

for (const model of await LocalLLM.list("candle")) console.log(model.id, model.architecture);
