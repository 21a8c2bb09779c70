/** `text-diff`: what differs between two texts. */
import { toolLimit } from "./failure.ts";
import { any, flag, integer, list, object, oneOf, text } from "./schema.ts";
import type { ToolDefinition } from "./types.ts";

interface Input {
  readonly before: string;
  readonly after: string;
  readonly by?: "lines" | "words" | "characters";
  readonly context?: number;
  readonly ignore_whitespace?: boolean;
}

/** Characters of both texts: the worst case is quadratic. */
const mostCharacters = 1_000_000;
const timeout = 1000;

export const textDiff: ToolDefinition = {
  name: "text-diff",
  description: "Compares two texts: a unified patch by lines, or marked changes by words or characters.",
  category: "text",
  version: "1.0.0",
  tags: ["compare", "patch"],
  parameters: object(
    {
      before: text("the earlier text"),
      after: text("the later text"),
      by: oneOf("what is compared [lines]", ["lines", "words", "characters"]),
      context: integer("lines: unchanged lines around each change [3]", 0, 100),
      ignore_whitespace: flag("lines: white space at their ends does not count [false]"),
    },
    ["before", "after"],
  ),
  output: object({
    result: text("lines: a unified patch, empty where nothing differs; else the text with [-removed-] and {+added+}"),
    is_equal: flag("whether nothing differs"),
    added: integer("lines, words or characters", 0, mostCharacters),
    removed: integer("lines, words or characters", 0, mostCharacters),
    changes: list("parts in order", any("{ kind: equal, added or removed; text }")),
  }),
  async run({ before, after, by = "lines", context = 3, ignore_whitespace = false }: Input) {
    const size = before.length + after.length;
    if (size > mostCharacters) throw toolLimit("text-diff", `expected at most ${mostCharacters} characters in both texts, got ${size}`);
    const { diffChars, diffLines, diffWordsWithSpace, createTwoFilesPatch } = await import("diff");
    const late = () => toolLimit("text-diff", `expected texts that are compared within ${timeout} ms, got others`);
    const started = performance.now();
    const options = { timeout, stripTrailingCr: ignore_whitespace, ignoreWhitespace: ignore_whitespace };
    const parts =
      by === "lines"
        ? diffLines(before, after, options)
        : by === "words"
          ? diffWordsWithSpace(before, after, { timeout })
          : diffChars(before, after, { timeout });
    if (parts === undefined) throw late();
    // compares them again: both have the time of one
    const rest = Math.max(1, timeout - (performance.now() - started));
    const patch =
      by === "lines" ? createTwoFilesPatch("before", "after", before, after, "", "", { ...options, timeout: rest, context }) : "";
    if (patch === undefined) throw late();
    const changes = parts.map(({ value, added, removed }) => ({ kind: added ? "added" : removed ? "removed" : "equal", text: value }));
    const count = (kind: string): number => parts.reduce((sum, part, i) => sum + (changes[i]?.kind === kind ? part.count : 0), 0);
    const [added, removed] = [count("added"), count("removed")];
    const isEqual = added + removed === 0;
    const marked = changes.map((part) =>
      part.kind === "equal" ? part.text : part.kind === "added" ? `{+${part.text}+}` : `[-${part.text}-]`,
    );
    return { result: by === "lines" ? (isEqual ? "" : patch) : marked.join(""), is_equal: isEqual, added, removed, changes };
  },
};
