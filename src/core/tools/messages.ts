/** Conversations with tools in the shapes that chat templates read. What strangers wrote in them is broken where it would be read as a mark. */

import { SpellError } from "../errors.ts";
import { plainSchema } from "../grammar/constraint.ts";
import { isObject } from "../json.ts";
import type { ChatMessage, Tool, ToolCall } from "../spec/generate.ts";
import { joinsArguments } from "./families.ts";

/** A tool as templates, and most servers, read it. */
export interface TemplateTool {
  readonly type: "function";
  readonly function: { readonly name: string; readonly description: string; readonly parameters: unknown };
}

/** A message as templates read it. */
export interface TemplateMessage {
  readonly role: ChatMessage["role"];
  readonly content: string;
  readonly reasoning_content?: string | undefined;
  readonly thinking?: string | undefined;
  readonly tool_calls?: readonly TemplateCall[] | undefined;
  readonly tool_call_id?: string | undefined;
  readonly name?: string | undefined;
}

interface TemplateCall {
  readonly id: string;
  readonly type: "function";
  /** the input is data here, and text on most servers */
  readonly function: { readonly name: string; readonly arguments: unknown };
}

/** A tool whose schema is plain data. */
export type PlainTool = Pick<Tool, "name" | "description"> & { readonly schema: Readonly<Record<string, unknown>> };

type Clean = (text: string) => string;

/** Of JSON Schema, but "object". */
const otherTypes: ReadonlySet<unknown> = new Set(["array", "boolean", "integer", "null", "number", "string"]);

/** @param i place in the list, for messages @throws SpellError run-option for what gives no JSON Schema */
export function plainTool({ name, description, inputSchema = true }: Tool, i: number): PlainTool {
  const where = `tools[${i}].inputSchema`;
  const schema = plainSchema(inputSchema, where);
  const type = typeof schema === "object" ? schema["type"] : undefined;
  if (type !== undefined && [type].flat().every((one) => otherTypes.has(one)))
    throw new SpellError("run-option", `${where}: expected a schema of type "object", got ${JSON.stringify(type)}`, { where });
  return { name, description, schema: typeof schema === "object" ? schema : { type: "object", properties: {} } };
}

export function templateTools(tools: readonly PlainTool[], clean: Clean): readonly TemplateTool[] {
  return tools.map(({ name, description = "", schema }) => ({
    type: "function",
    function: { name, description: clean(description), parameters: cleanData(schema, clean) },
  }));
}

/**
 * @param clean of what people and the model wrote
 * @param cleanTool of what tools gave and what calls hold
 */
export function templateMessages(
  messages: readonly ChatMessage[],
  template: string,
  clean: Clean,
  cleanTool: Clean,
): readonly TemplateMessage[] {
  const joins = joinsArguments(template);
  const ids = template.includes("[TOOL_CALLS]") ? shortIds() : (id: string): string => id;
  return messages.map(({ role, content, reasoning, toolCalls, toolCallId, toolName }) => {
    if (role === "tool")
      return { role, content: cleanTool(content), tool_call_id: cleanTool(ids(toolCallId ?? "")), name: cleanTool(toolName ?? "") };
    return {
      role,
      content: clean(content),
      ...thoughtOf(reasoning, template, clean),
      ...(toolCalls !== undefined && { tool_calls: toolCalls.map((call) => templateCall(call, ids(call.id), cleanTool, joins)) }),
    };
  });
}

/** An earlier thought, under the name by which the template reads it. */
function thoughtOf(reasoning: string | undefined, template: string, clean: Clean): Partial<TemplateMessage> {
  if (reasoning === undefined) return {};
  if (/\breasoning_content\b/.test(template)) return { reasoning_content: clean(reasoning) };
  return /\bmessage\.thinking\b/.test(template) ? { thinking: clean(reasoning) } : {};
}

function templateCall({ name, input }: ToolCall, id: string, clean: Clean, isText: boolean): TemplateCall {
  const data = cleanData(input, clean);
  return { id: clean(id), type: "function", function: { name: clean(name), arguments: isText ? JSON.stringify(data) : data } };
}

/** Mistral's templates refuse ids that are no nine letters and digits; calls of other models and servers have others. */
function shortIds(): (id: string) => string {
  const known = new Map<string, string>();
  return (id) => {
    if (/^[A-Za-z0-9]{9}$/.test(id)) return id;
    const short = known.get(id) ?? `call${String(known.size + 1).padStart(5, "0")}`;
    known.set(id, short);
    return short;
  };
}

/** A conversation for a template that knows no tools: they are described in the system message, and calls and results become text, in Hermes' words. */
export function plainMessages(
  messages: readonly ChatMessage[],
  tools: readonly PlainTool[],
  template: string,
  clean: Clean,
  cleanTool: Clean,
): readonly TemplateMessage[] {
  const told: TemplateMessage[] = [];
  for (const { role, content, reasoning, toolCalls = [] } of messages) {
    const last = told.at(-1);
    if (role !== "tool") {
      const calls = toolCalls.map(
        ({ name, input }) =>
          `<tool_call>\n${JSON.stringify({ name: cleanTool(name), arguments: cleanData(input, cleanTool) })}\n</tool_call>`,
      );
      told.push({
        role,
        content: [clean(content), ...calls].filter((text) => text !== "").join("\n"),
        ...thoughtOf(reasoning, template, clean),
      });
      continue;
    }
    const result = `<tool_response>\n${cleanTool(content)}\n</tool_response>`;
    // results of one step are one turn
    if (last?.role === "user" && last.content.startsWith("<tool_response>"))
      told[told.length - 1] = { role: "user", content: `${last.content}\n${result}` };
    else told.push({ role: "user", content: result });
  }
  if (tools.length === 0) return told;
  const about = description(templateTools(tools, cleanTool));
  const [first, ...rest] = told;
  return first?.role === "system"
    ? [{ role: "system", content: `${first.content}\n\n${about}` }, ...rest]
    : [{ role: "system", content: about }, ...told];
}

function description(tools: readonly TemplateTool[]): string {
  return [
    "You may call these functions:",
    "<tools>",
    ...tools.map((tool) => JSON.stringify(tool)),
    "</tools>",
    "For each call write",
    "<tool_call>",
    '{"name": <function-name>, "arguments": <args-json-object>}',
    "</tool_call>",
  ].join("\n");
}

/** Every text in it, names of members too. */
function cleanData(value: unknown, clean: Clean): unknown {
  if (typeof value === "string") return clean(value);
  if (Array.isArray(value)) return value.map((inner) => cleanData(inner, clean));
  if (!isObject(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([name, inner]) => [clean(name), cleanData(inner, clean)]));
}
