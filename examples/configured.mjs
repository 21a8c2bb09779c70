// A configuration (an object, TOML text, a profile or a path), overridden by the environment, and the origin of each value.
import { createSpell } from "llmspell";

const spell = createSpell({
  config: { providers: { candle: { default_model: "tiny-stories", preset: "greedy", max_tokens: 40, keep_alive_seconds: 60 } } },
});
const { get } = await spell.config();
for (const path of ["providers.candle.max_tokens", "providers.candle.device"]) {
  const entry = get(path);
  console.error(`${path} = ${entry?.value} (${entry?.origin})`);
}

const model = await spell.load(); // the default model; options of a call override the configuration
for await (const text of model.stream("Once upon a time").textStream) process.stdout.write(text);
await model.dispose();
