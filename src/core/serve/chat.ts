/** `/v1/chat/completions`. Source: the API reference of OpenAI; fields of llama.cpp and vLLM where it has none. */
import type { Message, MessagePart } from "../spec/generate.ts";
import type { ManyPart } from "../spec/stream-part.ts";
import { collectMany } from "../text/collect.ts";
import { begin, copies, finishReasons, nowSeconds, openaiUsage, randomId } from "./answers.ts";
import { readBody } from "./body.ts";
import type { Call } from "./call.ts";
import { type Fields, ignored, type Note, noteOf } from "./fields.ts";
import { mostAnswers, readCall, readEffort, readForm, readMaxTokens, readSampling, readText, readTools } from "./options.ts";
import type { OpenRecord } from "./record.ts";
import { json, openaiError } from "./refusals.ts";
import { eventStream } from "./sse.ts";

/** They would change the answer. */
const refused = ["logprobs", "top_logprobs", "logit_bias", "modalities", "audio", "functions", "function_call", "web_search_options"];
/** They do not. */
const idle = [
  "user",
  "metadata",
  "store",
  "service_tier",
  "safety_identifier",
  "prompt_cache_key",
  "prompt_cache_retention",
  "prediction",
  "verbosity",
];

interface Head {
  readonly id: string;
  readonly created: number;
  readonly model: string;
}

export async function chat(call: Call): Promise<Response> {
  const fields = await readBody(call.request);
  const notes: Note[] = [];
  const model = fields.needed("model");
  const prompt = readMessages(fields, notes);
  const maxTokens = readMaxTokens(fields, "max_completion_tokens", "max_tokens");
  // what templates of llama.cpp and vLLM are told; this is known here
  const thinks = fields.object("chat_template_kwargs")?.boolean("enable_thinking");
  const options = {
    ...readSampling(fields),
    maxTokens,
    ...readTools(fields, (tool) => tool.object("function") ?? missing(tool, "function")),
    ...readForm(fields.object("response_format"), (format) => format.object("json_schema")),
    ...readEffort(fields, "reasoning_effort", notes),
    ...(thinks === false && { reasoning: "off" as const }),
    grammar: fields.text("grammar"),
    ...readGoesOn(fields),
  };
  const count = fields.integer("n", 1, mostAnswers) ?? 1;
  const { isStream, usage } = readStream(fields, notes);
  fields.refuse(refused);
  notes.push(...fields.idle(idle), ...fields.unread(call.isStrict));

  const begun = await begin(
    call,
    model,
    copies({ prompt, options, asksForThought: thinks === true ? "chat_template_kwargs.enable_thinking" : undefined }, count),
  );
  const head: Head = { id: randomId("chatcmpl-"), created: nowSeconds(), model };
  if (isStream)
    return eventStream(call, begun, chunks(begun, head, count, notes, usage, call.record), { end: "[DONE]", error: openaiError });
  const answers = await collectMany(begun);
  const warnings = [...notes, ...answers.flatMap((answer) => answer.warnings.map(noteOf))];
  return json({
    ...head,
    object: "chat.completion",
    choices: answers.map(({ text, reasoning, toolCalls, finishReason }, index) => ({
      index,
      message: {
        role: "assistant",
        content: toolCalls.length > 0 && text === "" ? null : text,
        refusal: null,
        ...(reasoning !== undefined && { reasoning_content: reasoning }),
        ...(toolCalls.length > 0 && { tool_calls: toolCalls.map(toolCall) }),
      },
      logprobs: null,
      finish_reason: finishReasons[finishReason],
    })),
    usage: openaiUsage(call.record.usage),
    ...(warnings.length > 0 && { warnings }),
  });
}

