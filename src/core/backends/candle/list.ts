/** Models that are on this machine: of the package, of the store, and of other tools. */
import { listStored } from "../../download/manifest.ts";
import type { ModelRecord } from "../models.ts";
import { bundledModels } from "./bundled.ts";
import type { CandleContext } from "./context.ts";
import { listForeign } from "./foreign.ts";
import { hasAll } from "./installed.ts";
import { recordOf, recordOfBundled } from "./record-of.ts";

export async function list(context: CandleContext): Promise<readonly ModelRecord[]> {
  const bundled = await Promise.all([...bundledModels].map(([name, model]) => recordOfBundled(context, name, model)));
  const { models, damaged } = await listStored(context.platform.store);
  for (const error of damaged) context.platform.log({ level: "warn", message: error.message });
  const foreign = await listForeign(context, models);
  const marked = models.map(async (model) => {
    const record = recordOf(context, model);
    return (await hasAll(context, model)) ? record : { ...record, gone: true as const };
  });
  return [...bundled, ...(await Promise.all(marked)), ...foreign.map((model) => recordOf(context, model))];
}
