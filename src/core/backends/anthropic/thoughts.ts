/** Thinking of a step that called tools: the service wants it back unchanged, with its signature, beside the results. It is kept by the id of the call. */
import type { Json } from "../answer-values.ts";

/** Steps that are remembered: those of the agents that run at one time. */
const mostSteps = 256;

export interface Thoughts {
  /** Blocks before the call, as they came. */
  of(callId: string): readonly Json[];
  keep(callId: string, blocks: readonly Json[]): void;
}

export function createThoughts(): Thoughts {
  const kept = new Map<string, readonly Json[]>();
  return {
    of: (id) => kept.get(id) ?? [],
    keep(id, blocks) {
      if (blocks.length === 0) return;
      kept.set(id, blocks);
      const [oldest] = kept.keys();
      if (kept.size > mostSteps && oldest !== undefined) kept.delete(oldest);
    },
  };
}
