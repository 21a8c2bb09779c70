/** `text-manipulator`: what one does to a text before and after models see it. */
import { toolFailed, toolLimit } from "./failure.ts";
import { any, flag, integer, list, object, oneOf, text } from "./schema.ts";
import type { ToolDefinition } from "./types.ts";

interface Input {
  readonly operation: keyof typeof operations;
  readonly text: string;
  readonly find?: string;
  readonly replacement?: string;
  readonly all?: boolean;
  readonly separator?: string;
  readonly items?: readonly string[];
  readonly start?: number;
  readonly end?: number;
  readonly length?: number;
  readonly descending?: boolean;
}

const mostRepeated = 1_000_000;

const lines = (value: string): string[] => value.split(/\r\n|\r|\n/);
/** as people count letters, as far as code points do it */
const letters = (value: string): string[] => Array.from(value);

const operations = {
  uppercase: (given: Input) => given.text.toUpperCase(),
  lowercase: (given: Input) => given.text.toLowerCase(),
  titlecase: (given: Input) =>
    given.text.replace(/\p{L}[\p{L}\p{M}\p{N}'’]*/gu, (word) => {
      const [first = "", ...rest] = letters(word);
      return first.toUpperCase() + rest.join("").toLowerCase();
    }),
  trim: (given: Input) => given.text.trim(),
  reverse: (given: Input) => letters(given.text).reverse().join(""),
  count: (given: Input) => ({
    characters: letters(given.text).length,
    words: given.text.match(/\S+/g)?.length ?? 0,
    lines: given.text === "" ? 0 : lines(given.text).length,
    bytes: new TextEncoder().encode(given.text).length,
  }),
  replace(given: Input) {
    const { find, replacement = "", all = true } = given;
    if (find === undefined || find === "") throw missing("replace", "find");
    return all ? given.text.replaceAll(find, () => replacement) : given.text.replace(find, () => replacement);
  },
  split(given: Input) {
    if (given.separator === undefined || given.separator === "") throw missing("split", "separator");
    return given.text.split(given.separator);
  },
  join(given: Input) {
    if (given.items === undefined) throw missing("join", "items");
    return given.items.join(given.separator ?? given.text);
  },
  slice: (given: Input) => letters(given.text).slice(given.start, given.end).join(""),
  truncate(given: Input) {
    const { length = 100 } = given;
    const all = letters(given.text);
    if (all.length <= length) return given.text;
    return length === 0
      ? ""
      : `${all
          .slice(0, length - 1)
          .join("")
          .trimEnd()}…`;
  },
  pad: (given: Input) => given.text + " ".repeat(Math.max(0, (given.length ?? 0) - letters(given.text).length)),
  repeat(given: Input) {
    const { length: times = 1 } = given;
    if (given.text.length * times > mostRepeated)
      throw toolLimit("text-manipulator", `expected at most ${mostRepeated} characters, got ${given.text.length * times}`);
    return given.text.repeat(times);
  },
  sort_lines(given: Input) {
    const sorted = lines(given.text).sort((a, b) => (a < b ? -1 : a > b ? 1 : 0));
    return (given.descending === true ? sorted.reverse() : sorted).join("\n");
  },
  unique_lines: (given: Input) => [...new Set(lines(given.text))].join("\n"),
  slug: (given: Input) =>
    given.text
      .normalize("NFKD")
      .replace(/\p{M}/gu, "")
      .toLowerCase()
      .replace(/[^\p{L}\p{N}]+/gu, "-")
      .replace(/^-|-$/g, ""),
} as const;

export const textManipulator: ToolDefinition = {
  name: "text-manipulator",
  description:
    "Changes or measures a text: upper, lower and title case, trim, reverse, count, replace, split, join, slice, truncate, pad, repeat, sort and unique lines, slug.",
  category: "text",
  version: "1.0.0",
  tags: ["strings"],
  parameters: object(
    {
      operation: oneOf("what to do", Object.keys(operations)),
      text: text("the text; for join what stands between the items"),
      find: text("replace: what to look for, as it is"),
      replacement: text("replace: what comes in its place [empty]"),
      all: flag("replace: every place, not only the first [true]"),
      separator: text("split, join: what stands between the parts"),
      items: list("join: the parts", { type: "string" }),
      start: integer("slice: first character, from 0; below 0 from the end", -1_000_000_000, 1_000_000_000),
      end: integer("slice: character before which it ends", -1_000_000_000, 1_000_000_000),
      length: integer("truncate, pad: characters; repeat: times", 0, mostRepeated),
      descending: flag("sort_lines: from the last to the first [false]"),
    },
    ["operation", "text"],
  ),
  output: object({ result: any("text; a list for split, counts for count") }),
  run: (input: Input) => ({ result: operations[input.operation](input) }),
};

function missing(operation: string, name: string) {
  return toolFailed("text-manipulator", `${operation}: expected ${name}, got none`);
}
