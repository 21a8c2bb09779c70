/** A LocalLlm over a folder: its own store, other tools' folders beside it, the scripted hub, and a quick clock. */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { createLocalLlm, type LocalLlm } from "../../../src/core/api/local-llm.ts";
import type { LogEntry, Platform } from "../../../src/core/platform.ts";
import type { ModelSettings } from "../../../src/core/spec/model-settings.ts";
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

export interface LocalLlmParts {
  readonly folder: string;
  /** of hub and registry */
  readonly url: string;
  readonly logged?: LogEntry[];
  readonly settings?: Partial<ModelSettings>;
  readonly more?: Partial<Platform>;
}

export function openLocalLlm({ folder, url, logged, settings, more }: LocalLlmParts): {
  readonly llm: LocalLlm;
  readonly platform: Platform;
} {
  const platform: Platform = {
    ...memoryPlatform({ log: (entry) => logged?.push(entry) }),
    fetch,
    files: { available: true, value: nodeFiles() },
    store: fsArtifactStore(join(folder, "models")),
    foreign: nodeForeignModels({ HF_HUB_CACHE: join(folder, "hf"), OLLAMA_MODELS: join(folder, "ollama") }),
    freeMemory: () => 8e9,
    bundled: (model, file) => openFileSource(join(modelFolder, model, file)),
    ...more,
  };
  const network = { fetch: platform.fetch, clock: quickClock() };
  const places = { hfEndpoint: url, ollamaRegistry: url, ollamaBaseUrl: "http://127.0.0.1:9" };
  return { platform, llm: createLocalLlm({ platform, network, settings: { ...places, backends: ["candle"], ...settings } }) };
}
