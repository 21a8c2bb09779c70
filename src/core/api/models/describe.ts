/** What the headers of a set of files say, for its manifest. */
import { findModel } from "../../backends/candle.ts";
import { summarizeModel } from "../../backends/summary.ts";
import type { ModelManifest } from "../../download/manifest.ts";
import type { PullOptions } from "../../download/pull.ts";
import type { ModelContext } from "./context.ts";

export function describer({ platform }: ModelContext): PullOptions["describe"] {
  return async (files, signal) => {
    const found = await findModel({ id: files[0]?.name ?? "model", files }, platform, signal);
    const { format, architecture, quantization, parameterCount, contextLength, license } = summarizeModel(found);
    return {
      format: format as ModelManifest["format"],
      architecture,
      quantization,
      parameter_count: parameterCount ?? 0,
      context_length: contextLength,
      license,
    };
  };
}
