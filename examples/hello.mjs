// Loads the bundled model and prints its answer while it is written.
import { load } from "llmspell";

const model = await load("tiny-stories");
for await (const part of model.stream(process.argv[2] ?? "Once upon a time", { maxTokens: 100 })) {
  if (part.type === "text-delta") process.stdout.write(part.text);
  if (part.type === "warning") console.error(`(${part.message})`);
  if (part.type === "stream-end")
    console.error(`\n(${part.usage.completionTokens} tokens, ${part.timing.decodeRate.toFixed(0)} tok/s, seed ${part.seed})`);
}
await model.dispose();
