/** What the parts of LocalLLM share: the host, the settings, the catalogue, and the models that are loaded. */

import { type LoadDefaults, usualLoad } from "../../backends/candle-settings.ts";
import { createOllamaClient, type OllamaClient } from "../../backends/ollama.ts";
import { realClock } from "../../download/clock.ts";
import type { Network } from "../../download/request.ts";
import { type CatalogueEntry, readCatalogue } from "../../hub/catalogue.ts";
import type { Platform } from "../../platform.ts";
import type { LanguageModel } from "../../spec/language-model.ts";
import { defaultModelSettings, type ModelSettings } from "../../spec/model-settings.ts";
import { type ModelSpec, parseModelSpec } from "../../spec/model-spec.ts";
import { definedOnly } from "../../values.ts";

export interface LocalLlmOptions {
  readonly platform: Platform;
  readonly settings?: Partial<ModelSettings> | undefined;
  /** Defaults of a load; those of the provider candle. */
  readonly defaults?: LoadDefaults | undefined;
  /** default: the platform's own, in real time */
  readonly network?: Network | undefined;
  /** milliseconds since the epoch */
  readonly wallTime?: (() => number) | undefined;
  /** where a provider can be declared, for advice; default llmspell.toml */
  readonly configFile?: string | undefined;
}

export interface ModelContext {
  readonly platform: Platform;
  readonly settings: ModelSettings;
  readonly network: Network;
  readonly ollama: OllamaClient;
  /** defaults of a load */
  readonly usual: LoadDefaults;
  /** milliseconds since the epoch */
  readonly wallTime: () => number;
  readonly configFile: string;
  /** read once */
  readonly catalogue: () => Promise<readonly CatalogueEntry[]>;
  /** by spec and device */
  readonly loaded: Map<string, LoadedModel>;
}

export function createContext({
  platform,
  settings: given,
  network: givenNetwork,
  wallTime = Date.now,
  configFile = "llmspell.toml",
  defaults = usualLoad,
}: LocalLlmOptions): ModelContext {
  const settings: ModelSettings = { ...defaultModelSettings, ...definedOnly(given ?? {}) };
  const network: Network = givenNetwork ?? {
    fetch: platform.fetch,
    clock: realClock(platform.now),
    lookup: platform.lookup,
  };
  let entries: Promise<readonly CatalogueEntry[]> | undefined;
  return {
    platform,
    settings,
    network,
    ollama: createOllamaClient(network, settings),
    usual: defaults,
    wallTime,
    configFile,
    catalogue: () => {
      entries ??= readCatalogue(settings.catalogue);
      return entries;
    },
    loaded: new Map(),
  };
}

/** A model that calls share. */
export interface LoadedModel {
  readonly opening: Promise<LanguageModel>;
  /** known once it is open */
  id?: string | undefined;
}

export function isLoaded({ loaded }: ModelContext, id: string): boolean {
  return [...loaded.values()].some((model) => model.id === id);
}

/** @returns seconds since the epoch */
export function seconds({ wallTime }: ModelContext): number {
  return Math.floor(wallTime() / 1000);
}

/** @throws SpellError spec-syntax, spec-host */
export function parse(text: string, allowHosts?: readonly string[]): ModelSpec {
  return parseModelSpec(text, { providers: [], allowHosts });
}
