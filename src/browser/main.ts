/** The main entry, "llmspell", in browsers. */
import { createEntry, type Entry } from "../core/api/entry.ts";
import { lazyScripts } from "../core/scripts/lazy.ts";
import { browserPlatform } from "./platform.ts";

export type { SpellOptions } from "../core/api/entry.ts";
export * from "../core/main.ts";

const entry: Entry = createEntry(browserPlatform, lazyScripts);

export const load: Entry["load"] = entry.load;
export const generate: Entry["generate"] = entry.generate;
export const createSpell: Entry["createSpell"] = entry.createSpell;
export const resolveConfig: Entry["resolveConfig"] = entry.resolveConfig;
