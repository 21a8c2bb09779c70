/** Errors of what a configuration should be loaded from. */
import { SpellError } from "../errors.ts";
import { nearest } from "../nearest.ts";
import { labelOf, profileGroups, profileNames } from "./profiles.ts";

/**
 * A profile replaces the files a configuration would come from, so both at once have no meaning.
 * @param profileName to begin a file with
 */
export function configConflict(profile: string, config: string, profileName: string): SpellError {
  return new SpellError("config-conflict", `${profile} and ${config} exclude each other`, {
    hint: "Use only one of them, or begin a file of your own with the profile.",
    actions: [{ kind: "new-config", file: "my.toml", profile: /^[\w-]+$/.test(profileName) ? profileName : "NAME" }],
  });
}

/** With the nearest name and all profiles by category. */
export function unknownProfile(name: string): SpellError {
  const meant = nearest(name, profileNames());
  const shown = JSON.stringify(name.slice(0, 60)).slice(1, -1);
  const groups = profileGroups().map(([category, profiles]) => `  ${category}: ${profiles.map(labelOf).join(", ")}`);
  const isFile = /\.toml$|[/\\]/i.test(name);
  return new SpellError(
    "profile-unknown",
    `Builtin profile '${shown}' not found.${meant === undefined ? "" : ` Did you mean '${meant}'?`}`,
    {
      where: shown,
      hint: `${isFile ? "A file is not a profile: give it as the configuration. " : ""}Profiles:\n${groups.join("\n")}`,
      actions: [{ kind: "list-profiles" }],
      details: meant === undefined ? undefined : { nearest: meant },
    },
  );
}