async function* chunks(
  parts: AsyncIterable<ManyPart>,
  head: Head,
  count: number,
  notes: readonly Note[],
  hasUsage: boolean,
  record: Pick<OpenRecord, "usage">,
): AsyncGenerator<object, void, undefined> {
  const warnings = [...notes];
  let calls = 0;
  const chunk = (index: number, delta: object, finish_reason: string | null = null, more: object = {}): object => ({
    ...head,
    object: "chat.completion.chunk",
    choices: [{ index, delta, logprobs: null, finish_reason }],
    ...(hasUsage && { usage: null }),
    ...more,
  });
  for await (const { index, part } of parts) {
    if (part.type === "stream-start") {
      calls = 0;
      yield chunk(index, { role: "assistant", content: "" });
    } else if (part.type === "text-delta") yield chunk(index, { content: part.text });
    else if (part.type === "reasoning-delta") yield chunk(index, { reasoning_content: part.text });
    else if (part.type === "tool-call") {
      yield chunk(index, { tool_calls: [{ index: calls, ...toolCall(part) }] });
      calls += 1;
    } else if (part.type === "warning") warnings.push(noteOf(part));
    else yield chunk(index, {}, finishReasons[part.finishReason], index === count - 1 && warnings.length > 0 ? { warnings } : {});
  }
  if (hasUsage) yield { ...head, object: "chat.completion.chunk", choices: [], usage: openaiUsage(record.usage) };
}

function toolCall({ id, name, input }: { readonly id: string; readonly name: string; readonly input: unknown }) {
  return { id, type: "function", function: { name, arguments: JSON.stringify(input) } };
}

/** Whether the answer comes in pieces, and its counts with it. */
export function readStream(fields: Fields, notes: Note[]): { readonly isStream: boolean; readonly usage: boolean } {
  const isStream = fields.boolean("stream") ?? false;
  const options = fields.object("stream_options");
  if (options === undefined) return { isStream, usage: false };
  if (!isStream) throw fields.wrong("stream_options", "none without stream");
  const usage = options.boolean("include_usage") ?? false;
  notes.push(...options.idle(["include_obfuscation"]));
  return { isStream, usage };
}

/** As vLLM has it; without it a last message of the assistant is one of those that were said. */
function readGoesOn(fields: Fields): { readonly continueLast?: true } {
  const goesOn = fields.boolean("continue_final_message");
  const begins = fields.boolean("add_generation_prompt");
  if (goesOn !== true && begins === false) throw fields.wrong("add_generation_prompt", "true, without continue_final_message");
  if (goesOn === true && begins === true) throw fields.wrong("add_generation_prompt", "false, beside continue_final_message");
  return goesOn === true ? { continueLast: true } : {};
}

function missing(fields: Fields, name: string): never {
  throw fields.wrong(name, "an object");
}

/** Keys of messages that programs send back as they got them; they say nothing to a model. */
const echoed = ["refusal", "audio", "annotations", "function_call", "index"];

function readMessages(fields: Fields, notes: Note[]): readonly Message[] {
  const list = fields.objects("messages");
  if (list === undefined || list.length === 0) throw fields.wrong("messages", "at least one message");
  return list.map((message) => {
    const read = readMessage(message);
    message.refuse(["function_call", "audio"]);
    for (const name of echoed) message.raw(name);
    if (message.text("name") !== undefined) notes.push(ignored(`${message.at("name")}: it has no effect here`));
    return read;
  });
}

function readMessage(message: Fields): Message {
  const role = message.one("role", ["system", "developer", "user", "assistant", "tool"]);
  if (role === undefined) throw message.wrong("role", "system, developer, user, assistant, tool");
  if (role === "tool") {
    const result = readText(message, "content", ["text"]) ?? "";
    return { role, content: [{ type: "tool-result", id: message.needed("tool_call_id"), result }] };
  }
  if (role !== "assistant") {
    const content = readText(message, "content", ["text"]);
    if (content === undefined) throw message.wrong("content", "text");
    return { role: role === "developer" ? "system" : role, content };
  }
  const reasoning = message.text("reasoning_content") ?? message.text("reasoning");
  message.raw("reasoning");
  const text = readText(message, "content", ["text", "refusal"]) ?? message.text("refusal");
  const calls = (message.objects("tool_calls") ?? []).map((call) => {
    const type = call.raw("type") ?? "function";
    if (type !== "function") throw call.wrong("type", "function");
    call.raw("index");
    return readCall(call.object("function") ?? missing(call, "function"), call.needed("id"));
  });
  if (text === undefined && calls.length === 0) throw message.wrong("content", "text, or tool_calls beside it");
  const parts: MessagePart[] = [
    ...(reasoning === undefined ? [] : [{ type: "reasoning" as const, text: reasoning }]),
    ...(text === undefined ? [] : [{ type: "text" as const, text }]),
    ...calls,
  ];
  return { role, content: parts };
}
