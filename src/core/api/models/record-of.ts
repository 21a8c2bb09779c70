/** A model that is here, in the form of lists. */
import type { BundledModel, FoundModel } from "../../backends/candle.ts";
import { sizeOf } from "../../backends/installed.ts";
import type { OllamaModel } from "../../backends/ollama.ts";
import { summarizeModel } from "../../backends/summary.ts";
import type { StoredModel } from "../../download/manifest.ts";
import { totalSize } from "../../formats/byte-source.ts";
import { builtinCatalogue, findEntry } from "../../hub/catalogue.ts";
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

/** By what was written down when the package was made: a page would have to fetch the files to read their headers. */
export async function recordOfBundled(
  context: ModelContext,
  name: string,
  { kind, architecture, quantization, files }: BundledModel,
): Promise<ModelRecord> {
  const entry = findEntry(builtinCatalogue(), name);
  const place = await context.platform.lookBundled?.(name, files[0]?.name ?? "");
  return {
    id: name,
    backend: "candle",
    format: kind === "gguf" ? "gguf" : "safetensors",
    architecture,
    parameter_count: entry?.parameterCount ?? null,
    quantization,
    size_bytes: totalSize(files),
    modified_at: secondsOf(place?.modifiedMs),
    source: "bundled",
    revision: null,
    license: entry?.license ?? null,
    verified: "sha256",
    bundled: true,
    loaded: isLoaded(context, name),
    path: placeOf(kind, place?.path),
    aliases: [],
  };
}

/** Of a model of several files: their folder, which is a name for it too. */
function placeOf(kind: FoundModel["kind"], path: string | undefined): string | null {
  if (path === undefined) return null;
  return kind === "gguf" ? path : path.replace(/(\/onnx)?[/\\][^/\\]*$/, "");
}

function secondsOf(ms: number | undefined): number | null {
  return ms === undefined || ms === 0 ? null : Math.floor(ms / 1000);
}

export function recordOfFound(context: ModelContext, found: FoundModel): ModelRecord {
  const facts = summarizeModel(found);
  return {
    id: found.id,
    backend: "candle",
    format: facts.format as ModelRecord["format"],
    architecture: facts.architecture,
    parameter_count: facts.parameterCount ?? null,
    quantization: facts.quantization,
    size_bytes: facts.sizeBytes,
    modified_at: secondsOf(found.files[0]?.modifiedMs),
    source: found.bundled ? "bundled" : "file",
    revision: null,
    license: facts.license ?? null,
    verified: found.bundled ? "sha256" : "none",
    bundled: found.bundled,
    loaded: isLoaded(context, found.id),
    path: placeOf(found.kind, found.files[0]?.path),
    aliases: [],
  };
}

export function recordOfOllama(model: OllamaModel, id: string): ModelRecord {
  return {
    id,
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
