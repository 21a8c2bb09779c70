/** Models that other tools keep on this machine, opened where they lie. Nothing of theirs is changed. */

import type { StoredModel } from "../../download/manifest.ts";
import { type DescribedModel, type ExternalFile, manifestFile, manifestOf, modifiedOf, type PullPlan } from "../../download/pull.ts";
import { SpellError } from "../../errors.ts";
import { listCached, planRepository, reuseCache } from "../../hub/hub.ts";
import { type HubListing, type HubWish, wishesOf } from "../../hub/hub-files.ts";
import { planRegistry } from "../../hub/ollama-registry.ts";
import type { ForeignModels } from "../../platform.ts";
import { type ModelSpec, type OllamaSpec, parseModelSpec, printModelSpec } from "../../spec/model-spec.ts";
import { asT5Variant } from "./bundled.ts";
import { type CandleContext, hubContext, seconds } from "./context.ts";
import { describe } from "./describe.ts";
import { isRefusal, openNotes } from "./foreign-notes.ts";
import type { InstalledModel } from "./installed.ts";
import { asHub } from "./sources.ts";

/** Sources that say so, in manifests and lists. */
export const foreignSources: ReadonlySet<string> = new Set(["hf-cache", "ollama-store"]);

/** Files of other tools that make a whole model are a model that is here, without being pulled; from its first use on it has a manifest. */
export async function findForeign(context: CandleContext, spec: ModelSpec): Promise<InstalledModel | undefined> {
  const found = await lookForeign(context, spec);
  if (found === undefined) return undefined;
  const { key, manifest } = found;
  await context.platform.store.writeManifest(key, { ...manifest, created_at: seconds(context) });
  const variant = spec.kind === "name" && manifest.format !== "gguf" ? asT5Variant(spec.variant) : undefined;
  return { ...found, variant };
}

/** As findForeign, and nothing is written down. */
export async function lookForeign(context: CandleContext, spec: ModelSpec): Promise<StoredModel | undefined> {
  if (context.platform.foreign === undefined) return undefined;
  const plan = await planForeign(context, spec).catch(() => undefined);
  return plan === undefined ? undefined : describePlan(plan);
}

export async function planForeign(context: CandleContext, spec: ModelSpec): Promise<PullPlan | undefined> {
  const { foreign } = context.platform;
  if (foreign === undefined) return undefined;
  const asking = hubContext(context, { offline: true });
  if (spec.kind === "registry") return planRegistry(spec, asking);
  const hub = await asHub(context, spec);
  if (hub === undefined || !context.settings.reuseHfCache) return undefined;
  const listing = await listCached({ ...hub.spec, revision: hub.entry?.revision ?? hub.spec.revision }, foreign);
  return listing === undefined ? undefined : planCached(context, listing, hub);
}

/**
 * Complete models of other tools that were not used here yet. Models that cannot run are left out.
 * @param known models of the store, which are not told twice
 */
export async function listForeign(context: CandleContext, known: readonly StoredModel[]): Promise<readonly StoredModel[]> {
  const { foreign } = context.platform;
  if (foreign === undefined) return [];
  const ids = new Set(known.map(({ manifest }) => manifest.id));
  const notes = await openNotes(foreign.notes);
  const found: StoredModel[] = [];
  for (const plan of [...(await plansOfCache(context, foreign)), ...(await plansOfOllama(context, foreign))]) {
    if (ids.has(plan.id)) continue;
    const leaveOut = (why: string): undefined => {
      context.platform.log({ level: "debug", message: `${plan.id} of another tool is left out: ${why}` });
    };
    if (!isTypable(plan.id)) {
      leaveOut("a model is not named so here");
      continue;
    }
    const model = await describePlan(plan, async (files, read) => {
      const note = await notes.describe(files, read);
      return isRefusal(note) ? leaveOut(note.refused) : note;
    }).catch((error: unknown) => {
      if (!(error instanceof SpellError)) throw error;
      return leaveOut(error.message);
    });
    if (model === undefined) continue;
    ids.add(plan.id);
    found.push(model);
  }
  await notes.close();
  return found;
}

/** Whether an id is read as the same model again: file names of others hold characters that mean something in a name. */
function isTypable(id: string): boolean {
  try {
    return printModelSpec(parseModelSpec(id)) === id;
  } catch {
    return false;
  }
}

async function plansOfCache(context: CandleContext, foreign: ForeignModels): Promise<readonly PullPlan[]> {
  if (!context.settings.reuseHfCache) return [];
  const plans: PullPlan[] = [];
  for (const { owner, repo, revision } of await foreign.listHubRepos()) {
    const listing = await listCached({ owner, repo, revision }, foreign);
    if (listing === undefined) continue;
    const named = revision === "main" ? undefined : revision;
    for (const wish of wishesOf(listing, await context.catalogue(), named)) {
      const plan = await planCached(context, listing, wish).catch(() => undefined); // no model, or not all of one
      if (plan !== undefined) plans.push(plan);
    }
  }
  return plans;
}

async function plansOfOllama(context: CandleContext, foreign: ForeignModels): Promise<readonly PullPlan[]> {
  if (!context.settings.reuseOllamaStore) return [];
  const plans: PullPlan[] = [];
  for (const { name, tag } of await foreign.listOllamaModels()) {
    const spec = ollamaSpec(`${name.replace(/^library\//, "")}:${tag}`);
    const plan = spec === undefined ? undefined : await planForeign(context, spec).catch(() => undefined);
    if (plan !== undefined) plans.push(plan);
  }
  return plans;
}

/** @returns undefined if the name is unknown here */
function ollamaSpec(name: string): OllamaSpec | undefined {
  try {
    const spec = parseModelSpec(`ollama:${name}`);
    return spec.kind === "registry" ? spec : undefined;
  } catch {
    return undefined;
  }
}

async function planCached(context: CandleContext, listing: HubListing, wish: HubWish): Promise<PullPlan> {
  const asking = hubContext(context, { offline: true });
  return reuseCache(planRepository(listing, wish, asking), wish.spec, asking);
}

/** Looks at headers, or knows what they say. */
type Look = (files: readonly ExternalFile[], read: () => Promise<DescribedModel>) => Promise<DescribedModel | undefined>;

/** @returns undefined where some of it is not here. @throws SpellError where the files are no model */
async function describePlan(plan: PullPlan, look: Look = (_files, read) => read()): Promise<StoredModel | undefined> {
  const files = plan.files.flatMap((file): readonly ExternalFile[] => (file.kind === "external" ? [file.external] : []));
  if (files.length < plan.files.length) return undefined;
  const described = await look(files, () => describe(files.map(({ source }) => source)));
  if (described === undefined) return undefined;
  const newest = Math.max(0, ...files.map(({ source }) => modifiedOf(source)));
  // What a cache holds of a repository says nothing about what the repository would give.
  const { byDefault: _, ...known } = plan;
  const manifest = manifestOf(known, files.map(manifestFile), described, "size", Math.floor(newest / 1000));
  return { key: plan.key, manifest, aliases: [] };
}
