/** `/v1/responses`: the events that the official clients and the AI SDK need. Nothing is stored. Source: the API reference of OpenAI. */
import type { GenerateOptions, Message, Usage } from "../spec/generate.ts";
import type { ManyPart } from "../spec/stream-part.ts";
import { begin, noUsage, nowSeconds, randomId } from "./answers.ts";
import { readBody } from "./body.ts";
import type { Call } from "./call.ts";
import { type Fields, gotOf, ignored, type Note, noteOf } from "./fields.ts";
import { joinTurns, readCall, readEffort, readForm, readMaxTokens, readSampling, readText, readTextPart, readTools } from "./options.ts";
import { endOf, json, openaiError, type Told, told } from "./refusals.ts";
import { eventStream } from "./sse.ts";

type Item = Readonly<Record<string, unknown>>;

const refused = ["previous_response_id", "conversation", "background", "prompt", "max_tool_calls", "top_logprobs", "context_management"];
const idle = ["user", "store", "service_tier", "safety_identifier", "prompt_cache_key", "prompt_cache_retention", "truncation"];

export async function responses(call: Call): Promise<Response> {
  const fields = await readBody(call.request);
  const notes: Note[] = [];
  const model = fields.needed("model");
  const instructions = fields.text("instructions");
  const maxTokens = readMaxTokens(fields, "max_output_tokens");
  const reasoning = fields.object("reasoning");
  const text = fields.object("text");
  const options: GenerateOptions = {
    ...readSampling(fields),
    maxTokens,
    ...readTools(fields, (tool) => tool),
    ...readForm(text?.object("format"), (format) => format),
    ...(reasoning !== undefined && readEffort(reasoning, "effort", notes)),
  };
  const prompt = joinTurns([
    ...(instructions === undefined ? [] : [{ role: "system" as const, content: instructions }]),
    ...readInput(fields),
  ]);
  const isStream = fields.boolean("stream") ?? false;
  const metadata = fields.raw("metadata");
  readInclude(fields, notes);
  fields.refuse(refused);
  notes.push(
    ...fields.idle(idle),
    ...(fields.object("stream_options")?.idle(["include_obfuscation"]) ?? []),
    ...(reasoning?.idle(["summary", "generate_summary"]) ?? []),
    ...(text?.idle(["verbosity"]) ?? []),
    ...fields.unread(call.isStrict),
  );

  const base = {
    id: randomId("resp_"),
    object: "response",
    created_at: nowSeconds(),
    status: "in_progress",
    background: false,
    error: null,
    incomplete_details: null,
    instructions: instructions ?? null,
    max_output_tokens: maxTokens ?? null,
    metadata: metadata ?? {},
    model,
    output: [],
    parallel_tool_calls: options.parallelToolCalls ?? true,
    previous_response_id: null,
    reasoning: { effort: reasoning?.raw("effort") ?? null, summary: null },
    store: false,
    temperature: options.temperature ?? null,
    text: { format: text?.raw("format") ?? { type: "text" } },
    tool_choice: fields.raw("tool_choice") ?? "auto",
    tools: fields.raw("tools") ?? [],
    top_p: options.topP ?? null,
    truncation: "disabled",
    usage: null,
  };
  const begun = await begin(call, model, [{ prompt, options }]);
  const all = events(begun, base, notes, call, isStream);
  if (isStream) return eventStream(call, begun, all, { isNamed: true, error: openaiError });
  let last: Item = {};
  for await (const event of all) last = event;
  return json(last["response"]);
}

