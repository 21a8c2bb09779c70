/**
 * Scripts in child processes: one for each run, ended by SIGKILL whatever it does. What one allocation beyond every limit would take with it is then
 * the child alone. Its environment is empty, its heap small, and two pipes are all it has.
 */
import { limits } from "../../core/limits.ts";
import type { ScriptRuntime, ScriptWire } from "../../core/platform.ts";
import { prepareScript, type ScriptChild, takeChild } from "./spawn.ts";

export const childScripts: ScriptRuntime = {
  prepare: prepareScript,
  start: async (engine, memoryBytes) => wireOf(takeChild(engine, memoryBytes)),
};

function wireOf({ process: { stdin, stdout, pid }, ended, kill }: ScriptChild): ScriptWire {
  let isKilled = false;
  return {
    post: (text) => void (stdin.writable && stdin.write(`${text}\n`)),
    listen(message, death) {
      let held = "";
      stdout.setEncoding("utf8").on("data", (piece: string) => {
        const lines = (held + piece).split("\n");
        held = lines.pop() ?? "";
        for (const line of lines) message(line);
        // no message of a guest is as long
        if (held.length > 2 * limits.scriptMessageBytes) kill();
      });
      void ended.then((reason) => {
        if (!isKilled) death(reason);
      });
    },
    async kill() {
      isKilled = true;
      kill();
      if (pid !== undefined) await ended;
    },
  };
}
