/** What a pull would do: which files, from where, how much of them is here, how long it takes, and whether the model would run. Unknown values are absent. */
import { listStored } from "../../download/manifest.ts";
import { hostOf, type PullPlan } from "../../download/pull.ts";
import { SpellError } from "../../errors.ts";
import { totalSize } from "../../formats/byte-source.ts";
import type { ModelSpec } from "../../spec/model-spec.ts";
import type { OfferOptions } from "../backend.ts";
import type { ExpectedTime, PullOffer } from "../models.ts";
import { bundledModels, checkBundledVariant } from "./bundled.ts";
import type { CandleContext } from "./context.ts";
import { findPulled } from "./find.ts";
import { lookAhead, onceHere, openPlan } from "./info.ts";
import { sizeOf } from "./installed.ts";
import { filesOfModel } from "./layout.ts";
import { planPull } from "./plan.ts";
import { readModel } from "./read.ts";

/** @throws SpellError net-*, model-*, spec-*; model-*, gguf-*, safetensors-*, tokenizer-* for what would not run, where it looks ahead */
export async function offer(
  context: CandleContext,
  spec: ModelSpec,
  options: OfferOptions,
  looksAhead: boolean,
): Promise<Omit<PullOffer, "spec">> {
  const backend = "candle";
  const bundled = spec.kind === "name" ? bundledModels.get(spec.name.toLowerCase()) : undefined;
  if (spec.kind === "name" && bundled !== undefined) {
    checkBundledVariant(spec.name, bundled, spec.variant);
    return { id: spec.name.toLowerCase(), backend, sizeBytes: totalSize(bundled.files), missingBytes: 0 };
  }
  const there = options.force === true ? undefined : await findPulled(context, spec);
  if (there !== undefined) return { id: there.manifest.id, backend, sizeBytes: sizeOf(there.manifest), missingBytes: 0 };
  const plan = await planPull(context, spec, options);
  let size: number | undefined = 0;
  let missing: number | undefined = 0;
  for (const file of plan.files) {
    const bytes = file.kind === "remote" ? file.remote.size : file.external.source.size;
    size = size === undefined || bytes === undefined ? undefined : size + bytes;
    const isHere =
      file.kind === "external" ||
      (file.remote.sha256 !== undefined && (await context.platform.store.lookBlob(`sha256:${file.remote.sha256}`)) !== undefined);
    if (!isHere) missing = missing === undefined || bytes === undefined ? undefined : missing + bytes;
  }
  const planned = {
    id: plan.id,
    backend,
    plan,
    sizeBytes: size,
    missingBytes: missing,
    expected: await expectedTime(context, plan, missing),
  };
  if (!looksAhead) return planned;
  const [fit, space] = await Promise.all([fitOf(context, plan, options), context.platform.store.space().catch(() => undefined)]);
  return { ...planned, ...fit, freeBytes: space?.free };
}

async function fitOf(context: CandleContext, plan: PullPlan, options: OfferOptions): Promise<Pick<PullOffer, "fits" | "contextLength">> {
  try {
    const files = await filesOfModel(plan.id, await openPlan(context, plan, options.signal));
    const found = await readModel(files, options.signal);
    const { fits, contextLength } = await lookAhead(context, onceHere(context, found), options);
    return fits === null ? {} : { fits, contextLength };
  } catch (error) {
    // A server without ranges tells nothing; what will not run is told now.
    if (!(error instanceof SpellError) || /^(model|gguf|safetensors|tokenizer|run)-/.test(error.code)) throw error;
    return {};
  }
}

/** Earlier pulls whose rate counts. */
const latestPulls = 5;

/** By the rate of the latest pulls from the same host. @returns undefined where this store remembers none */
async function expectedTime(
  { platform }: CandleContext,
  files: PullPlan,
  missingBytes: number | undefined,
): Promise<ExpectedTime | undefined> {
  const host = hostOf(files);
  if (host === undefined || missingBytes === undefined || missingBytes === 0) return undefined;
  const { models } = await listStored(platform.store);
  const rates = models
    .flatMap(({ manifest: { transfer, created_at } }) => (transfer?.host === host ? [{ ...transfer, created_at }] : []))
    .sort((a, b) => b.created_at - a.created_at)
    .slice(0, latestPulls);
  const [bytes, ms] = [rates.reduce((sum, rate) => sum + rate.bytes, 0), rates.reduce((sum, rate) => sum + rate.ms, 0)];
  if (ms === 0) return undefined;
  const bytesPerSecond = (bytes * 1000) / ms;
  return { host, bytesPerSecond, seconds: missingBytes / bytesPerSecond };
}
