/** `template`: Mustache, which has no code. In the isolate: a few nested sections multiply without end. */
import { any, object, oneOf, text } from "./schema.ts";
import type { ToolDefinition } from "./types.ts";

export const template: ToolDefinition = {
  name: "template",
  description: "Fills a Mustache template: {{name}}, {{#list}}…{{/list}}, {{^missing}}…{{/missing}}. No code runs.",
  category: "text",
  version: "1.0.0",
  tags: ["mustache", "format"],
  parameters: object(
    {
      template: text("such as Hello {{name}}"),
      values: { type: "object", description: "by name", additionalProperties: any("any data") },
      escape: oneOf("how values are written [none]", ["none", "html", "json"]),
    },
    ["template", "values"],
  ),
  output: object({ result: text("the filled text") }),
  run: async (input, { isolate, signal }) => ({
    result: await isolate.run("template", input, { timeoutMs: 1000, limitCode: "tool-limit", signal }),
  }),
};
