// An agent's answer, piece by piece.
//   llmspell run examples/scripts/features/agent-streaming.js

const teller = Agent.builder().model("tiny-stories").max_tokens(40).seed(7).build();
let text = "";
const answer = await teller.stream("One rainy day, Tom", (chunk) => {
  text += chunk.text;
});
console.log(text);
console.log(answer.metadata.finish_reason, answer.chunks_received);
