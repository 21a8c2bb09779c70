/** A profile replaces the files a configuration would come from, so both at once have no meaning. */
import { SpellError } from "../errors.ts";

/** @param profileName to begin a file with */
export function configConflict(profile: string, config: string, profileName: string): SpellError {
  const name = /^[\w-]+$/.test(profileName) ? profileName : "NAME";
  return new SpellError("config-conflict", `${profile} and ${config} exclude each other`, {
    hint: "Use only one of them. To begin a file of your own with a profile:",
    commands: [`llmspell config init --from ${name} --file my.toml`],
  });
}
