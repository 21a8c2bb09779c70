// A model of a service, by the configuration: of OpenAI, Anthropic, or of any server that speaks as OpenAI does. See docs/providers.md.
//
//   OFFICE_URL=http://localhost:8000/v1 OFFICE_MODEL=Qwen/Qwen2.5-7B-Instruct node examples/services.mjs
import { createSpell } from "llmspell";

const { OFFICE_URL = "http://localhost:11434/v1", OFFICE_MODEL = "llama3.2:1b" } = process.env;
const spell = createSpell({
  config: { providers: { office: { provider_type: "openai-compatible", base_url: OFFICE_URL, max_tokens: 200 } } },
});

// nothing is asked before this
const model = await spell.load(`office/${OFFICE_MODEL}`);
for await (const part of model.stream("Say hello in five words.")) {
  if (part.type === "text-delta") process.stdout.write(part.text);
  else if (part.type === "stream-end") console.error(`\n${part.finishReason}, ${part.usage.totalTokens} tokens`);
}

// the models of this machine are still there
const { text } = await spell.generate("tiny-stories", "Once upon a time", { maxTokens: 20, temperature: 0 });
console.log(`\n${text}`);
await spell.dispose();
