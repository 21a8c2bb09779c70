/** The four functions of the main entry over the platform of a host. */
import type { ResolvedConfig } from "../config/resolve.ts";
import type { Platform } from "../platform.ts";
import type { JsonOf, Prompt } from "../spec/generate.ts";
import type { LanguageModel } from "../spec/language-model.ts";
import type { Scripts } from "../spec/scripts.ts";
import { asOptions } from "../text/check-call.ts";
import { once } from "../values.ts";
import { type ConfigOptions, resolveConfig } from "./configuration.ts";
import { createSpell, type ModelSource, type Spell, type SpellGenerateOptions, type SpellLoadOptions, type SpellResult } from "./spell.ts";

/** A configuration, and a host of one's own. */
export interface SpellOptions extends ConfigOptions {
  /** default: of the host this runs on */
  readonly platform?: Platform | undefined;
}

export interface Entry {
  load(source?: ModelSource, options?: SpellLoadOptions & SpellOptions): Promise<LanguageModel>;
  generate<const O extends SpellGenerateOptions & ConfigOptions>(
    source: ModelSource | undefined,
    prompt: Prompt,
    options?: O,
  ): Promise<SpellResult<JsonOf<O>>>;
  createSpell(options?: SpellOptions): Spell;
  resolveConfig(options?: ConfigOptions): Promise<ResolvedConfig>;
}

/** @param platform makes the platform of the host; called once, with the first call @param scripts what runs scripts over a spell */
export function createEntry(platform: () => Platform, scripts: (spell: Spell, over: AbortSignal) => Scripts): Entry {
  const host = once(platform);
  /** Calls without a configuration of their own share one spell, and so its models. */
  const shared = once(() => createSpell({ platform: host(), scripts }));
  const spellOf = ({ platform: own, ...given }: SpellOptions): Spell =>
    own === undefined && Object.values(given).every((value) => value === undefined)
      ? shared()
      : createSpell({ ...given, platform: own ?? host(), scripts });
  return {
    async load(source, all = {}) {
      const { profile, config, env, platform: own, ...options } = asOptions(all);
      return spellOf({ profile, config, env, platform: own }).load(source, options);
    },
    async generate<O extends SpellGenerateOptions & ConfigOptions>(source: ModelSource | undefined, prompt: Prompt, all?: O) {
      const { profile, config, env, ...options } = asOptions<SpellGenerateOptions & ConfigOptions>(all ?? {});
      return (await spellOf({ profile, config, env }).generate(source, prompt, options)) as SpellResult<JsonOf<O>>;
    },
    createSpell(all = {}) {
      const { platform: own, ...options } = asOptions(all);
      return createSpell({ ...options, platform: own ?? host(), scripts });
    },
    resolveConfig: (options = {}) => resolveConfig(options, host()),
  };
}
