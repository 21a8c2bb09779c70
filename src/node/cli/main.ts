#!/usr/bin/env node
/** The bin. Asking for the version is answered here, from the one file it needs; everything else is in program.ts. */
import { writeSync } from "node:fs";
import { version } from "../../core/version.ts";

/**
 * A script's process takes longest to start, so it is asked for before the rest of the program is read. A guess: `open` in script.ts knows better.
 * @returns undefined where the first word that is no flag, nor stands behind one, runs no script
 */
function scriptEngine(words: readonly string[]): "lua" | "javascript" | undefined {
  const at = words.findIndex((word, i) => !word.startsWith("-") && words[i - 1]?.startsWith("-") !== true);
  if (!["run", "exec", "repl"].includes(words[at] ?? "") || words.includes("--help") || words.includes("-h")) return undefined;
  const flag = words.findIndex((word) => /^--engine(=|$)/.test(word));
  const asked = flag < 0 ? /\.m?js$/.exec(words[at + 1] ?? "")?.[0] : words[flag]?.includes("=") ? words[flag] : words[flag + 1];
  return /js$|javascript$/.test(asked ?? "") ? "javascript" : "lua";
}

const argv = process.argv.slice(2);
if (argv.length === 1 && (argv[0] === "--version" || argv[0] === "-V")) {
  try {
    writeSync(1, `llmspell ${version}\n`);
  } catch {
    // a reader that has left already wants no answer
  }
} else {
  const engine = scriptEngine(argv);
  if (engine !== undefined) (await import("../scripts/spawn.ts")).prepareScript(engine);
  const { runProgram } = await import("./program.ts");
  await runProgram(argv);
}
