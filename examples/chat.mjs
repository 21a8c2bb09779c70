// A conversation with any GGUF chat model: node examples/chat.mjs ./model.gguf
// Ctrl-C stops an answer; an empty line or Ctrl-D ends. Each turn computes only its new tokens.
import { createInterface } from "node:readline/promises";
import { load, SpellError } from "llmspell";

const model = await load(process.argv[2] ?? "tiny-stories");
if (!model.hasChatTemplate) console.error(`(${model.id} has no chat template: it continues text)`);
const messages = [];
let answering;
process.on("SIGINT", () => (answering === undefined ? process.exit(130) : answering.abort()));

const lines = createInterface({ input: process.stdin, output: process.stderr, terminal: false });
process.stderr.write("> ");
for await (const content of lines) {
  if (content === "") break;
  messages.push({ role: "user", content });
  answering = new AbortController();
  let answer = "";
  try {
    for await (const part of model.stream(messages, { maxTokens: 200, signal: answering.signal })) {
      if (part.type === "text-delta") process.stdout.write(part.text);
      if (part.type === "text-delta") answer += part.text;
      if (part.type === "stream-end")
        console.error(`\n(${part.usage.cachedTokens ?? 0} of ${part.usage.promptTokens} prompt tokens cached)`);
    }
  } catch (error) {
    // The partial answer of an abort stays in the conversation.
    if (!(error instanceof SpellError && error.code === "run-aborted")) throw error;
  }
  process.stdout.write("\n");
  messages.push({ role: "assistant", content: answer });
  answering = undefined;
  process.stderr.write("> ");
}
await model.dispose();
