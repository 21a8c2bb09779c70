/** A LocalLlm over a folder: its own store, other tools' folders beside it, the scripted hub, and a quick clock. */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Models } from "../../../src/core/api/models.ts";
import { createSpell, type Spell } from "../../../src/core/api/spell.ts";
import type { ConfigInput } from "../../../src/core/config/config.generated.ts";
import type { ModelSettings } from "../../../src/core/hub/settings.ts";
import type { LogEntry, Platform } from "../../../src/core/platform.ts";
import { memoryPlatform } from "../../../src/core/testing/memory-platform.ts";
import { openFileSource } from "../../../src/node/file-source.ts";
import { nodeFiles } from "../../../src/node/files.ts";
import { nodeForeignModels } from "../../../src/node/store/foreign-models.ts";
import { fsArtifactStore } from "../../../src/node/store/fs-artifact-store.ts";
import { quickClock } from "../../support/quick-clock.ts";
import { root } from "../../support.ts";

export const modelFolder = join(root, "builtins/models");
export const tinyGguf = readFileSync(join(modelFolder, "tiny-stories/tiny-stories.gguf"));
export const tinyT5: Readonly<Record<string, Buffer>> = Object.fromEntries(
  ["config.json", "generation_config.json", "tokenizer.json", "tokenizer_config.json", "model.safetensors"].map((name) => [
    name,
    readFileSync(join(modelFolder, "tiny-t5-en-fr", name)),
  ]),
);

export const sha256 = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");

/** What tests set; the rest is as without any configuration. */
export interface ModelTestSettings extends Partial<Omit<ModelSettings, "hfEndpoint" | "ollamaRegistry">> {
  /** types of providers that are declared; default: candle */
  readonly backends?: readonly ("candle" | "ollama")[];
  /** default: an address where no server listens */
  readonly ollamaBaseUrl?: string;
  readonly ollama?: Readonly<Record<string, unknown>>;
  /** text of an additional models.toml */
  readonly catalogue?: string;
}

export interface LocalLlmParts {
  readonly folder: string;
  /** of hub and registry */
  readonly url: string;
  readonly logged?: LogEntry[];
  readonly settings?: ModelTestSettings;
  readonly more?: Partial<Platform>;
}

export function openLocalLlm({ folder, url, logged, settings = {}, more }: LocalLlmParts): {
  readonly llm: Models & Pick<Spell, "generate" | "load">;
  readonly spell: Spell;
  readonly platform: Platform;
} {
  const { backends = ["candle"], ollamaBaseUrl = "http://127.0.0.1:9", hfToken, catalogue } = settings;
  const platform: Platform = {
    ...memoryPlatform({ log: (entry) => logged?.push(entry) }),
    fetch,
    files: { available: true, value: nodeFiles() },
    store: fsArtifactStore(join(folder, "models")),
    foreign: nodeForeignModels({ HF_HUB_CACHE: join(folder, "hf"), OLLAMA_MODELS: join(folder, "ollama") }),
    freeMemory: () => 8e9,
    bundled: (model, file) => openFileSource(join(modelFolder, model, file)),
    config: {
      hubToken: hfToken,
      readFile: async (path) => ({ path, folder, text: catalogue ?? "", isPublic: false }),
    },
    ...more,
  };
  const spell = createSpell({
    platform,
    network: { fetch: platform.fetch, clock: quickClock() },
    ollamaRegistry: url,
    config: {
      models: {
        hf_endpoint: url,
        offline: settings.offline,
        allow_hosts: settings.allowHosts,
        reuse_hf_cache: settings.reuseHfCache,
        reuse_ollama_store: settings.reuseOllamaStore,
        max_parallel: settings.maxParallel,
        catalogue: catalogue === undefined ? undefined : "./models.toml",
      },
      providers: {
        candle: { provider_type: "candle", default_quantization: settings.defaultQuantization, enabled: backends.includes("candle") },
        ...(backends.includes("ollama") && { ollama: { provider_type: "ollama", base_url: ollamaBaseUrl, ...settings.ollama } }),
      },
    } as ConfigInput,
    env: {},
  });
  return { platform, spell, llm: { ...spell.models, generate: spell.generate, load: spell.load } };
}
