/** Fields of OpenAI's APIs that say how an answer is made. */
import { inputOf } from "../backends/server/tool-calls.ts";
import { SpellError } from "../errors.ts";
import { isObject } from "../json.ts";
import type { GenerateOptions, Message, MessagePart, Tool, ToolCall } from "../spec/generate.ts";
import type { JsonSchema } from "../spec/schema.ts";
import { isToolName } from "../text/check-tools.ts";
import { findParameterProblem, findStopProblem, type NumberParameter, parameterRules } from "../text/parameters.ts";
import { type Fields, gotOf, ignored, type Note } from "./fields.ts";

/** Answers of one request, one after the other. */
export const mostAnswers = 16;

/** Parameters by the fields that carry them; what OpenAI has no name for has ours, which those of llama.cpp and vLLM are too. */
const parameters: readonly (readonly [field: string, name: NumberParameter])[] = parameterRules
  .map(({ name }) => name)
  .filter((name) => name !== "maxTokens" && name !== "numReturnSequences")
  .map((name) => [name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`), name]);

/** So small a share keeps the likeliest token alone. */
export const leastShare = 1e-6;

/** @throws SpellError http-field */
export function readSampling(fields: Fields, stopField = "stop"): GenerateOptions {
  const options: Record<string, unknown> = {};
  for (const [field, name] of parameters) {
    const given = fields.raw(field);
    // OpenAI takes 0, and means the likeliest
    const value = field === "top_p" && given === 0 ? leastShare : given;
    if (value === undefined) continue;
    checkParameter(fields, field, name, value);
    options[name] = value;
  }
  const stop = fields.raw(stopField);
  const problem = stop === undefined ? undefined : findStopProblem(stop);
  if (problem !== undefined) throw new SpellError("http-field", `${stopField}: ${problem}`, { where: stopField });
  if (stop !== undefined && !(Array.isArray(stop) && stop.length === 0)) options["stop"] = stop;
  return options;
}

/** @param names fields that may carry it, the first one that is there counts */
export function readMaxTokens(fields: Fields, ...names: readonly string[]): number | undefined {
  const given = names.map((name) => [name, fields.raw(name)] as const).filter(([, value]) => value !== undefined);
  for (const [name, value] of given) checkParameter(fields, name, "maxTokens", value);
  return given[0]?.[1] as number | undefined;
}

function checkParameter(fields: Fields, field: string, name: NumberParameter, value: unknown): void {
  const rule = parameterRules.find((each) => each.name === name);
  const problem = rule === undefined ? undefined : findParameterProblem(rule, value);
  if (problem !== undefined) throw new SpellError("http-field", `${fields.at(field)}: ${problem}`, { where: fields.at(field) });
}

/** A function without parameters takes none. Source: OpenAI's API reference. */
const noInput: JsonSchema = { type: "object", properties: {}, additionalProperties: false };

/** @param functionOf the object that has name, description and parameters */
export function readTools(fields: Fields, functionOf: (tool: Fields) => Fields): GenerateOptions {
  const tools = fields.objects("tools")?.map((tool): Tool => {
    const type = tool.raw("type");
    if (type !== "function") throw tool.wrong("type", "function");
    const own = functionOf(tool);
    own.raw("strict"); // arguments are always held to their schema
    const { inputSchema = noInput, ...rest } = readTool(own, "parameters");
    return { ...rest, inputSchema };
  });
  const parallelToolCalls = fields.boolean("parallel_tool_calls");
  const toolChoice = readToolChoice(fields, functionOf);
  if (tools === undefined || tools.length === 0) {
    if (toolChoice !== undefined && toolChoice !== "auto" && toolChoice !== "none")
      throw fields.wrong("tools", "at least one beside tool_choice", "none");
    return {};
  }
  const name = typeof toolChoice === "object" ? toolChoice.name : undefined;
  if (name !== undefined && !tools.some((tool) => tool.name === name))
    throw fields.wrong("tool_choice", `the name of a tool (${tools.map((tool) => tool.name).join(", ")})`, gotOf(name));
  return { tools, toolChoice, parallelToolCalls };
}

export function readTool(fields: Fields, schemaField: string): Tool {
  const name = fields.raw("name");
  if (!isToolName(name)) throw fields.wrong("name", "1–64 letters, digits, _ and -");
  const inputSchema = fields.json(schemaField) as JsonSchema | undefined;
  return { name, description: fields.text("description"), inputSchema };
}

function readToolChoice(fields: Fields, functionOf: (tool: Fields) => Fields): GenerateOptions["toolChoice"] {
  const given = fields.raw("tool_choice");
  const words = ["auto", "none", "required"] as const;
  const word = words.find((each) => each === given);
  if (given === undefined || word !== undefined) return word;
  if (!isObject(given)) throw fields.wrong("tool_choice", `${words.join(", ")}, or { type: "function" } with a name`);
  const choice = fields.object("tool_choice");
  if (choice === undefined) return undefined;
  if (choice.raw("type") !== "function") throw choice.wrong("type", "function");
  return { name: functionOf(choice).needed("name") };
}

/** The form of an answer. @param schemaOf the object that has the schema */
export function readForm(format: Fields | undefined, schemaOf: (format: Fields) => Fields | undefined): GenerateOptions {
  const type = format?.one("type", ["text", "json_object", "json_schema"]);
  if (format === undefined || type === "text") return {};
  if (type === undefined) throw format.wrong("type", "text, json_object, json_schema");
  if (type === "json_object") return { jsonSchema: { type: "object" } };
  const own = schemaOf(format);
  if (own === undefined) throw format.wrong("json_schema", "an object with a schema");
  const schema = own.json("schema");
  if (schema === undefined) throw own.wrong("schema", "a JSON schema");
  // name and description are for the answers of OpenAI; the form is always held
  for (const name of ["name", "description", "strict"]) own.raw(name);
  return { jsonSchema: schema as JsonSchema };
}

/** How long the model thinks is its own matter; that it does not can be asked for. */
export function readEffort(fields: Fields, name: string, notes: Note[]): GenerateOptions {
  const effort = fields.one(name, ["none", "minimal", "low", "medium", "high", "xhigh", "max"]);
  if (effort === "none" || effort === "minimal") return { reasoning: "off" };
  if (effort !== undefined)
    notes.push(ignored(`${fields.at(name)}: the model decides by itself how long it thinks; only none has an effect`));
  return {};
}

/** The text of a content that is text, or a list of parts that hold some. @param types of those parts */
export function readText(fields: Fields, name: string, types: readonly string[]): string | undefined {
  const content = fields.raw(name);
  if (content === undefined || typeof content === "string") return content;
  if (!Array.isArray(content)) throw fields.wrong(name, "text or a list of parts");
  return (fields.objects(name) ?? []).map((part) => readTextPart(part, types)).join("");
}

/** Keys of parts that programs send back as they got them, or that say how a prompt is cached. */
const echoedParts = ["annotations", "logprobs", "cache_control", "id"];

export function readTextPart(part: Fields, types: readonly string[]): string {
  const type = part.raw("type");
  if (typeof type !== "string" || !types.includes(type)) throw part.wrong("type", types.join(", "));
  const own = type === "refusal" ? "refusal" : "text";
  const text = part.text(own);
  if (text === undefined) throw part.wrong(own, "text");
  for (const name of echoedParts) part.raw(name);
  return text;
}

/** A call that an assistant made earlier. */
export function readCall(fields: Fields, id: string): ToolCall {
  const name = fields.needed("name");
  const text = fields.text("arguments") ?? "";
  return { type: "tool-call", id, name, input: inputOf(text, () => fields.wrong("arguments", "a text of JSON")) };
}

/** Turns of an assistant that follow each other are one: thought, text and calls are parts of it. */
export function joinTurns(messages: readonly Message[]): readonly Message[] {
  const joined: Message[] = [];
  for (const message of messages) {
    const last = joined.at(-1);
    if (last?.role === "assistant" && message.role === "assistant")
      joined[joined.length - 1] = { role: "assistant", content: [...partsOf(last), ...partsOf(message)] };
    else joined.push(message);
  }
  return joined;
}

function partsOf({ content }: Message): readonly MessagePart[] {
  return typeof content === "string" ? [{ type: "text", text: content }] : content;
}
