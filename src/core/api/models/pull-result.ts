/** The end of a pull, as programs read it. */
import { type BundledModel, checkBundledVariant } from "../../backends/candle.ts";
import { sizeOf } from "../../backends/installed.ts";
import type { ModelManifest } from "../../download/manifest.ts";
import { totalSize } from "../../formats/byte-source.ts";
import type { ModelContext } from "./context.ts";
import type { PullResult } from "./records.ts";

export function resultOf(context: ModelContext, manifest: ModelManifest, alreadyPresent: boolean, fetched: number): PullResult {
  const path =
    manifest.files[0]?.external ??
    (manifest.files[0]?.blob === undefined ? undefined : `${context.platform.store.place}/blobs/${manifest.files[0].blob}`);
  return {
    model_id: manifest.id,
    backend: "candle",
    status: "complete",
    percent_complete: 100,
    bytes_downloaded: fetched,
    bytes_total: sizeOf(manifest),
    files: manifest.files.length,
    path,
    verified: manifest.verified,
    already_present: alreadyPresent,
  };
}

/** @throws SpellError model-variant-unknown */
export function bundledResult(name: string, model: BundledModel, variant: string | undefined): PullResult {
  checkBundledVariant(name, model, variant);
  return {
    model_id: name,
    backend: "candle",
    status: "complete",
    percent_complete: 100,
    bytes_downloaded: 0,
    bytes_total: totalSize(model.files),
    files: model.files.length,
    verified: "sha256",
    already_present: true,
  };
}

/** @returns with one decimal; 0 where nobody knows the whole */
export function percent(bytes: number, total: number | undefined): number {
  return total === undefined || total === 0 ? 0 : Math.min(100, Math.round((1000 * bytes) / total) / 10);
}

/** Between two reports of progress. */
export const progressMs = 500;
