/** `llmspell completion SHELL`: scripts written from the table of commands. Words only: what stands in them is our own and needs no quoting. */
import { sectionNames } from "../../core/config/keys.ts";
import { profileNames } from "../../core/config/profiles.ts";
import { type Command, commands } from "./commands.ts";
import { keyNames } from "./config-set.ts";
import type { Context } from "./context.ts";
import { type Flag, globalFlags, type Shell } from "./flags.ts";

export async function completion(context: Context): Promise<number> {
  const { operands, screen } = context;
  if (operands[0] === "names") return printNames(context);
  const shell = operands[0] as Shell;
  const script = scripts[shell]();
  screen.writeOwn(script);
  screen.document({ status: "ok", shell, script });
  return 0;
}

/** Models of the catalogue, the package and the store. Only names that mean nothing to a shell: bash expands what it completes. */
async function printNames({ screen, openSpell }: Context): Promise<number> {
  const { models } = await openSpell();
  const [known, { models: installed }] = await Promise.all([models.available({ backend: "candle" }), models.listAll("candle")]);
  const all = [...known.map(({ name }) => name), ...installed.flatMap(({ id, aliases }) => [id, ...aliases])];
  const names = [...new Set(all)].filter((name) => /^[\w.:/@#+-]+$/.test(name));
  screen.writeOwn(names.map((name) => `${name}\n`).join(""));
  screen.document({ status: "ok", names });
  return 0;
}

/** What the scripts ask for the names of models. */
const askNames = "llmspell completion names 2>/dev/null";
const takesModel = (flag: Flag): boolean => flag.name === "model";
const namesModels = ({ operands }: Command): boolean => operands.some(({ name }) => name === "SPEC");
/** Keys as `config set` takes them. */
const namesKeys = ({ operands }: Command): boolean => operands.some(({ name }) => name === "KEY");

const scripts: Readonly<Record<Shell, () => string>> = { bash, zsh, fish, powershell };

const usable = (flags: readonly Flag[]): readonly Flag[] => flags.filter((flag) => flag.later === undefined);
const allFlags = (command: Command): readonly Flag[] => usable([...command.flags, ...globalFlags]);
const words = ({ name, short }: Flag): readonly string[] => (short === undefined ? [`--${name}`] : [`--${name}`, `-${short}`]);
const flagWords = (flags: readonly Flag[]): string => flags.flatMap(words).join(" ");
const firstWords = (): readonly string[] => [
  ...new Set(commands.flatMap(({ name, aliases = [] }) => [name.split(" ")[0] ?? "", ...aliases.filter((alias) => !alias.includes(" "))])),
];
const secondWords = (group: string): readonly string[] =>
  commands.flatMap(({ name }) => (name.startsWith(`${group} `) ? [name.slice(group.length + 1)] : []));
const summaryOf = (word: string): string =>
  commands.find(({ name, aliases }) => name === word || aliases?.includes(word) === true)?.summary ?? `commands of ${word}`;
const groups = (): readonly string[] => firstWords().filter((word) => secondWords(word).length > 0);
const takesPath = (flag: Flag): boolean => takesModel(flag) || flag.value?.startsWith("FILE") === true || flag.value === "PATH";
const backendWords: readonly string[] = ["candle", "local", "ollama", "openai", "anthropic", "all"];
/** Fixed values, and names: a wrong one of these has an error of its own, so they are no choices of the parser. */
const valuesOf = (flag: Flag): readonly string[] | undefined =>
  flag.name === "profile" || flag.name === "from" ? profileNames() : flag.name === "backend" ? backendWords : flag.choices;

/** Every flag with fixed values, each name once: they mean the same everywhere. */
function choiceFlags(): readonly Flag[] {
  const all = commands.flatMap(allFlags).filter((flag) => valuesOf(flag) !== undefined);
  return all.filter((flag, i) => all.findIndex(({ name }) => name === flag.name) === i);
}

function bash(): string {
  return `# bash completion for llmspell; eval "$(llmspell completion bash)"
_llmspell_models() {
  COMPREPLY=($(compgen -W "$(${askNames})" -- "$current") $(compgen -f -- "$current"))
  if declare -F __ltrim_colon_completions >/dev/null; then __ltrim_colon_completions "$current"; fi
}
_llmspell() {
  local current="\${COMP_WORDS[COMP_CWORD]}" previous="\${COMP_WORDS[COMP_CWORD-1]}" command="" word
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    [[ "$word" == -* ]] && continue
    if [[ -z "$command" ]]; then command="$word"; elif [[ "$command" =~ ^(${groups().join("|")})$ ]]; then command="$command $word"; fi
  done
  COMPREPLY=()
  case "$previous" in
${choiceFlags()
  .map((flag) => `    ${words(flag).join("|")}) COMPREPLY=($(compgen -W "${valuesOf(flag)?.join(" ")}" -- "$current")); return ;;`)
  .join("\n")}
    -m|--model) _llmspell_models; return ;;
    ${pathFlagWords()
      .filter((word) => !/^(-m|--model)$/.test(word))
      .join("|")}) COMPREPLY=($(compgen -f -- "$current")); compopt -o filenames 2>/dev/null; return ;;
  esac
  case "$command" in
    "") COMPREPLY=($(compgen -W "${firstWords().join(" ")} ${flagWords(usable(globalFlags))}" -- "$current")) ;;
${groups()
  .map((group) => `    "${group}") COMPREPLY=($(compgen -W "${secondWords(group).join(" ")}" -- "$current")) ;;`)
  .join("\n")}
${commands
  .map((command) => {
    const patterns = [command.name, ...(command.aliases ?? [])].map((name) => `"${name}"`).join("|");
    const offer = `COMPREPLY=($(compgen -W "${[...operandWords(command), flagWords(allFlags(command))].join(" ")}" -- "$current"))`;
    return `    ${patterns}) ${namesModels(command) ? `if [[ "$current" == -* ]]; then ${offer}; else _llmspell_models; fi` : offer} ;;`;
  })
  .join("\n")}
  esac
}
complete -o default -F _llmspell llmspell
`;
}

