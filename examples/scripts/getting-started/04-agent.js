// An agent: a model with its settings.
//   llmspell run -p candle examples/scripts/getting-started/04-agent.js

const translator = Agent.builder().provider("candle").model("tiny-t5-en-fr").build();
for (const sentence of ["Hello world", "Where is the train station?"]) {
  console.log(await translator.complete(`translate English to French: ${sentence}`));
}
