// Where an answer is computed, and why.
//   llmspell run examples/scripts/features/devices.js

const agent = Agent.builder().model("tiny-stories").device("cpu").max_tokens(10).build();
const { device } = (await agent.execute("Once upon a time")).metadata;
console.log(device.chosen, device.runtime);
for (const attempt of device.tried) console.log(attempt.device, attempt.ok, attempt.reason);
