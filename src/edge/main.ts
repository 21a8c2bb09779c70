/** The main entry, "llmspell", on edge hosts: engines do not run there, and each call says why. */
import { createEntry, type Entry } from "../core/api/entry.ts";
import { lazyScripts } from "../core/scripts/lazy.ts";
import { edgePlatform } from "./platform.ts";

export type { SpellOptions } from "../core/api/entry.ts";
export * from "../core/main.ts";

const entry: Entry = createEntry(edgePlatform, lazyScripts);

export const load: Entry["load"] = entry.load;
export const generate: Entry["generate"] = entry.generate;
export const createSpell: Entry["createSpell"] = entry.createSpell;
export const resolveConfig: Entry["resolveConfig"] = entry.resolveConfig;
