/** How something that the configuration switches off is switched on. */
import type { Action } from "../spec/action.ts";

/** `rag.enabled` to `LLMSPELL_RAG_ENABLED`. */
export function variableOf(path: string): string {
  return `LLMSPELL_${path.toUpperCase().replace(/[.-]/g, "_")}`;
}

/** By a built-in profile, or by a variable, beside which the rest of the configuration stays. */
export function switchOn(key: string, profile: string): readonly Action[] {
  return [
    { kind: "use-profile", profile },
    { kind: "set-variable", name: variableOf(key), value: "true" },
  ];
}
