/** The files of a model: handed in, of the package, at a path, or installed. What knows the store is imported with the first name that needs it. */
import { SpellError } from "../../errors.ts";
import { isModelSpec, type ModelSpec } from "../../spec/model-spec.ts";
import type { FileSource } from "../backend.ts";
import type { CandleContext } from "./context.ts";
import { filesOfBlobs, filesOfBundled, filesOfPath, type ModelFiles } from "./layout.ts";

/** @throws SpellError model-not-installed, model-unknown, model-*, store-* */
export async function locate(context: CandleContext, source: ModelSpec | FileSource, signal?: AbortSignal): Promise<ModelFiles> {
  if (!isModelSpec(source)) return filesOfBlobs(source);
  if (source.kind === "path")
    return filesOfPath(context.platform, source.path).catch(async (error: unknown) => {
      if (!(error instanceof SpellError) || error.code !== "model-unknown") throw error;
      const { pathOfName } = await import("../unknown-model.ts");
      throw pathOfName(error, source.path, await context.catalogue());
    });
  const bundled = source.kind === "name" ? await filesOfBundled(context.platform, source.name, source.variant) : undefined;
  return bundled ?? (await import("./find.ts")).locateInstalled(context, source, signal);
}
