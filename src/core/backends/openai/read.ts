/** What the chunks of a chat completion say. */
import { isObject } from "../../json.ts";
import type { FinishReason, Usage } from "../../spec/generate.ts";
import { type Json, numberOf, objects, parsed, textOf } from "../answer-values.ts";
import type { ServerEvent } from "../server/events.ts";
import { createCalls } from "../server/tool-calls.ts";
import type { Failures, WirePart } from "../server/wire.ts";

/** Reasons that servers give; others end in an error, since nobody here knows what they mean for the text. */
const reasons: Readonly<Partial<Record<string, FinishReason>>> = {
  stop: "stop",
  eos: "stop",
  end_turn: "stop",
  length: "length",
  max_tokens: "length",
  tool_calls: "tool-calls",
  function_call: "tool-calls",
};

export async function* readChunks(events: AsyncIterable<ServerEvent>, failures: Failures): AsyncGenerator<WirePart, void, undefined> {
  const calls = createCalls(failures);
  let reason: string | undefined;
  let usage: Json = {};
  for await (const { data } of events) {
    if (data.trim() === "[DONE]") break;
    const chunk = parsed(data);
    if (!isObject(chunk)) throw failures.broken(`sends something other than an object of JSON: ${JSON.stringify(data.slice(0, 80))}`);
    if (chunk["error"] !== undefined && chunk["error"] !== null) throw failures.reported(data);
    // in the last chunk, which has no choices; some send it with every one
    if (isObject(chunk["usage"])) usage = chunk["usage"];
    if (isObject(chunk["choices"])) throw failures.broken("sends choices that are no list");
    const [choice] = objects(chunk["choices"]);
    if (choice === undefined) continue;
    const delta: Json = isObject(choice["delta"]) ? choice["delta"] : {};
    const said = contentOf(delta["content"], failures);
    // llama.cpp, LM Studio, DeepSeek; vLLM and Ollama
    const thought = textOf(delta["reasoning_content"]) ?? textOf(delta["reasoning"]) ?? said.thought;
    if (thought !== undefined) yield { type: "reasoning-delta", text: thought };
    // `text` of a raw completion; OpenAI says in `refusal` why it does not answer
    const text = said.text ?? textOf(choice["text"]) ?? textOf(delta["refusal"]);
    if (text !== undefined) yield { type: "text-delta", text };
    for (const call of objects(delta["tool_calls"])) {
      const own: Json = isObject(call["function"]) ? call["function"] : {};
      calls.add(numberOf(call["index"]), textOf(call["id"]), textOf(own["name"]), argumentsOf(own["arguments"]));
    }
    reason = textOf(choice["finish_reason"]) ?? reason;
  }
  // a closed connection looks like an end
  if (reason === undefined) throw failures.broken("broke the answer off");
  const known = reasons[reason.toLowerCase()];
  if (reason === "content_filter") throw failures.broken("ended the answer by its filter of contents");
  if (known === undefined)
    throw failures.broken(`ended the answer for a reason that is not known here: ${JSON.stringify(reason.slice(0, 80))}`);
  // one that was cut has no calls: its last one may be half
  const whole = known === "length" ? [] : calls.end();
  yield* whole;
  yield { type: "ended", finishReason: whole.length > 0 ? "tool-calls" : known === "tool-calls" ? "stop" : known, usage: usageOf(usage) };
}

/** A text, or a list of parts: so Mistral streams what thinks. */
function contentOf(content: unknown, failures: Failures): { readonly text: string | undefined; readonly thought?: string | undefined } {
  const isText = content === undefined || content === null || typeof content === "string";
  if (!isText && !Array.isArray(content)) throw failures.broken("sends content that is no text");
  if (isText) return { text: textOf(content) };
  let [text, thought] = ["", ""];
  for (const part of objects(content)) {
    if (part["type"] !== "thinking") text += textOf(part["text"]) ?? "";
    else for (const each of objects(part["thinking"])) thought += textOf(each["text"]) ?? "";
  }
  return { text: textOf(text), thought: textOf(thought) };
}

/** Some servers send them as an object. */
function argumentsOf(value: unknown): string {
  return typeof value === "string" ? value : isObject(value) ? JSON.stringify(value) : "";
}

function usageOf(usage: Json): Usage {
  const promptTokens = numberOf(usage["prompt_tokens"]) ?? 0;
  const completionTokens = numberOf(usage["completion_tokens"]) ?? 0;
  const details = usage["prompt_tokens_details"];
  const cachedTokens = isObject(details) ? numberOf(details["cached_tokens"]) : undefined;
  return {
    promptTokens,
    completionTokens,
    totalTokens: promptTokens + completionTokens,
    ...(cachedTokens !== undefined && { cachedTokens }),
  };
}
