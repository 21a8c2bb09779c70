/** Fetches a model, or says that it is here; mends one that is damaged, and gives it another name. */
import { type AliasRecord, aliasKey, type ModelManifest, type StoredModel } from "../../download/manifest.ts";
import { type PullEvent, pullModel } from "../../download/pull.ts";
import { type ErrorCode, SpellError } from "../../errors.ts";
import { totalSize } from "../../formats/byte-source.ts";
import { findEntry } from "../../hub/catalogue.ts";
import { checkModelName, hostsToAllow, type ModelSpec, printModelSpec } from "../../spec/model-spec.ts";
import type { PullOptions, PullResult } from "../models.ts";
import { createPullProgress } from "../pull-progress.ts";
import { bundledModels, checkBundledVariant } from "./bundled.ts";
import { type CandleContext, seconds } from "./context.ts";
import { describe } from "./describe.ts";
import { findPulled } from "./find.ts";
import { foreignSources } from "./foreign.ts";
import { pathOf, sizeOf } from "./installed.ts";
import { planPull } from "./plan.ts";
import { notesOf } from "./record-of.ts";

export async function pull(context: CandleContext, spec: ModelSpec, options: PullOptions): Promise<PullResult> {
  const { force, signal, onEvent } = options;
  const as = options.as === undefined ? undefined : checkModelName(options.as);
  if (as !== undefined && (bundledModels.has(as.toLowerCase()) || findEntry(await context.catalogue(), as) !== undefined)) {
    throw new SpellError("usage-value", `as ${as}: the catalogue has a model of this name`, { where: "as", hint: "Choose another name." });
  }
  const bundled = spec.kind === "name" ? bundledModels.get(spec.name.toLowerCase()) : undefined;
  if (spec.kind === "name" && bundled !== undefined) {
    checkBundledVariant(spec.name, bundled, spec.variant);
    return present({
      modelId: spec.name.toLowerCase(),
      bytesTotal: totalSize(bundled.files),
      files: bundled.files.length,
      verified: "sha256",
    });
  }
  const progress = createPullProgress(context.network.clock, options.onProgress);
  if (force !== true) {
    const there = await findPulled(context, spec);
    if (there !== undefined) {
      await noteUse(context, there);
      await nameIt(context, as, there);
      return progress.end(present(factsOf(context, there.manifest)));
    }
  }
  const name = printModelSpec(spec);
  const plan = await planPull(context, spec, options).catch((error: unknown) => {
    throw error instanceof SpellError && error.actions.length === 0 ? withPull(error, name, options) : error;
  });
  const before = await context.platform.store.readManifest(plan.key).catch(() => undefined);
  let fetched = 0;
  const tell = (event: PullEvent): void => {
    const id = plan.id;
    if (event.type === "download-start") progress.tell({ modelId: id, status: "starting", bytes: 0, total: event.totalBytes });
    else if (event.type === "download-progress")
      progress.tell({ modelId: id, status: "downloading", bytes: event.bytes, total: event.totalBytes });
    else if (event.type === "download-verify") progress.tell({ modelId: id, status: "verifying" });
    else if (event.type === "download-end") fetched = event.fetchedBytes;
    onEvent?.(event);
  };
  const manifest = await pullModel(plan, context.platform.store, context.network, {
    maxParallel: context.settings.maxParallel,
    force,
    signal,
    now: seconds(context),
    describe,
    onEvent: tell,
  }).catch((error: unknown) => {
    progress.tell({ modelId: plan.id, status: "failed" });
    throw error instanceof SpellError ? withPull(error, name, options, plan.id) : error;
  });
  if (fetched > 0) await context.platform.store.persist();
  await nameIt(context, as, { key: plan.key, manifest, aliases: [] });
  return progress.end({
    ...present(factsOf(context, manifest)),
    bytesDownloaded: fetched,
    alreadyPresent: before !== undefined && fetched === 0,
  });
}

type Facts = Pick<PullResult, "modelId" | "bytesTotal" | "files" | "verified" | "path" | "quantization" | "notes">;

function present(facts: Facts): PullResult {
  return { ...facts, backend: "candle", status: "complete", percentComplete: 100, bytesDownloaded: 0, alreadyPresent: true };
}

function factsOf({ platform: { store } }: CandleContext, manifest: ModelManifest): Facts {
  const [first] = manifest.files;
  return {
    modelId: manifest.id,
    bytesTotal: sizeOf(manifest),
    files: manifest.files.length,
    path: pathOf(manifest, store),
    quantization: manifest.quantization,
    notes: notesOf(manifest, first?.path),
    verified: manifest.verified,
  };
}

/** A model of another tool is one of the store's from now on. */
async function noteUse(context: CandleContext, { key, manifest }: StoredModel): Promise<void> {
  const { store } = context.platform;
  if (foreignSources.has(manifest.source) && (await store.readManifest(key)) === undefined)
    await store.writeManifest(key, { ...manifest, created_at: seconds(context) });
}

async function nameIt(context: CandleContext, as: string | undefined, { key, manifest }: StoredModel): Promise<void> {
  if (as === undefined || key[0] === "as") return;
  await context.platform.store.writeManifest(aliasKey(as), { schema: 1, alias: as, target: key, id: manifest.id } satisfies AliasRecord);
}

/** The same pull would meet them again. */
const unmoved: ReadonlySet<ErrorCode> = new Set(["net-gated", "net-auth", "net-not-found", "net-redirect"]);

/** The pull that goes on, and how far it is. */
function withPull(error: SpellError, model: string, { allowHosts = [] }: PullOptions, modelId?: string): SpellError {
  const [kept, total] = [error.details?.["keptBytes"], error.details?.["totalBytes"]];
  const isPart = typeof kept === "number" && typeof total === "number" && kept > 0 && total > 0;
  const host = error.details?.["allowHost"];
  const asked = typeof host === "string" ? [host] : [];
  const hosts = [...new Set([...(hostsToAllow(model) ?? []), ...allowHosts, ...asked])];
  const repeats = asked.length > 0 || (error.code.startsWith("net-") && !unmoved.has(error.code));
  return error.with({
    hint: isPart ? `The same pull continues at ${Math.floor((100 * kept) / total)}%.` : error.hint,
    actions: repeats ? [{ kind: "pull", model, ...(hosts.length > 0 && { allowHosts: hosts }) }] : error.actions,
    details: modelId === undefined ? undefined : { modelId },
  });
}
