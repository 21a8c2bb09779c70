/** The library offers commands of its own; a person's own command, under the profile that helps, is the nearer one. */
import { SpellError } from "../../core/errors.ts";
import { shellQuote } from "./args.ts";

/** @returns the error, with the command line it came from under the profile it names */
export function withOwnCommand(error: SpellError, argv: readonly string[]): SpellError {
  const { code, message, hint, where, details } = error;
  const profile = details?.["profile"];
  if (code !== "backend-not-configured" || typeof profile !== "string") return error;
  return new SpellError(code, message, {
    hint,
    commands: [`llmspell -p ${profile} ${withoutSource(argv).map(shellQuote).join(" ")}`],
    ...(where === undefined ? {} : { where }),
    ...(details === undefined ? {} : { details }),
    cause: error,
  });
}

/** A command line without -p and -c. */
function withoutSource(argv: readonly string[]): readonly string[] {
  const kept: string[] = [];
  for (let i = 0; i < argv.length; i++) {
    const word = argv[i] ?? "";
    if (/^(-[pc]|--profile|--config)$/.test(word)) i += 1;
    else if (!/^(-[pc].|--(profile|config)=)/.test(word)) kept.push(word);
  }
  return kept;
}
