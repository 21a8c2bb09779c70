/** A model that is here, in the form of lists. */

import type { ModelManifest, StoredModel } from "../../download/manifest.ts";
import { totalSize } from "../../formats/byte-source.ts";
import { builtinCatalogue, findEntry } from "../../hub/catalogue.ts";
import { contradicts, quantOf } from "../../hub/gguf-names.ts";
import type { ModelRecord } from "../models.ts";
import type { BundledModel } from "./bundled.ts";
import type { CandleContext } from "./context.ts";
import { pathOf, sizeOf } from "./installed.ts";
import { placeOf } from "./layout.ts";
import type { FoundModel } from "./read.ts";
import { summarizeModel } from "./summary.ts";

export function recordOf(context: CandleContext, { manifest, aliases }: StoredModel): ModelRecord {
  return {
    id: manifest.id,
    backend: "candle",
    format: manifest.format,
    architecture: manifest.architecture,
    parameterCount: manifest.parameter_count,
    quantization: manifest.quantization,
    sizeBytes: sizeOf(manifest),
    modifiedAt: manifest.created_at,
    source: manifest.source,
    revision: manifest.revision ?? null,
    license: manifest.license ?? null,
    verified: manifest.verified,
    bundled: false,
    loaded: context.isLoaded(manifest.id),
    path: pathOf(manifest, context.platform.store) ?? null,
    aliases,
  };
}

/** What the name of a model's file says otherwise than its header. The header is right; the name stays what the model is asked for by. */
export function notesOf({ format, quantization }: Pick<ModelManifest, "format" | "quantization">, path = ""): readonly string[] {
  const named = format === "gguf" ? quantOf(path) : undefined;
  if (named === undefined || !contradicts(named, quantization)) return [];
  return [`${path} is named ${named}; its header says ${quantization}, which is what counts`];
}

/** By what was written down when the package was made: a page would have to fetch the files to read their headers. */
export async function recordOfBundled(
  context: CandleContext,
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
    parameterCount: entry?.parameterCount ?? null,
    quantization,
    sizeBytes: totalSize(files),
    modifiedAt: secondsOf(place?.modifiedMs),
    source: "bundled",
    revision: null,
    license: entry?.license ?? null,
    verified: "sha256",
    bundled: true,
    loaded: context.isLoaded(name),
    path: place?.path === undefined ? null : placeOf(kind === "gguf", place.path),
    aliases: [],
  };
}

function secondsOf(ms: number | undefined): number | null {
  return ms === undefined || ms === 0 ? null : Math.floor(ms / 1000);
}

export function recordOfFound(context: CandleContext, found: FoundModel): ModelRecord {
  const { format, architecture, parameterCount, quantization, sizeBytes, license } = summarizeModel(found);
  return {
    id: found.id,
    backend: "candle",
    ...{ format, architecture, parameterCount, quantization, sizeBytes },
    modifiedAt: secondsOf(found.files[0]?.modifiedMs),
    source: found.bundled ? "bundled" : "file",
    revision: null,
    license,
    verified: found.bundled ? "sha256" : "none",
    bundled: found.bundled,
    loaded: context.isLoaded(found.id),
    path: found.files[0]?.path === undefined ? null : placeOf(found.kind === "gguf", found.files[0].path),
    aliases: [],
  };
}
