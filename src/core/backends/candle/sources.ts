/** The repository behind a spec. */
import { SpellError } from "../../errors.ts";
import { type CatalogueEntry, findEntry } from "../../hub/catalogue.ts";
import type { HfSpec, ModelSpec } from "../../spec/model-spec.ts";
import { asT5Variant, variantsOfT5 } from "./bundled.ts";
import type { CandleContext } from "./context.ts";

export async function asHub(
  context: CandleContext,
  spec: ModelSpec,
): Promise<{ readonly spec: HfSpec; readonly entry?: CatalogueEntry | undefined; readonly variant?: string | undefined } | undefined> {
  if (spec.kind === "hf") return { spec, variant: spec.variant };
  if (spec.kind !== "name") return undefined;
  const entry = findEntry(await context.catalogue(), spec.name);
  if (entry?.source === undefined) return undefined;
  const isT5Form = entry.file === undefined && asT5Variant(spec.variant) !== undefined;
  if (entry.file === undefined && spec.variant !== undefined && !isT5Form) {
    throw new SpellError("model-variant-unknown", `${entry.name} has no variant ${spec.variant}; available: ${variantsOfT5.join(", ")}`, {
      actions: [{ kind: "pull", model: entry.name }],
    });
  }
  return { spec: { kind: "hf", ...entry.source, revision: entry.revision }, entry, variant: isT5Form ? undefined : spec.variant };
}