/** Each event has its type and a number that rises; the last one has the whole response. */
async function* events(
  parts: AsyncIterable<ManyPart>,
  base: Item,
  notes: readonly Note[],
  { record, signal }: Pick<Call, "record" | "signal">,
  isStream: boolean,
): AsyncGenerator<Item, void, undefined> {
  let number = 0;
  const event = (type: string, more: Item): Item => {
    number += 1;
    return { type, sequence_number: number - 1, ...more };
  };
  const output: Item[] = [];
  const warnings = [...notes];
  let open: Open | undefined;

  function* begun(kind: Open["kind"]): Generator<Item, Open> {
    yield* ended("completed");
    const own: Open = { kind, id: randomId(kind === "message" ? "msg_" : "rs_"), text: "" };
    open = own;
    yield event("response.output_item.added", { output_index: output.length, item: itemOf(own, "in_progress", false) });
    yield event("response.content_part.added", { ...placeOf(own), part: partOf(own) });
    return own;
  }
  function* ended(status: string): Generator<Item, void> {
    const own = open;
    if (own === undefined) return;
    open = undefined;
    const done = own.kind === "message" ? { text: own.text, logprobs: [] } : { text: own.text };
    yield event(`response.${deltaName[own.kind]}.done`, { ...placeOf(own), ...done });
    yield event("response.content_part.done", { ...placeOf(own), part: partOf(own) });
    const item = itemOf(own, status, true);
    yield event("response.output_item.done", { output_index: output.length, item });
    output.push(item);
  }
  const placeOf = (own: Open): Item => ({ item_id: own.id, output_index: output.length, content_index: 0 });

  yield event("response.created", { response: base });
  yield event("response.in_progress", { response: base });
  try {
    for await (const { part } of parts) {
      if (part.type === "text-delta" || part.type === "reasoning-delta") {
        const kind = part.type === "text-delta" ? "message" : "reasoning";
        const own: Open = open?.kind === kind ? open : yield* begun(kind);
        own.text += part.text;
        yield event(`response.${deltaName[kind]}.delta`, {
          ...placeOf(own),
          delta: part.text,
          ...(kind === "message" && { logprobs: [] }),
        });
      } else if (part.type === "tool-call") {
        yield* ended("completed");
        const text = JSON.stringify(part.input);
        const item = {
          id: randomId("fc_"),
          type: "function_call",
          status: "completed",
          call_id: part.id,
          name: part.name,
          arguments: text,
        };
        const place = { item_id: item.id, output_index: output.length };
        yield event("response.output_item.added", { output_index: output.length, item: { ...item, status: "in_progress", arguments: "" } });
        yield event("response.function_call_arguments.delta", { ...place, delta: text });
        yield event("response.function_call_arguments.done", { ...place, name: part.name, arguments: text });
        yield event("response.output_item.done", { output_index: output.length, item });
        output.push(item);
      } else if (part.type === "warning") warnings.push(noteOf(part));
      else if (part.type === "stream-end") {
        const isCut = part.finishReason === "length";
        // an answer without a word is an empty message
        if (output.length === 0 && open === undefined) yield* begun("message");
        yield* ended(isCut ? "incomplete" : "completed");
        const response = {
          ...base,
          status: isCut ? "incomplete" : "completed",
          incomplete_details: isCut ? { reason: "max_output_tokens" } : null,
          output,
          usage: usageOf(record.usage),
          ...(warnings.length > 0 && { warnings }),
        };
        yield event(isCut ? "response.incomplete" : "response.completed", { response });
      }
    }
  } catch (error) {
    const cause = endOf(signal) ?? error;
    if (!isStream || (signal.aborted && cause === error)) throw error;
    record.fail(cause);
    yield event("response.failed", { response: { ...base, output, ...failed(told(cause, "/v1/responses")) } });
  }
}

/** An item that is being written. */
interface Open {
  readonly kind: "message" | "reasoning";
  readonly id: string;
  text: string;
}

const deltaName = { message: "output_text", reasoning: "reasoning_text" } as const;

function partOf({ kind, text }: Open): Item {
  return kind === "message" ? { type: "output_text", text, annotations: [], logprobs: [] } : { type: "reasoning_text", text };
}

function itemOf(own: Open, status: string, isWhole: boolean): Item {
  const content = isWhole ? [partOf(own)] : [];
  return own.kind === "message"
    ? { id: own.id, type: "message", role: "assistant", status, content }
    : { id: own.id, type: "reasoning", status, summary: [], content };
}

function failed({ code, message }: Told): Item {
  return { status: "failed", error: { code, message } };
}

function usageOf({ promptTokens, completionTokens, totalTokens, cachedTokens = 0 }: Usage = noUsage): Item {
  return {
    input_tokens: promptTokens,
    input_tokens_details: { cached_tokens: cachedTokens },
    output_tokens: completionTokens,
    output_tokens_details: { reasoning_tokens: 0 },
    total_tokens: totalTokens,
  };
}

/** Parts of an answer that can be asked for beside it; there are none here. */
function readInclude(fields: Fields, notes: Note[]): void {
  for (const each of fields.list("include") ?? []) {
    if (typeof each !== "string") throw fields.wrong("include", "a list of names", gotOf(each));
    // of answers that store their thoughts elsewhere; they are in the answer itself here
    if (each !== "reasoning.encrypted_content") notes.push(ignored(`include: there is no ${each.slice(0, 60)} here`));
  }
}

function readInput(fields: Fields): readonly Message[] {
  const given = fields.raw("input");
  if (typeof given === "string") return [{ role: "user", content: given }];
  const items = Array.isArray(given) ? (fields.objects("input") ?? []) : [];
  if (items.length === 0) throw fields.wrong("input", "text or a list of items");
  return items.map((item) => {
    const read = readItem(item);
    for (const name of ["id", "status", "type", "annotations", "logprobs", "phase"]) item.raw(name);
    return read;
  });
}

const textTypes = ["input_text", "output_text", "text", "refusal"];

function readItem(item: Fields): Message {
  const type = item.raw("type") ?? "message";
  if (type === "function_call") return { role: "assistant", content: [readCall(item, item.needed("call_id"))] };
  if (type === "function_call_output") {
    const result = readText(item, "output", textTypes);
    if (result === undefined) throw item.wrong("output", "text");
    return { role: "tool", content: [{ type: "tool-result", id: item.needed("call_id"), result }] };
  }
  if (type === "reasoning") {
    for (const name of ["summary", "encrypted_content"]) item.raw(name);
    const text = (item.objects("content") ?? []).map((part) => readTextPart(part, ["reasoning_text", "text"])).join("");
    return { role: "assistant", content: text === "" ? [] : [{ type: "reasoning", text }] };
  }
  if (type !== "message") throw item.wrong("type", "message, function_call, function_call_output, reasoning");
  const role = item.one("role", ["user", "assistant", "system", "developer"]);
  if (role === undefined) throw item.wrong("role", "user, assistant, system, developer");
  const content = readText(item, "content", textTypes);
  if (content === undefined) throw item.wrong("content", "text");
  return { role: role === "developer" ? "system" : role, content };
}
