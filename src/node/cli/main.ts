#!/usr/bin/env node
/** The bin. Asking for the version is answered here, from the one file it needs; everything else is in program.ts. */
import { writeSync } from "node:fs";
import { version } from "../../core/version.ts";

const argv = process.argv.slice(2);
if (argv.length === 1 && (argv[0] === "--version" || argv[0] === "-V")) {
  try {
    writeSync(1, `llmspell ${version}\n`);
  } catch {
    // a reader that has left already wants no answer
  }
} else {
  const { engineDevice, scriptEngine } = await import("./early.ts");
  const engine = scriptEngine(argv);
  if (engine !== undefined) (await import("../scripts/spawn.ts")).prepareScript(engine);
  const device = engineDevice(argv, process.env);
  if (device !== undefined) (await import("../engines/fork-engine.ts")).prepareEngine(device);
  const { runProgram } = await import("./program.ts");
  await runProgram(argv);
}
