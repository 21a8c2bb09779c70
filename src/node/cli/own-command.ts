/** The library offers commands of its own; a person's own command, under the profile that helps, is the nearer one. */
import { SpellError } from "../../core/errors.ts";
import { shellQuote } from "../../core/shell-quote.ts";

/** A longer command line is not worth printing again. */
const longestLine = 300;

/** @returns the command line with one more flag, before what follows --; undefined where it is too long */
export function ownCommand(argv: readonly string[], flag: string): string | undefined {
  const [flags, text] = atDashes(argv);
  const own = line([...flags, flag, ...text]);
  return own.length <= longestLine ? `llmspell ${own}` : undefined;
}

/** @returns the error, with the command line it came from: under the profile it names, on the processor, or once more */
export function withOwnCommand(error: SpellError, argv: readonly string[]): SpellError {
  const { code, details } = error;
  const source = sourceOf(argv);
  // Models are managed in the store, and with the servers, of the same configuration.
  if (source !== "" && error.commands.some((command) => command.startsWith(managing))) {
    const commands = error.commands.map((command) =>
      command.startsWith(managing) ? command.replace("llmspell", `llmspell ${source}`) : command,
    );
    return withCommands(error, commands);
  }
  const profile = details?.["profile"];
  if (code === "backend-not-configured" && typeof profile === "string") {
    return withCommands(error, [`llmspell -p ${profile} ${line(without(argv, sourceFlags))}`]);
  }
  const isAnswer = argv.includes("generate") || argv.includes("chat");
  if (isAnswer && code.startsWith("device-") && line(argv).length <= longestLine) {
    const others = error.commands.filter((command) => !command.includes("--device cpu"));
    const [flags, text] = atDashes(without(argv, deviceFlag));
    return withCommands(error, [...others, `llmspell ${line([...flags, "--device", "cpu", ...text])}`]);
  }
  if (code.startsWith("net-") && error.retryable && error.commands.length === 0 && line(argv).length <= longestLine) {
    return withCommands(error, [`llmspell ${line(argv)}`]);
  }
  return error;
}

function withCommands(error: SpellError, commands: readonly string[]): SpellError {
  const { code, message, hint, where, details } = error;
  return new SpellError(code, message, {
    hint,
    commands,
    where,
    details,
    cause: error,
  });
}

function line(words: readonly string[]): string {
  return words.map(shellQuote).join(" ");
}

/** What follows -- are no flags. */
function atDashes(argv: readonly string[]): readonly [readonly string[], readonly string[]] {
  const at = argv.indexOf("--");
  return at < 0 ? [argv, []] : [argv.slice(0, at), argv.slice(at)];
}

/** A flag with its value, in the forms it may have. */
interface ValueFlag {
  readonly alone: RegExp;
  readonly joined: RegExp;
}

const sourceFlags: ValueFlag = { alone: /^(-[pc]|--profile|--config)$/, joined: /^(-[pc].|--(profile|config)=)/ };
const deviceFlag: ValueFlag = { alone: /^--device$/, joined: /^--device=/ };

/** How commands begin that go by the configuration. */
const managing = "llmspell model ";

/** The flags of a command line that say what to load. */
function sourceOf(argv: readonly string[]): string {
  const [flags] = atDashes(argv);
  const kept = flags.filter(
    (word, i) => sourceFlags.joined.test(word) || sourceFlags.alone.test(word) || sourceFlags.alone.test(flags[i - 1] ?? ""),
  );
  return line(kept);
}

/** A command line without some flags. */
function without(argv: readonly string[], { alone, joined }: ValueFlag): readonly string[] {
  const [flags, text] = atDashes(argv);
  const kept: string[] = [];
  for (let i = 0; i < flags.length; i++) {
    const word = flags[i] ?? "";
    if (alone.test(word)) i += 1;
    else if (!joined.test(word)) kept.push(word);
  }
  return [...kept, ...text];
}
