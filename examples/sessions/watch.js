// Hooks that see and change calls of tools, and events that tell of them.
//   LLMSPELL_HOOKS_ENABLED=true llmspell run examples/sessions/watch.js

const done = Event.subscribe("tool.*");

Hook.register("BeforeToolExecution", (call) => (call.input.amount > 100 ? "more than 100 needs a person" : "continue"), "high");
Hook.register("AfterToolExecution", (call) => ({ type: "modified", data: { output: `${call.output} EUR` } }));

const shop = Agent.builder()
  .name("shop")
  .model("tiny-stories")
  .tool({
    name: "pay",
    schema: { type: "object", properties: { amount: { type: "number" } }, required: ["amount"] },
    run: (input) => `paid ${input.amount}`,
  })
  .build();

print(await shop.invokeTool("pay", { amount: 12 }));
try {
  await shop.invokeTool("pay", { amount: 500 });
} catch (problem) {
  print(`${problem.code}: ${problem.details.reason}`);
}

for (let i = 0; i < 2; i++) {
  const event = await Event.receive(done, 1000);
  print(`${event.type} ${event.data.name}`);
}