function pathFlagWords(): readonly string[] {
  return [...new Set(commands.flatMap(allFlags).filter(takesPath).flatMap(words))];
}

function operandWords(command: Command): readonly string[] {
  if (command.name === "help") return firstWords().filter((word) => word !== "help");
  if (command.name === "config show") return sectionNames();
  return namesKeys(command) ? keyNames() : command.operands.flatMap(({ choices }) => choices ?? []);
}

function zsh(): string {
  const describe = (word: string, text: string): string => `'${word}:${zshText(text)}'`;
  const argument = (flag: Flag): string => {
    const values = valuesOf(flag);
    const offer = values !== undefined ? `(${values.join(" ")})` : takesModel(flag) ? "_llmspell_models" : takesPath(flag) ? "_files" : "";
    const text = `[${zshText(flag.description)}]${flag.value === undefined ? "" : `:${flag.value}:${offer}`}`;
    const star = flag.repeated === true ? "*" : "";
    return words(flag)
      .map((word) => `'${star}${word}${text}'`)
      .join(" ");
  };
  const argumentsOf = (command: Command): string => {
    const operand = operandWords(command);
    const last = operand.length > 0 ? `'1:operand:(${operand.join(" ")})'` : namesModels(command) ? "'*:model:_llmspell_models'" : "";
    return [...allFlags(command).map(argument), last].filter((text) => text !== "").join(" ");
  };
  const cases = commands.flatMap((command) => {
    const single = [command.name, ...(command.aliases ?? [])].filter((name) => !name.includes(" "));
    return single.length === 0 ? [] : [`    ${single.join("|")}) _arguments ${argumentsOf(command)} ;;`];
  });
  const groupCases = groups().map((group) => {
    const inside = commands.filter(({ name }) => name.startsWith(`${group} `));
    return `    ${group})
      if (( CURRENT == 2 )); then
        local -a second=(${inside.map(({ name, summary }) => describe(name.slice(group.length + 1), summary)).join(" ")})
        _describe command second
      else
        local subcommand="$words[2]"
        shift words; (( CURRENT-- ))
        case "$subcommand" in
${inside.map((command) => `          ${command.name.slice(group.length + 1)}) _arguments ${argumentsOf(command)} ;;`).join("\n")}
        esac
      fi ;;`;
  });
  const first = firstWords().map((word) => describe(word, summaryOf(word)));
  return `#compdef llmspell
# zsh completion for llmspell; eval "$(llmspell completion zsh)"
_llmspell_models() {
  local -a names=(\${(f)"$(${askNames})"})
  compadd -a names
  _files
}
_llmspell() {
  local -a first=(${first.join(" ")})
  if (( CURRENT == 2 )); then
    _describe command first
    _arguments ${usable(globalFlags).map(argument).join(" ")}
    return
  fi
  local command="$words[2]"
  shift words; (( CURRENT-- ))
  case "$command" in
${[...cases, ...groupCases].join("\n")}
  esac
}
compdef _llmspell llmspell
`;
}

