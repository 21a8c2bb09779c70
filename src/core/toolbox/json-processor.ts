/** `json-processor`: jq, in the isolate: a program of jq may never end. */
import { any, flag, integer, list, object, text } from "./schema.ts";
import type { ToolDefinition } from "./types.ts";

export const jsonProcessor: ToolDefinition = {
  name: "json-processor",
  description: 'Queries and changes JSON with jq, such as ".items | map(.price) | add".',
  category: "data",
  version: "1.0.0",
  tags: ["jq", "query", "transform"],
  parameters: object(
    {
      input: any("any JSON value, or JSON as text with is_text"),
      query: text("program of jq [.]"),
      is_text: flag("the input is JSON as text [false]"),
    },
    ["input"],
  ),
  output: object({
    result: any("the first value, null where there is none; whole numbers of which a double would lose digits are text"),
    results: list("all values", any("a value")),
    count: integer("how many", 0, Number.MAX_SAFE_INTEGER),
  }),
  run: (input, { isolate, signal }) => isolate.run("jq", input, { timeoutMs: 3000, limitCode: "tool-limit", signal }),
};
