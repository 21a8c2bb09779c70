/** Limits that a program or a script narrows for itself. */
import { SpellError } from "../errors.ts";
import type { RagLimits } from "./types.ts";

/** Each limit is the narrower of both. @throws SpellError rag-input */
export function narrower(old: RagLimits, given: RagLimits): RagLimits {
  const known = ["topK", "maxContextTokens", "maxDocuments", "threshold"] as const;
  const made: Record<string, number> = {};
  for (const name of known) {
    const [before, asked] = [old[name], given[name]];
    if (asked !== undefined && !(Number.isFinite(asked) && (name === "threshold" || asked >= 1)))
      throw new SpellError("rag-input", `${name}: expected a number, got ${JSON.stringify(asked)}`, { where: name });
    const both = [before, asked].filter((value) => value !== undefined);
    if (both.length > 0) made[name] = name === "threshold" ? Math.max(...both) : Math.min(...both);
  }
  return made;
}
