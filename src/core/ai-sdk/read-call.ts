/** A call of the AI SDK in our words. The inverse of write-call.ts. */
import { SpellError } from "../errors.ts";
import { isObject } from "../json.ts";
import type { GenerateOptions, Message, MessagePart, Tool, ToolChoice } from "../spec/generate.ts";
import type { JsonSchema } from "../spec/schema.ts";
import type { AiSdkCallOptions, AiSdkWarning } from "./shape.ts";

const same: readonly string[] = ["temperature", "topP", "topK", "presencePenalty", "frequencyPenalty", "seed"];

export interface ReadCall {
  readonly prompt: readonly Message[];
  readonly options: GenerateOptions;
  readonly warnings: AiSdkWarning[];
}

/** @throws SpellError run-option for what is no text */
export function readAiSdkCall(call: AiSdkCallOptions): ReadCall {
  const { prompt, maxOutputTokens, stopSequences, responseFormat, tools, toolChoice, reasoning, abortSignal, providerOptions } = call;
  const warnings: AiSdkWarning[] = [];
  const given: Record<string, unknown> = {
    ...Object.fromEntries(same.map((name) => [name, call[name]])),
    maxTokens: maxOutputTokens,
    stop: Array.isArray(stopSequences) && stopSequences.length === 0 ? undefined : stopSequences,
    jsonSchema:
      isObject(responseFormat) && responseFormat["type"] === "json" ? (responseFormat["schema"] ?? { type: "object" }) : undefined,
    ...toolsOf(tools, toolChoice, warnings),
    // of v4; other efforts are the model's own
    reasoning: reasoning === "none" ? "off" : undefined,
    ...(isObject(providerOptions) && isObject(providerOptions["llmspell"]) ? providerOptions["llmspell"] : {}),
    signal: abortSignal,
  };
  const options = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)) as GenerateOptions;
  return { prompt: listOf(prompt, "prompt").map(messageOf), options, warnings };
}

function toolsOf(given: unknown, choice: unknown, warnings: AiSdkWarning[]): { tools?: readonly Tool[]; toolChoice?: ToolChoice } {
  const tools = (Array.isArray(given) ? given : []).flatMap((tool: unknown): readonly Tool[] => {
    if (!isObject(tool)) return [];
    const { type, name, description, inputSchema, id } = tool;
    if (type === "function") return [{ name, description, inputSchema: inputSchema as JsonSchema } as Tool];
    warnings.push({ type: "unsupported", feature: `tool ${String(id ?? name)}`, details: "only functions of the program are called" });
    return [];
  });
  if (tools.length === 0) return {};
  if (!isObject(choice)) return { tools };
  return { tools, toolChoice: (choice["type"] === "tool" ? { name: choice["toolName"] } : choice["type"]) as ToolChoice };
}

function messageOf(message: unknown, at: number): Message {
  const where = `prompt[${at}]`;
  if (!isObject(message)) throw notText(where, message);
  const { role, content } = message;
  if (typeof content === "string") return { role, content } as Message;
  return { role, content: listOf(content, where).flatMap((part) => partOf(part, where)) } as Message;
}

function partOf(part: unknown, where: string): readonly MessagePart[] {
  if (!isObject(part)) throw notText(where, part);
  const { type, text, toolCallId, toolName, input, output } = part;
  switch (type) {
    case "text":
    case "reasoning":
      return [{ type, text: String(text) }];
    case "tool-call":
      return [{ type, id: String(toolCallId), name: String(toolName), input }];
    case "tool-result":
      return [{ type, id: String(toolCallId), result: resultOf(output) }];
    case "tool-approval-response":
      return []; // its call's result, or its refusal, stands beside it
    default:
      throw notText(where, type);
  }
}

/** Text stays text; `content` of several parts becomes the text of those that have some. */
function resultOf(output: unknown): unknown {
  if (!isObject(output)) return output ?? null;
  const { type, value, reason } = output;
  if (type === "execution-denied") return reason ?? "the user did not allow this call";
  if (type !== "content" || !Array.isArray(value)) return value ?? null;
  return value.map((part: unknown) => (isObject(part) && typeof part["text"] === "string" ? part["text"] : "(not text)")).join("\n");
}

function listOf(value: unknown, where: string): readonly unknown[] {
  if (!Array.isArray(value)) throw notText(where, value);
  return value;
}

function notText(where: string, got: unknown): SpellError {
  const word = typeof got === "string" ? `a part of the kind ${got.slice(0, 40)}` : typeof got;
  return new SpellError("run-option", `${where}: expected text, calls of tools and their results; got ${word}`, { where });
}
