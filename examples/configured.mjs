// Settings in one place: an object (or TOML text, a profile, a path), the environment over it, and where each value came from.
import { createSpell } from "llmspell";

const spell = createSpell({
  config: { providers: { candle: { default_model: "tiny-stories", preset: "greedy", max_tokens: 40, keep_alive_seconds: 60 } } },
});
const { get } = await spell.config();
for (const path of ["providers.candle.max_tokens", "providers.candle.device"]) {
  const entry = get(path);
  console.error(`${path} = ${entry?.value} (${entry?.origin})`);
}

const model = await spell.load(); // the default model; options of a call win over the configuration
for await (const part of model.stream("Once upon a time")) if (part.type === "text-delta") process.stdout.write(part.text);
await model.dispose();
