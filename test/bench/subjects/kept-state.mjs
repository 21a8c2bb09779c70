/**
 * First token of a prompt of some 1,000 tokens in a fresh process. Arguments: MODEL taken|anew|write
 * `taken`: a run of this file with `write` kept its state before, in a home of its own. `anew`: nothing is kept.
 */
import { execFileSync } from "node:child_process";
import { cpSync, mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";
import { load } from "../../../dist/node/index.js";
import { print, prompt } from "./prompt.mjs";

const [model, mode] = process.argv.slice(2);
const long = `${prompt} the story went on. `.repeat(5);
const options = { device: "cpu", contextSize: 2048 };
const call = { temperature: 0, repeatPenalty: 1, maxTokens: 1, raw: true };

if (mode === "write") {
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
if (mode === "taken") execFileSync(process.execPath, [process.argv[1], model, "write"], { stdio: "inherit" });
const m = await load(model, options);
await m.generate("Hello", call); // pages and caches warm
const session = m.session(mode === "taken" ? { save: true } : {});
const { timing, usage } = await session.generate(`${long} At last`, call);
await m.dispose();
rmSync(process.env.LLMSPELL_HOME, { recursive: true });
print({ firstTokenMs: timing.firstTokenMs, computedTokens: usage.promptTokens - usage.cachedTokens, cachedTokens: usage.cachedTokens });
process.exit(0);
