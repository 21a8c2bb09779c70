/** Where the files of a spec come from. */
import { variantsOfT5 } from "../../backends/candle.ts";
import { SpellError } from "../../errors.ts";
import { type CatalogueEntry, findEntry } from "../../hub/catalogue.ts";
import type { HubContext } from "../../hub/hub.ts";
import type { HfSpec, ModelSpec } from "../../spec/model-spec.ts";
import type { ModelContext } from "./context.ts";
import type { PullRequest } from "./records.ts";

export function hubContext({ network, settings, platform }: ModelContext, { allowHosts, signal, offline }: PullRequest): HubContext {
  return {
    network,
    settings: offline === true ? { ...settings, offline: true } : settings,
    foreign: platform.foreign,
    allowHosts,
    signal,
  };
}

/** The repository behind a spec. */
export async function asHub(
  context: ModelContext,
  spec: ModelSpec,
): Promise<{ readonly spec: HfSpec; readonly entry?: CatalogueEntry | undefined; readonly variant?: string | undefined } | undefined> {
  if (spec.kind === "hf") return { spec, variant: spec.variant };
  if (spec.kind !== "name") return undefined;
  const entry = findEntry(await context.catalogue(), spec.name);
  if (entry?.source === undefined) return undefined;
  const isT5Form = entry.file === undefined && variantsOfT5.some((form) => form === spec.variant?.toLowerCase());
  if (entry.file === undefined && spec.variant !== undefined && !isT5Form) {
    throw new SpellError("model-variant-unknown", `${entry.name} has no variant ${spec.variant}; available: ${variantsOfT5.join(", ")}`, {
      commands: [`llmspell model pull ${entry.name}`],
    });
  }
  return {
    spec: { kind: "hf", ...entry.source, ...(entry.revision === undefined ? {} : { revision: entry.revision }) },
    entry,
    variant: spec.variant === undefined || isT5Form ? undefined : spec.variant,
  };
}
