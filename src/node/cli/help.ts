/** Help, from the table in commands.ts. Lines stay within the columns, examples aside. */
import { profileGroups, labelOf as profileLabel } from "../../core/config/profiles.ts";
import { SpellError } from "../../core/errors.ts";
import { nearest } from "../../core/nearest.ts";
import { version } from "../../core/version.ts";
import { shell } from "./advice.ts";
import { type Command, commandGroups, commands, laterCommands } from "./commands.ts";
import { type Flag, globalFlags } from "./flags.ts";
import { wrap } from "./format.ts";
import { exitMeanings } from "./names.ts";
import { quoteShort } from "./problems.ts";
import type { Screen, Style } from "./render.ts";

type HelpStyle = Pick<Style, "heading" | "word" | "dim"> & { readonly columns: number };

/** Elsewhere than on a terminal; on one, lines beyond the second limit are hard to read. */
const [usualColumns, mostColumns] = [80, 100];

/** @throws SpellError usage-unknown, usage-not-available */
export function showHelp(topic: string, screen: Screen): number {
  const columns = screen.outIsTerminal ? Math.max(60, Math.min(screen.columns, mostColumns)) : usualColumns;
  screen.writeOwn(helpText(topic, { ...screen.out, columns }));
  screen.document({ status: "ok", help: helpText(topic, { heading: plain, word: plain, dim: plain, columns: usualColumns }) });
  return 0;
}

function plain(text: string): string {
  return text;
}

/**
 * @param topic name of a command or of a group such as "model"; empty for the overview
 * @throws SpellError usage-unknown, usage-not-available
 */
export function helpText(topic: string, style: HelpStyle): string {
  if (topic === "") return overview(style);
  const found = commands.find(({ name, aliases }) => name === topic || aliases?.includes(topic) === true);
  if (found !== undefined) return commandHelp(found, style);
  if (commandGroups.has(topic)) return groupHelp(topic, style);
  if (laterCommands.includes(topic))
    throw new SpellError("usage-not-available", `'${topic}' is not in this release`, { actions: shell("llmspell help") });
  const meant = nearest(topic, [...commands.map(({ name }) => name), ...commandGroups]);
  const question = meant === undefined ? "" : `; did you mean '${meant}'?`;
  const line = meant === undefined ? "llmspell help" : `llmspell help ${meant}`;
  throw new SpellError("usage-unknown", `no help on ${quoteShort(topic)}${question}`, { actions: shell(line) });
}

function overview(style: HelpStyle): string {
  return lines(
    `${style.word("llmspell")} ${version} – run language models on this machine`,
    "",
    `${style.heading("Usage")}  llmspell [global flags] COMMAND [flags] [operands]`,
    "",
    style.heading("Commands"),
    ...commandRows(commands, style),
    "",
    ...wrap(`Also ${shortNames()}.`, style.columns).map(style.dim),
    "",
    style.heading("Global flags"),
    ...flagRows(globalFlags, style),
    "",
    style.heading("Profiles (-p)"),
    ...profileRows(style),
    "",
    style.heading("Examples"),
    '  llmspell generate "Once upon a time"',
    "  llmspell chat -m ./model.gguf",
    "  llmspell help generate",
    "",
    ...wrap(`In later releases: ${laterCommands.join(", ")}.`, style.columns).map(style.dim),
  );
}

/** "list or ls for model list, …": one word that stands for two. */
function shortNames(): string {
  return commands
    .flatMap(({ name, aliases = [] }) => {
      const short = aliases.filter((alias) => !alias.includes(" "));
      return short.length === 0 ? [] : [`${short.join(" or ")} for ${name}`];
    })
    .join(", ");
}

/** Ten names with a line each, by category. */
function profileRows(style: HelpStyle): string[] {
  const width = Math.max(...profileGroups().flatMap(([, profiles]) => profiles.map((profile) => profileLabel(profile).length)));
  return profileGroups().flatMap(([category, profiles]) => {
    const pairs = profiles.map((profile) => [profileLabel(profile), profile.description] as const);
    return [`  ${style.dim(category)}`, ...rows(pairs, style, width)];
  });
}

function groupHelp(group: string, style: HelpStyle): string {
  const inside = commands.filter(({ name }) => name.startsWith(`${group} `));
  return lines(
    `${style.heading("Usage")}  llmspell ${group} COMMAND [flags] [operands]`,
    "",
    style.heading("Commands"),
    ...commandRows(inside, style),
  );
}

function commandRows(list: readonly Command[], style: HelpStyle): string[] {
  const pairs = list.map((command) => [usageOf(command), command.summary] as const);
  return rows(pairs, style);
}

function commandHelp(command: Command, style: HelpStyle): string {
  const flags = command.flags.filter((flag) => flag.later === undefined);
  const left = Math.max(...[...flags, ...globalFlags].map((flag) => labelOf(flag).length));
  const part = (heading: string, list: readonly Flag[]): string[] =>
    list.length === 0 ? [] : ["", style.heading(heading), ...flagRows(list, style, left)];
  const exits = [0, ...command.exits, 2].sort((a, b) => a - b).map((code) => [String(code), exitMeanings.get(code) ?? ""] as const);
  return lines(
    `${style.word(`llmspell ${command.name}`)} – ${command.summary}`,
    "",
    `${style.heading("Usage")}  llmspell ${usageOf(command)}${flags.length === 0 ? "" : " [flags]"}`,
    ...(command.aliases === undefined ? [] : [`       also: llmspell ${command.aliases.join(", llmspell ")}`]),
    ...(command.notes ?? []).flatMap((note) => ["", ...wrap(note, style.columns)]),
    ...["Flags", "Sampling"].flatMap((heading) => {
      const list = flags.filter(({ section = "Flags" }) => section === heading);
      return part(heading, list);
    }),
    ...part("Global flags", globalFlags),
    "",
    style.heading("Examples"),
    ...command.examples.flatMap(([line, does]) => [`  ${line}`, style.dim(`      ${does}`)]),
    "",
    style.heading("Exit codes"),
    ...rows(exits, style),
  );
}

function usageOf(command: Command): string {
  const operands = command.operands.map(({ name, optional, repeated }) => {
    const shown = repeated === true ? `${name}…` : name;
    return optional === true ? `[${shown}]` : shown;
  });
  return [command.name, ...operands].join(" ");
}

function labelOf(flag: Flag): string {
  return `${flag.short === undefined ? "    " : `-${flag.short}, `}--${flag.name}${flag.value === undefined ? "" : ` ${flag.value}`}`;
}

function flagRows(flags: readonly Flag[], style: HelpStyle, left = 0): string[] {
  const pairs = flags.map((flag) => {
    const later = flag.later === undefined ? "" : " (in a later release)";
    return [labelOf(flag), flag.description + later] as const;
  });
  return rows(pairs, style, left);
}

/** Two columns; the second wraps under itself. @param leastWidth of the first column, to agree with other rows */
function rows(pairs: readonly (readonly [string, string])[], style: HelpStyle, leastWidth = 0): string[] {
  const width = Math.max(leastWidth, ...pairs.map(([left]) => left.length));
  return pairs.flatMap(([left, right]) => {
    const [first = "", ...more] = wrap(right, style.columns - width - 4);
    return [`  ${style.word(left)}${" ".repeat(width - left.length)}  ${first}`, ...more.map((line) => " ".repeat(width + 4) + line)];
  });
}

function lines(...list: readonly string[]): string {
  return `${list.join("\n")}\n`;
}
