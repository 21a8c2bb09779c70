/** `spell.scripts`; what runs them is imported with the first script. */
import type { Spell } from "../api/spell.ts";
import { disposedError } from "../errors.ts";
import type { Scripts } from "../spec/scripts.ts";

/** @param over aborted with the spell's end, which ends its scripts */
export function lazyScripts(spell: Spell, over: AbortSignal): Scripts {
  return {
    async run(source, options) {
      if (over.aborted) throw disposedError();
      const { runScript } = await import("./run.ts");
      const signal = options?.signal === undefined ? over : AbortSignal.any([options.signal, over]);
      return runScript(spell, source, { ...options, signal });
    },
  };
}
