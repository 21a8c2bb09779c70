/** A call in the shape of the AI SDK's providers: the options and messages of LanguageModelV2CallOptions, which v3 and v4 share. */

import { objectInput } from "../backends/server/tool-calls.ts";
import type { ServedForm } from "../backends/server/wire.ts";
import { SpellError } from "../errors.ts";
import { shown } from "../json.ts";
import type { ChatMessage, ChatPrompt, GenerateOptions } from "../spec/generate.ts";
import { splitParameters, stopsOf } from "../text/known-parameters.ts";
import type { NumberParameter } from "../text/parameters.ts";
import { plainTool } from "../tools/messages.ts";

const known: Readonly<Partial<Record<NumberParameter, string>>> = {
  maxTokens: "maxOutputTokens",
  temperature: "temperature",
  topP: "topP",
  topK: "topK",
  presencePenalty: "presencePenalty",
  frequencyPenalty: "frequencyPenalty",
  seed: "seed",
};

type Call = Readonly<Record<string, unknown>>;

/** @throws SpellError run-option for what such a model has no word for */
export function writeAiSdkCall(
  prompt: ChatPrompt,
  options: GenerateOptions,
  id: string,
  form: ServedForm | undefined,
): { readonly call: Call; readonly ignored: readonly string[] } {
  for (const name of ["raw", "device"] as const) {
    const value = options[name];
    if (value === undefined || value === false || value === "auto") continue;
    throw new SpellError("run-option", `${name}: expected none for ${id}, got ${shown(value)}`, { where: name });
  }
  const { sent, ignored } = splitParameters({ maxTokens: 512, ...options }, known);
  const stop = stopsOf(options);
  const { tools = [], toolChoice = "auto", system, parallelToolCalls, reasoning } = options;
  const messages = typeof prompt === "string" ? [{ role: "user", content: prompt } as const] : prompt;
  const first: readonly ChatMessage[] = system === undefined ? [] : [{ role: "system", content: system }];
  return {
    call: {
      ...sent,
      ...(stop.length > 0 && { stopSequences: stop }),
      ...(form !== undefined && { responseFormat: { type: "json", schema: form.schema } }),
      prompt: [...first, ...messages].map(messageOf),
      ...(tools.length > 0 && {
        tools: tools.map(plainTool).map(({ name, description, schema }) => ({ type: "function", name, description, inputSchema: schema })),
        toolChoice: typeof toolChoice === "string" ? { type: toolChoice } : { type: "tool", toolName: toolChoice.name },
      }),
    },
    ignored: [...ignored, ...(parallelToolCalls === undefined ? [] : ["parallelToolCalls"]), ...(reasoning === "off" ? ["reasoning"] : [])],
  };
}

function messageOf({ role, content, reasoning, toolCalls = [], toolCallId, toolName }: ChatMessage): Call {
  const text = content === "" ? [] : [{ type: "text", text: content }];
  if (role === "system") return { role, content };
  if (role === "user") return { role, content: text };
  if (role === "tool")
    return {
      role,
      content: [{ type: "tool-result", toolCallId, toolName: toolName ?? "", output: { type: "text", value: content } }],
    };
  const calls = toolCalls.map(({ id, name, input }) => ({ type: "tool-call", toolCallId: id, toolName: name, input: objectInput(input) }));
  return { role, content: [...(reasoning === undefined ? [] : [{ type: "reasoning", text: reasoning }]), ...text, ...calls] };
}
