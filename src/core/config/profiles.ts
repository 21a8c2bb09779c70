/** Names of the built-in profiles, for offers and lists. */
import { builtinProfiles } from "./compiled.generated.ts";
import type { BuiltinProfile } from "./key.ts";

/** All long and short names. */
export function profileNames(): readonly string[] {
  return builtinProfiles.flatMap(({ name, aliases }) => [name, ...aliases]);
}

/** Profiles by category, in the order they are listed. */
export function profileGroups(): readonly (readonly [string, readonly BuiltinProfile[]])[] {
  const categories = [...new Set(builtinProfiles.map(({ category }) => category))];
  return categories.map((category) => [category, builtinProfiles.filter((profile) => profile.category === category)]);
}

/** "rag-production (rag-prod)" */
export function labelOf({ name, aliases }: BuiltinProfile): string {
  return aliases.length === 0 ? name : `${name} (${aliases.join(", ")})`;
}
