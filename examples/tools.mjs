// A model that calls a function of this program: node examples/tools.mjs [MODEL], with a chat model such as qwen2.5-0.5b.
// Without MODEL a scripted one of llmspell/testing plays its part, so that the way of a call is seen without a download.
import { createSpell } from "llmspell";
import { scriptedModel } from "llmspell/testing";

const tools = [
  {
    name: "get_weather",
    description: "Weather of a city, in degrees Celsius",
    inputSchema: { type: "object", properties: { city: { type: "string" } }, required: ["city"] },
    execute: async ({ city }) => ({ city, degrees: 21 }),
  },
];
const question = "How warm is it in Rome?";
const [name] = process.argv.slice(2);

if (name !== undefined) {
  const spell = createSpell();
  const { text, steps } = await spell.generate(name, question, { tools, temperature: 0 });
  console.log(steps, text);
  await spell.dispose();
} else {
  // The same by hand, as spell.generate() does it: ask, run what is called, ask again with the result.
  const model = await scriptedModel({
    chatTemplate: "{% for m in messages %}<{{ m.role }}>{{ m.content }}{% endfor %}<assistant>",
    answer: (prompt) =>
      prompt.includes("<tool_response>")
        ? ["It is 21 degrees."]
        : ['\n{"name": "get_weather", "arguments": {"city": "Rome"}}\n</tool_call>'],
  });
  const [{ execute, ...tool }] = tools;
  const messages = [{ role: "user", content: question }];
  const asked = await model.generate(messages, { tools: [tool], toolChoice: "required" });
  messages.push({ role: "assistant", content: asked.toolCalls });
  for (const { id, name: called, input } of asked.toolCalls) {
    const result = await execute(input);
    console.log(`${called}(${JSON.stringify(input)}) = ${JSON.stringify(result)}`);
    messages.push({ role: "tool", content: [{ type: "tool-result", id, result }] });
  }
  console.log((await model.generate(messages, { tools: [tool] })).text);
  await model.dispose();
}
