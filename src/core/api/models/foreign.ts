/** Files that other tools keep on this machine, and that make a whole model. */
import { variantsOfT5 } from "../../backends/candle.ts";
import { listCached, planRepository, reuseCache } from "../../backends/hub.ts";
import type { InstalledModel } from "../../backends/installed.ts";
import { planRegistry } from "../../backends/ollama-registry.ts";
import { type PullPlan, pullModel } from "../../download/pull.ts";
import type { ModelSpec } from "../../spec/model-spec.ts";
import { type ModelContext, seconds } from "./context.ts";
import { describer } from "./describe.ts";
import { asHub, hubContext } from "./sources.ts";

/** Files of other tools that make a whole model are a model that is here, without being pulled. */
export async function findForeign(context: ModelContext, spec: ModelSpec): Promise<InstalledModel | undefined> {
  if (context.platform.foreign === undefined) return undefined;
  const plan = await planForeign(context, spec).catch(() => undefined);
  if (plan === undefined || plan.files.some(({ kind }) => kind !== "external")) return undefined;
  const manifest = await pullModel(plan, context.platform.store, context.network, {
    maxParallel: 1,
    now: seconds(context),
    describe: describer(context),
  });
  const asked = spec.kind === "name" ? spec.variant : undefined;
  const variant = variantsOfT5.find((form) => form === asked?.toLowerCase());
  return { key: plan.key, manifest, aliases: [], ...(variant === undefined || manifest.format === "gguf" ? {} : { variant }) };
}

export async function planForeign(context: ModelContext, spec: ModelSpec): Promise<PullPlan | undefined> {
  const { foreign } = context.platform;
  if (foreign === undefined) return undefined;
  const asking = hubContext(context, { offline: true });
  if (spec.kind === "ollama") return planRegistry(spec, asking);
  const hub = await asHub(context, spec);
  if (hub === undefined || !context.settings.reuseHfCache) return undefined;
  const listing = await listCached(
    { ...hub.spec, ...(hub.entry?.revision === undefined ? {} : { revision: hub.entry.revision }) },
    foreign,
  );
  return listing === undefined ? undefined : reuseCache(planRepository(listing, hub, asking), hub.spec, asking);
}
