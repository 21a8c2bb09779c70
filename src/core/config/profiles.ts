/** Built-in profiles by name. */
import { SpellError } from "../errors.ts";
import { nearest } from "../nearest.ts";
import { type BuiltinProfile, builtinProfiles } from "./builtins.generated.ts";

/** @throws SpellError profile-unknown, with the nearest name and all profiles by category */
export function findProfile(name: string): BuiltinProfile {
  const typed = name.toLowerCase();
  const found = builtinProfiles.find((profile) => profile.name === typed || profile.aliases.includes(typed));
  if (found !== undefined) return found;
  const meant = nearest(
    name,
    builtinProfiles.flatMap((profile) => [profile.name, ...profile.aliases]),
  );
  const shown = JSON.stringify(name.slice(0, 60)).slice(1, -1);
  throw new SpellError(
    "profile-unknown",
    `Builtin profile '${shown}' not found.${meant === undefined ? "" : ` Did you mean '${meant}'?`}`,
    {
      where: shown,
      hint: `Profiles:\n${profileGroups()
        .map(([category, profiles]) => `  ${category}: ${profiles.map(labelOf).join(", ")}`)
        .join("\n")}`,
      commands: ["llmspell config list-profiles"],
      ...(meant === undefined ? {} : { details: { nearest: meant } }),
    },
  );
}

/** @returns whether a word is the name of a built-in profile, for offers */
export function isProfile(name: string): boolean {
  return builtinProfiles.some((profile) => profile.name === name);
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
