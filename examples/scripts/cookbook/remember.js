// A conversation that the next run goes on with, where the configuration keeps State in a file.
//   llmspell run examples/scripts/cookbook/remember.js 'My name is Lily.'

const earlier = State.load("remember", "messages") ?? [];
const agent = Agent.builder()
  .model(ARGS.model ?? "tiny-stories")
  .max_tokens(30)
  .seed(1)
  .build();
const answer = await agent.execute({ text: ARGS[1] ?? "Once upon a time", messages: earlier });
console.log(answer.text);
State.save("remember", "messages", agent.history());
console.log(`${State.load("remember", "messages").length} messages kept`);
