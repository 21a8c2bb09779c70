/**
 * First token of a prompt of some 1,000 tokens whose state another process kept, and of the same prompt computed anew. Arguments: MODEL
 * The state is kept by a run of this file with a third argument, in a home of its own.
 */
import { execFileSync } from "node:child_process";
import { cpSync, mkdtempSync, readdirSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { load } from "../../../dist/node/index.js";
import { print, prompt } from "./prompt.mjs";

const [model, isWriter] = process.argv.slice(2);
const long = `${prompt} the story went on. `.repeat(5);
const options = { device: "cpu", contextSize: 2048 };
const call = { temperature: 0, repeatPenalty: 1, maxTokens: 1, raw: true };

async function firstToken(m, text, more) {
  const { timing, usage, warnings } = await m.generate(text, { ...call, ...more });
  return {
    ms: timing.firstTokenMs,
    computed: usage.promptTokens - (usage.cachedTokens ?? 0),
    prompt: usage.promptTokens,
    notes: warnings.length,
  };
}

if (isWriter !== undefined) {
  const m = await load(model, options);
  await m.session({ save: true }).generate(long, call);
  await m.dispose();
  process.exit(0);
}
const home = process.env.LLMSPELL_HOME;
process.env.LLMSPELL_HOME = mkdtempSync(join(home, "kept-"));
try {
  // the threads that were measured once
  cpSync(join(home, "threads.json"), join(process.env.LLMSPELL_HOME, "threads.json"));
} catch {
  // measured anew
}
execFileSync(process.execPath, [process.argv[1], model, "writer"], { stdio: "inherit" });
const m = await load(model, options);
await firstToken(m, "Hello", {}); // pages and caches warm
const kept = await firstToken(m, `${long} At last`, { save: true, session: "kept" });
const scratch = await firstToken(m, `${long} At last`, { session: "scratch" });
await m.dispose();
const folder = join(process.env.LLMSPELL_HOME, "kept/states");
const bytes = readdirSync(folder, { recursive: true }).reduce((sum, name) => sum + statSync(join(folder, name)).size, 0);
rmSync(process.env.LLMSPELL_HOME, { recursive: true });
print({
  keptMs: kept.ms,
  scratchMs: scratch.ms,
  ratio: kept.ms / scratch.ms,
  keptTokens: kept.computed,
  scratchTokens: scratch.computed,
  stateMb: bytes / 1e6,
});
process.exit(0);
