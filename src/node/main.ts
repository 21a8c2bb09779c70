/** The main entry, "llmspell", on Node. Its types are those of every host. */
import { createEntry, type Entry } from "../core/api/entry.ts";
import { lazyScripts } from "../core/scripts/lazy.ts";
import { nodePlatform } from "./platform.ts";

export type { SpellOptions } from "../core/api/entry.ts";
export * from "../core/main.ts";

const entry: Entry = createEntry(nodePlatform, lazyScripts);

/**
 * Loads a model: a name (`tiny-stories` is in the package), a path, an address, a File or Blob; without a source the default model of the configuration.
 * Loads with equal options share one engine. The caller disposes the model.
 *
 * ```ts
 * const model = await load("tiny-stories");
 * for await (const text of model.stream("Once upon a time").textStream) output.append(text);
 * ```
 * @throws SpellError config-*, backend-*, model-*, gguf-*, device-*, run-option, run-aborted
 */
export const load: Entry["load"] = entry.load;

/** One answer as a whole. The model stays loaded as its provider's keep-alive says. @throws SpellError as load(), and of the answer */
export const generate: Entry["generate"] = entry.generate;

/** The library under one configuration: load, generate, models, config, devices. It starts nothing. @throws SpellError run-option */
export const createSpell: Entry["createSpell"] = entry.createSpell;

/** The effective configuration, every value with its origin. It starts nothing. @throws SpellError config-*, env-value, profile-unknown */
export const resolveConfig: Entry["resolveConfig"] = entry.resolveConfig;
