/** A model that is here, in the form of lists. */
import type { FoundModel } from "../../backends/candle.ts";
import { sizeOf } from "../../backends/installed.ts";
import type { OllamaModel } from "../../backends/ollama.ts";
import { summarizeModel } from "../../backends/summary.ts";
import type { StoredModel } from "../../download/manifest.ts";
import { modifiedOf } from "../../download/pull.ts";
import { isLoaded, type ModelContext } from "./context.ts";
import type { ModelRecord } from "./records.ts";

export function recordOf(context: ModelContext, { manifest, aliases }: StoredModel): ModelRecord {
  const [file] = manifest.files;
  return {
    id: manifest.id,
    backend: "candle",
    format: manifest.format,
    architecture: manifest.architecture,
    parameter_count: manifest.parameter_count,
    quantization: manifest.quantization,
    size_bytes: sizeOf(manifest),
    modified_at: manifest.created_at,
    source: manifest.source,
    revision: manifest.revision ?? null,
    license: manifest.license ?? null,
    verified: manifest.verified,
    bundled: false,
    loaded: isLoaded(context, manifest.id),
    path: file?.external ?? (file?.blob === undefined ? null : `${context.platform.store.place}/blobs/${file.blob}`),
    aliases,
  };
}

export function recordOfFound(context: ModelContext, found: FoundModel): ModelRecord {
  const facts = summarizeModel(found);
  const modified = modifiedOf(found.files[0] ?? { name: "", size: 0, read: () => Promise.reject(new Error()) });
  return {
    id: found.id,
    backend: "candle",
    format: facts.format as ModelRecord["format"],
    architecture: facts.architecture,
    parameter_count: facts.parameterCount ?? null,
    quantization: facts.quantization,
    size_bytes: facts.sizeBytes,
    modified_at: modified === 0 ? null : Math.floor(modified / 1000),
    source: found.bundled ? "bundled" : "file",
    revision: null,
    license: facts.license ?? null,
    verified: found.bundled ? "sha256" : "none",
    bundled: found.bundled,
    loaded: isLoaded(context, found.id),
    path: found.files[0]?.path ?? null,
    aliases: [],
  };
}

export function recordOfOllama(model: OllamaModel): ModelRecord {
  return {
    id: `${model.name}@ollama`,
    backend: "ollama",
    format: "ollama",
    architecture: model.family ?? null,
    parameter_count: model.parameterCount ?? null,
    quantization: model.quantization ?? null,
    size_bytes: model.sizeBytes,
    modified_at: model.modifiedAt ?? null,
    source: "ollama",
    revision: model.digest?.slice(0, 12) ?? null,
    license: null,
    verified: "sha256",
    bundled: false,
    loaded: false,
    path: null,
    aliases: [],
  };
}