/** Brackets, colons and quotes mean something inside a specification of _arguments. */
function zshText(text: string): string {
  return text.replaceAll("'", "").replace(/[[\]]/g, "").replaceAll(":", "\\:");
}

function fish(): string {
  const quote = (text: string): string => `'${text.replace(/[\\']/g, "\\$&")}'`;
  const flagLine = (condition: string, flag: Flag): string => {
    const { name, short, description } = flag;
    const values = valuesOf(flag);
    const offer =
      values !== undefined
        ? ` -x -a ${quote(values.join(" "))}`
        : takesModel(flag)
          ? ` -r -F -a ${quote(`(${askNames})`)}`
          : takesPath(flag)
            ? " -r -F"
            : " -x";
    const letter = short === undefined ? "" : ` -s ${short}`;
    return `complete -c llmspell${condition} -l ${name}${letter}${flag.value === undefined ? "" : offer} -d ${quote(description)}`;
  };
  const lines = [
    "# fish completion for llmspell; llmspell completion fish > ~/.config/fish/completions/llmspell.fish",
    "complete -c llmspell -f",
    ...firstWords().map((word) => `complete -c llmspell -n __fish_use_subcommand -a ${word} -d ${quote(summaryOf(word))}`),
    ...usable(globalFlags).map((flag) => flagLine("", flag)),
  ];
  for (const command of commands) {
    const [first = "", second] = command.name.split(" ");
    const inside = `__fish_seen_subcommand_from ${first}; and not __fish_seen_subcommand_from ${second}`;
    if (second !== undefined) lines.push(`complete -c llmspell -n '${inside}' -a ${second} -d ${quote(command.summary)}`);
    const condition = ` -n '__fish_seen_subcommand_from ${second ?? first}'`;
    const operand = operandWords(command);
    if (operand.length > 0) lines.push(`complete -c llmspell${condition} -a ${quote(operand.join(" "))}`);
    if (namesModels(command)) lines.push(`complete -c llmspell${condition} -F -a ${quote(`(${askNames})`)}`);
    for (const flag of usable(command.flags)) lines.push(flagLine(condition, flag));
  }
  return `${lines.join("\n")}\n`;
}

function powershell(): string {
  const list = (words: readonly string[]): string => `@(${words.map((word) => `'${word}'`).join(", ")})`;
  const entries = commands.flatMap((command) => {
    const offer = list([...operandWords(command), ...flagWords(allFlags(command)).split(" ")]);
    return [command.name, ...(command.aliases ?? [])].map((name) => `    '${name}' = ${offer}`);
  });
  const groupEntries = groups().map((group) => `    '${group}' = ${list(secondWords(group))}`);
  return `# PowerShell completion for llmspell; llmspell completion powershell | Out-String | Invoke-Expression
Register-ArgumentCompleter -Native -CommandName llmspell -ScriptBlock {
  param($wordToComplete, $commandAst, $cursorPosition)
  $words = @{
    '' = ${list([...firstWords(), ...flagWords(usable(globalFlags)).split(" ")])}
${[...groupEntries, ...entries].join("\n")}
  }
  $values = @{
${choiceFlags()
  .map((flag) => `    '--${flag.name}' = ${list(valuesOf(flag) ?? [])}`)
  .join("\n")}
  }
  $typed = @($commandAst.CommandElements | Select-Object -Skip 1 | ForEach-Object { $_.ToString() })
  if ($wordToComplete -ne '' -and $typed.Count -gt 0) { $typed = @($typed | Select-Object -SkipLast 1) }
  $command = ''
  foreach ($word in $typed) {
    if ($word.StartsWith('-')) { continue }
    if ($command -eq '') { $command = $word } elseif (${list(groups())} -contains $command) { $command = "$command $word" }
  }
  $previous = if ($typed.Count -gt 0) { $typed[-1] } else { '' }
  $offer = if ($previous -in '-m', '--model') { llmspell completion names 2>$null } elseif ($values.ContainsKey($previous)) { $values[$previous] } elseif ($words.ContainsKey($command)) { $words[$command] } else { @() }
  $offer | Where-Object { $_ -like "$wordToComplete*" } | ForEach-Object { [System.Management.Automation.CompletionResult]::new($_) }
}
`;
}
