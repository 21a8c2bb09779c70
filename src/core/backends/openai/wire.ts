/**
 * The wire of chat completions. Source: the API reference of OpenAI; what servers do otherwise is said where it is read.
 */
import { SpellError } from "../../errors.ts";
import { isObject } from "../../json.ts";
import type { ChatMessage, ChatPrompt, GenerateOptions } from "../../spec/generate.ts";
import { refuseContinue } from "../../text/check-call.ts";
import { refuseTools } from "../../text/check-tools.ts";
import { splitParameters, stopsOf } from "../../text/known-parameters.ts";
import type { NumberParameter } from "../../text/parameters.ts";
import { plainTool, templateTools } from "../../tools/messages.ts";
import { type Json, numberOf, objects } from "../answer-values.ts";
import { isStrict } from "../server/held-form.ts";
import { objectInput } from "../server/tool-calls.ts";
import type { ServedVectors } from "../server/vectors.ts";
import type { ServedForm, Wire } from "../server/wire.ts";
import { readChunks } from "./read.ts";

/** Of OpenAI itself. */
const own: Readonly<Partial<Record<NumberParameter, string>>> = {
  maxTokens: "max_completion_tokens",
  temperature: "temperature",
  topP: "top_p",
  presencePenalty: "presence_penalty",
  frequencyPenalty: "frequency_penalty",
  seed: "seed",
};
/** Of other servers: the older name of the length, and what vLLM, llama.cpp and LM Studio add. */
const others: typeof own = { ...own, maxTokens: "max_tokens", topK: "top_k", minP: "min_p" };

/** as everywhere, where nobody says more */
const usualTokens = 512;
/** Texts that end an answer, at most. */
const mostStops = 4;

/** @param isOpenai OpenAI itself, which refuses fields it does not know */
export function openaiWire(isOpenai: boolean): Wire {
  const known = isOpenai ? own : others;
  return {
    vectors: {
      // other servers know it or not, and all give numbers
      write: (model, input) => ({ path: "/embeddings", body: { model, input, ...(isOpenai && { encoding_format: "base64" }) } }),
      read: readVectors,
    },
    modelsPath: "/models",
    headers: {},
    optionNames: {
      ...Object.fromEntries(Object.entries(known).map(([name, field]) => [field, name])),
      max_tokens: "maxTokens",
      stop: "stop",
      response_format: "jsonSchema",
    },
    secret: (key) => ({ secret: `Bearer ${key}` }),
    write(model, prompt, options, form) {
      const { sent, ignored: unknown } = splitParameters({ maxTokens: usualTokens, ...options }, known);
      // each of its models has another word for it, or none
      refuseContinue(options, "a service of OpenAI's shape");
      const ignored = isOpenai && options.reasoning === "off" ? [...unknown, "reasoning"] : unknown;
      const stop = stopsOf(options);
      if (isOpenai && stop.length > mostStops)
        throw new SpellError("run-option", `stop: expected at most ${mostStops} texts for OpenAI, got ${stop.length}`, { where: "stop" });
      const shared = { model, stream: true, stream_options: { include_usage: true }, ...sent, ...(stop.length > 0 && { stop }) };
      if (options.raw === true) {
        if (typeof prompt !== "string") throw new SpellError("run-option", "raw: expected a text; got messages", { where: "raw" });
        refuseTools(options, "a raw text has none");
        // completions have the older name alone
        const { max_completion_tokens: _, ...older } = { max_completion_tokens: undefined, ...shared };
        return {
          path: "/completions",
          body: { ...older, max_tokens: options.maxTokens ?? usualTokens, prompt },
          ignored,
          read: readChunks,
        };
      }
      const body = {
        ...shared,
        ...toolsOf(options),
        ...formOf(form),
        ...reasoningOf(options, isOpenai),
        messages: messagesOf(prompt, options, isOpenai),
      };
      return { path: "/chat/completions", body, ignored, read: readChunks };
    },
  };
}

/** Each says which text it is of; where none does, they come in order. */
function readVectors(answer: unknown): ServedVectors | undefined {
  if (!isObject(answer) || !Array.isArray(answer["data"])) return undefined;
  const data = objects(answer["data"]);
  const vectors = new Array<unknown>(data.length).fill(undefined);
  for (const [row, { index = row, embedding }] of data.entries()) {
    if (!Number.isInteger(index) || (index as number) < 0 || (index as number) >= data.length) return undefined;
    vectors[index as number] = embedding;
  }
  const { usage } = answer;
  return { vectors, tokens: (isObject(usage) ? numberOf(usage["prompt_tokens"]) : undefined) ?? 0 };
}

function toolsOf({ tools = [], toolChoice, parallelToolCalls }: GenerateOptions): Json {
  if (tools.length === 0) return {};
  return {
    tools: templateTools(tools.map(plainTool), (text) => text),
    ...(toolChoice !== undefined && {
      tool_choice: typeof toolChoice === "string" ? toolChoice : { type: "function", function: { name: toolChoice.name } },
    }),
    // models refuse what they do not know, so the server's own default stands where nobody says more
    ...(parallelToolCalls !== undefined && { parallel_tool_calls: parallelToolCalls }),
  };
}

function formOf(form: ServedForm | undefined): Json {
  if (form === undefined) return {};
  return { response_format: { type: "json_schema", json_schema: { name: "answer", strict: isStrict(form.schema), schema: form.schema } } };
}

/** Templates of vLLM, llama.cpp and SGLang read the one, Ollama the other. */
function reasoningOf({ reasoning }: GenerateOptions, isOpenai: boolean): Json {
  if (reasoning !== "off" || isOpenai) return {};
  return { chat_template_kwargs: { enable_thinking: false }, reasoning_effort: "none" };
}

function messagesOf(prompt: ChatPrompt, { system }: GenerateOptions, isOpenai: boolean): readonly object[] {
  const messages: readonly ChatMessage[] = typeof prompt === "string" ? [{ role: "user", content: prompt }] : prompt;
  const first: readonly ChatMessage[] = system === undefined ? [] : [{ role: "system", content: system }];
  return [...first, ...messages].map(({ role, content, reasoning, toolCalls, toolCallId }) => {
    if (role === "tool") return { role, content, tool_call_id: toolCallId };
    if (toolCalls === undefined) return { role, content };
    return {
      role,
      content: content === "" ? null : content,
      // within a step of tools some models want their thought back; OpenAI knows no such field
      ...(reasoning !== undefined && !isOpenai && { reasoning_content: reasoning }),
      tool_calls: toolCalls.map(({ id, name, input }) => ({
        id,
        type: "function",
        function: { name, arguments: JSON.stringify(objectInput(input)) },
      })),
    };
  });
}
