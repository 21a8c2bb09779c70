/** Models of the catalogue. No network. */
import { listStored } from "../../download/manifest.ts";
import { type AvailableFilter, type AvailableModel, passes } from "../models.ts";
import { bundledModels, variantsOfT5 } from "./bundled.ts";
import type { CandleContext } from "./context.ts";
import { listForeign } from "./foreign.ts";

export async function available(context: CandleContext, filter: AvailableFilter): Promise<readonly AvailableModel[]> {
  const { models } = await listStored(context.platform.store);
  const installed = [...models, ...(await listForeign(context, models))];
  const here = (name: string): boolean =>
    bundledModels.has(name) || installed.some(({ key }) => key[0] === "catalogue" && key[1] === name.toLowerCase());
  const ours = (await context.catalogue()).map(
    (entry): AvailableModel => ({
      name: entry.name,
      backend: "candle",
      kind: entry.kind,
      variants: entry.file === undefined && entry.kind === "text2text" ? variantsOfT5 : entry.quants,
      defaultVariant: entry.defaultQuant ?? (entry.kind === "text2text" ? "f32" : null),
      sizeBytes: entry.sizeBytes,
      parameterCount: entry.parameterCount,
      license: entry.license,
      description: entry.description,
      prompt: entry.prompt ?? null,
      recommended: entry.recommended,
      installed: here(entry.name),
      spec: entry.name,
      source: entry.source === undefined ? "bundled" : `hf:${entry.source.owner}/${entry.source.repo}`,
    }),
  );
  return ours.filter((model) => passes(model, filter));
}
