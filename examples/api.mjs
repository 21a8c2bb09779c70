// The HTTP API of OpenAI without a server: createFetch() answers what an SDK sends. Runs on a bundled model, without a network.
//   node examples/api.mjs
import { createFetch, createSpell } from "llmspell";

const spell = createSpell();
const fetch = createFetch(spell);

const { data } = await (await fetch("http://localhost/v1/models")).json();
console.log(`models: ${data.map(({ id }) => id).join(", ")}`);

const response = await fetch("http://localhost/v1/chat/completions", {
  method: "POST",
  headers: { "content-type": "application/json" },
  body: JSON.stringify({
    model: "tiny-stories",
    messages: [{ role: "user", content: "Once upon a time" }],
    max_tokens: 30,
    stream: true,
    stream_options: { include_usage: true },
  }),
});
for (const event of (await response.text()).split("\n\n")) {
  if (!event.startsWith("data: {")) continue;
  const { choices, usage } = JSON.parse(event.slice("data: ".length));
  process.stdout.write(choices[0]?.delta.content ?? "");
  if (choices[0]?.finish_reason) process.stdout.write(`\n${choices[0].finish_reason}`);
  if (usage) console.log(`, ${usage.completion_tokens} tokens`);
}
await spell.dispose();
