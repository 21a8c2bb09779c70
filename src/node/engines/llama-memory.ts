/**
 * What a model and its contexts take of memory, on the processor. node-llama-cpp finds it out by loading the vocabulary once more for the model and
 * once more for each context, which takes 0.15 s each time where it has 49,152 tokens. Its own reckoning from the header says the same of a model that
 * has no GPU to be divided with; of a context it is right by a third or so, which does where memory is not short.
 */
import { freemem } from "node:os";
import type { GgufInsights } from "node-llama-cpp";

type Memory = ReturnType<GgufInsights["estimateContextResourceRequirements"]>;

/** times the reckoned memory of a context that must be free; with less, it is tried */
const enough = 2;

/**
 * Models loaded from here on are reckoned.
 * @param insights the prototype
 * @returns puts back what was there
 */
export function reckonModels(
  insights: Pick<GgufInsights, "estimateModelResourceRequirements" | "estimateModelResourceRequirementsV2">,
): () => void {
  const tried = insights.estimateModelResourceRequirementsV2;
  insights.estimateModelResourceRequirementsV2 = async function (options) {
    return this.estimateModelResourceRequirements(options);
  };
  return () => {
    insights.estimateModelResourceRequirementsV2 = tried;
  };
}

/**
 * Contexts of one model are reckoned where memory is plenty.
 * @param free bytes; tests hand in their own
 */
export function reckonContexts(
  insights: Pick<GgufInsights, "estimateContextResourceRequirements" | "estimateContextResourceRequirementsV2">,
  free: () => number = freeMemory,
): void {
  const tried = insights.estimateContextResourceRequirementsV2;
  insights.estimateContextResourceRequirementsV2 = async (options): Promise<Memory> => {
    const reckoned = reckon(() =>
      insights.estimateContextResourceRequirements({ ...options, flashAttention: options.flashAttention !== false }),
    );
    return reckoned !== undefined && reckoned.cpuRam * enough <= free() ? reckoned : tried.call(insights, options);
  };
}

/** @returns undefined for a family of models that cannot be reckoned */
function reckon(memory: () => Memory): Memory | undefined {
  try {
    return memory();
  } catch {
    return undefined;
  }
}

function freeMemory(): number {
  return process.availableMemory?.() ?? freemem();
}
