/** What an agent is asked: text, or a table with text, further messages, parameters and a device. */
import { SpellError } from "../errors.ts";
import { isObject } from "../json.ts";
import type { ChatMessage } from "../spec/generate.ts";
import type { DeviceChoice } from "../spec/runtime.ts";
import { checkPrompt } from "../text/check-call.ts";
import { type CallSettings, readCallDevice, readParameters, unknownAgentOption, wrongAgentOption } from "./options.ts";

export interface AgentInput {
  /** what is said now, in order; at least one message, the last is answered */
  readonly messages: readonly ChatMessage[];
  readonly call: CallSettings;
  readonly device: DeviceChoice | undefined;
}

const names = ["text", "messages", "parameters", "device"];
const own: ReadonlySet<string> = new Set(["text", "reasoning", "tool-call", "tool-result"]);
/** Words for what models of this release cannot take in. */
const media = /^(image|audio|video|media|file|document|attachment|input_(image|audio))s?(_urls?)?$/;

/** @throws SpellError agent-option, agent-modality */
export function readInput(input: unknown): AgentInput {
  if (typeof input === "string") return readInput({ text: input });
  if (!isObject(input)) throw wrongAgentOption("input", "text, or a table with text", input);
  for (const name of Object.keys(input)) {
    if (media.test(name)) throw noModality(`input.${name}`, name);
    if (!names.includes(name)) throw unknownAgentOption("input", name, names);
  }
  const { text, messages, parameters, device } = input;
  const said = messages === undefined || isEmpty(messages) ? [] : readMessages(messages);
  if (text !== undefined && typeof text !== "string") throw wrongAgentOption("input.text", "text", text);
  const all: readonly ChatMessage[] = text === undefined ? said : [...said, { role: "user", content: text }];
  if (all.length === 0) throw wrongAgentOption("input", "text or messages", input);
  return {
    messages: all,
    call: parameters === undefined ? { parameters: {} } : readParameters(parameters),
    device: readCallDevice(device),
  };
}

function readMessages(messages: unknown): readonly ChatMessage[] {
  if (!Array.isArray(messages)) throw wrongAgentOption("input.messages", "a list of { role, content }", messages);
  for (const [i, message] of messages.entries()) {
    const parts: readonly unknown[] = isObject(message) && Array.isArray(message["content"]) ? message["content"] : [];
    const foreign = parts.find((part) => isObject(part) && typeof part["type"] === "string" && !own.has(part["type"]));
    if (isObject(foreign)) throw noModality(`input.messages[${i}]`, String(foreign["type"]));
  }
  try {
    return checkPrompt(messages as never) as readonly ChatMessage[];
  } catch (error) {
    throw error instanceof SpellError ? error.with({ code: "agent-option", message: `input.${error.message}` }) : error;
  }
}

function noModality(where: string, what: string): SpellError {
  return new SpellError("agent-modality", `${where}: expected text, got ${what.slice(0, 40)}; models of this release read text alone`, {
    where,
  });
}

/** An empty list of Lua. */
function isEmpty(value: unknown): boolean {
  return typeof value === "object" && value !== null && Object.keys(value).length === 0;
}
