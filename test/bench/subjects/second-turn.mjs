/** First token of a second turn on a warm model, and of the same conversation on a fresh one. Arguments: MODEL DEVICE */
import { load } from "../../../dist/node/index.js";
import { conversation, print } from "./prompt.mjs";

const [model, device] = process.argv.slice(2);

async function firstToken(m, messages, maxTokens) {
  let end;
  for await (const part of m.stream(messages, { temperature: 0, repeatPenalty: 1, maxTokens })) if (part.type === "stream-end") end = part;
  return { ms: end.timing.firstTokenMs, computed: end.usage.promptTokens - (end.usage.cachedTokens ?? 0) };
}

const options = { device, contextSize: 1024 };
const warm = await load(model, options);
await firstToken(warm, conversation.slice(0, 1), 40);
const second = await firstToken(warm, conversation, 1);
await warm.dispose();
const fresh = await load(model, options);
await firstToken(fresh, "Hello", 2); // pages and caches warm, as in the first
const scratch = await firstToken(fresh, conversation, 1);
await fresh.dispose();
print({
  secondTurnMs: second.ms,
  scratchMs: scratch.ms,
  ratio: second.ms / scratch.ms,
  secondTurnTokens: second.computed,
  scratchTokens: scratch.computed,
});
process.exit(0);
