/** `spell.scripts`; what runs them is imported with the first script. */
import type { Spell } from "../api/spell.ts";
import type { Scripts } from "../spec/scripts.ts";

export function lazyScripts(spell: Spell): Scripts {
  return { run: async (source, options) => (await import("./run.ts")).runScript(spell, source, options) };
}
