/** `regex`: the host's own regular expressions, in the isolate: some take time without end. */
import { any, integer, list, object, oneOf, text } from "./schema.ts";
import type { ToolDefinition } from "./types.ts";

export const regex: ToolDefinition = {
  name: "regex",
  description: "Tests, finds, replaces or splits by a regular expression in the syntax of JavaScript.",
  category: "text",
  version: "1.0.0",
  tags: ["pattern", "search"],
  parameters: object(
    {
      operation: oneOf("what to do [match]", ["test", "match", "replace", "split"]),
      pattern: text("without slashes"),
      text: text("where it is looked for"),
      flags: text("of g, i, m, s, u, v, y; match, replace and split go through the whole text anyway"),
      replacement: text("replace: with $1, $<name> for groups [empty]"),
      limit: integer("match, split: most of them [1000]", 1, 10_000),
    },
    ["pattern", "text"],
  ),
  output: object(
    {
      result: any("test: true or false; match: list of { text, index, groups, names }; replace: text; split: list of texts"),
      count: integer("match, replace, split: how many", 0, Number.MAX_SAFE_INTEGER),
      names: list("names of groups", { type: "string" }),
    },
    ["result"],
  ),
  run: (input, { isolate, signal }) => isolate.run("regex", input, { timeoutMs: 1000, limitCode: "tool-limit", signal }),
};
