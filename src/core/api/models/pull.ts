/** Fetches a model, or says that it is here; mends one that is damaged, and gives it another name. */
import { bundledModels } from "../../backends/candle.ts";
import { aliasKey, type StoredModel } from "../../download/manifest.ts";
import { type PullEvent, type PullPlan, pullModel } from "../../download/pull.ts";
import { SpellError } from "../../errors.ts";
import { findEntry } from "../../hub/catalogue.ts";
import { checkModelName } from "../../spec/model-spec.ts";
import { checkOptionNames } from "../../text/check-call.ts";
import { type ModelContext, parse, seconds } from "./context.ts";
import { describer } from "./describe.ts";
import { findPulled } from "./find.ts";
import { foreignSources } from "./foreign.ts";
import { backendOf, didYouMean, withQuantization } from "./names.ts";
import { planCandle } from "./plan.ts";
import { pullOllama } from "./pull-ollama.ts";
import { bundledResult, percent, progressMs, resultOf } from "./pull-result.ts";
import type { PullRequest, PullResult } from "./records.ts";

const optionNames: Readonly<Record<keyof PullRequest, true>> = {
  force: true,
  quantization: true,
  as: true,
  allowHosts: true,
  offline: true,
  signal: true,
  on_progress: true,
  onEvent: true,
};

export async function pull(context: ModelContext, text: string, pulling: PullRequest = {}): Promise<PullResult> {
  checkOptionNames(pulling, Object.keys(optionNames), "pull");
  const spec = withQuantization(parse(text, pulling.allowHosts), pulling.quantization);
  const as = pulling.as === undefined ? undefined : checkModelName(pulling.as);
  if (as !== undefined && (bundledModels.has(as.toLowerCase()) || findEntry(await context.catalogue(), as) !== undefined)) {
    throw new SpellError("usage-value", `--as ${as}: the catalogue has a model of this name`, {
      where: "--as",
      hint: "Choose another name.",
    });
  }
  if ((await backendOf(context, spec)) === "ollama")
    return pullOllama(context, spec, pulling).catch((error: unknown) => didYouMean(context, error, spec));
  const bundled = spec.kind === "name" ? bundledModels.get(spec.name.toLowerCase()) : undefined;
  if (spec.kind === "name" && bundled !== undefined) return bundledResult(spec.name.toLowerCase(), bundled, spec.variant);
  if (pulling.force !== true) {
    const there = await findPulled(context, spec);
    if (there !== undefined) {
      await noteUse(context, there);
      await nameIt(context, as, there);
      const result = resultOf(context, there.manifest, true, 0);
      pulling.on_progress?.(result);
      return result;
    }
  }
  const plan = await planCandle(context, spec, pulling).catch((error: unknown) => {
    throw error instanceof SpellError && error.commands.length === 0 ? withCommand(error, text) : error;
  });
  const before = await context.platform.store.readManifest(plan.key).catch(() => undefined);
  let fetched = 0;
  const progress = progressOf(context, plan, pulling);
  const manifest = await pullModel(plan, context.platform.store, context.network, {
    maxParallel: context.settings.maxParallel,
    force: pulling.force,
    signal: pulling.signal,
    now: seconds(context),
    describe: describer(context),
    onEvent: (event) => {
      if (event.type === "download-end") fetched = event.fetchedBytes;
      progress.event(event);
      pulling.onEvent?.(event);
    },
  }).catch((error: unknown) => {
    progress.fail();
    throw error instanceof SpellError ? withCommand(error, text, plan.id) : error;
  });
  if (fetched > 0) await context.platform.store.persist();
  await nameIt(context, as, { key: plan.key, manifest, aliases: [] });
  const result = resultOf(context, manifest, before !== undefined && fetched === 0, fetched);
  pulling.on_progress?.(result);
  return result;
}

/** A model of another tool is one of the store's from now on. */
async function noteUse(context: ModelContext, { key, manifest }: StoredModel): Promise<void> {
  const { store } = context.platform;
  if (foreignSources.has(manifest.source) && (await store.readManifest(key)) === undefined)
    await store.writeManifest(key, { ...manifest, created_at: seconds(context) });
}

async function nameIt(context: ModelContext, as: string | undefined, { key, manifest }: StoredModel): Promise<void> {
  if (as === undefined || key[0] === "as") return;
  await context.platform.store.writeManifest(aliasKey(as), { schema: 1, alias: as, target: key, id: manifest.id });
}

/** Events in the form of results, about twice a second; every change of status at once. */
function progressOf(context: ModelContext, plan: PullPlan, { on_progress }: PullRequest): PullProgress {
  let told = Number.NEGATIVE_INFINITY;
  let last: PullResult = {
    model_id: plan.id,
    backend: "candle",
    status: "starting",
    percent_complete: 0,
    bytes_downloaded: 0,
    verified: "none",
    already_present: false,
  };
  const tell = (status: PullResult["status"], bytes = last.bytes_downloaded, total = last.bytes_total): void => {
    const isNews = status !== last.status || status === "starting" || context.network.clock.now() - told >= progressMs;
    last = {
      ...last,
      status,
      percent_complete: percent(bytes, total),
      bytes_downloaded: bytes,
      ...(total === undefined ? {} : { bytes_total: total }),
    };
    if (!isNews) return;
    told = context.network.clock.now();
    on_progress?.(last);
  };
  return {
    event(event) {
      if (event.type === "download-start") tell("starting", 0, event.totalBytes);
      else if (event.type === "download-progress") tell("downloading", event.bytes, event.totalBytes);
      else if (event.type === "download-verify") tell("verifying");
    },
    fail: () => tell("failed"),
  };
}

interface PullProgress {
  event(event: PullEvent): void;
  fail(): void;
}

/** The command that goes on, and how far it is. */
function withCommand(error: SpellError, text: string, modelId?: string): SpellError {
  const [kept, total] = [error.details?.["keptBytes"], error.details?.["totalBytes"]];
  const share =
    typeof kept === "number" && typeof total === "number" && kept > 0 && total > 0 ? Math.floor((100 * kept) / total) : undefined;
  const hint = share === undefined ? error.hint : `The same command continues at ${share}%.`;
  const repeats = error.code.startsWith("net-") && !["net-gated", "net-auth", "net-not-found"].includes(error.code);
  const command = `llmspell model pull ${text}`;
  const where = error.where === undefined ? {} : { where: error.where };
  return new SpellError(error.code, error.message, {
    hint,
    commands: repeats ? [command] : error.commands,
    ...where,
    details: { ...error.details, ...(modelId === undefined ? {} : { modelId }) },
    cause: error,
  });
}
