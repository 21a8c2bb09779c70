/** What the headers of a set of files say, for its manifest. */

import type { PullOptions } from "../../download/pull.ts";
import { filesOfModel } from "./layout.ts";
import { readModel } from "./read.ts";
import { summarizeModel } from "./summary.ts";

export const describe: PullOptions["describe"] = async (files, signal) => {
  const found = await readModel(await filesOfModel(files[0]?.name ?? "model", files), signal);
  const { format, architecture, quantization, parameterCount, contextLength, license } = summarizeModel(found);
  return {
    format,
    architecture,
    quantization,
    parameter_count: parameterCount ?? 0,
    context_length: contextLength,
    license: license ?? undefined,
  };
};
