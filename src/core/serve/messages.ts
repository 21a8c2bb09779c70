/** `/v1/messages`, for clients of Anthropic. Source: its API reference, version 2023-06-01. */
import type { FinishReason, GenerateOptions, Message, MessagePart, Usage } from "../spec/generate.ts";
import type { JsonSchema } from "../spec/schema.ts";
import type { ManyPart } from "../spec/stream-part.ts";
import { collectMany } from "../text/collect.ts";
import { begin, noUsage, randomId } from "./answers.ts";
import { readBody } from "./body.ts";
import type { Call } from "./call.ts";
import { type Fields, type Note, noteOf } from "./fields.ts";
import { joinTurns, readMaxTokens, readSampling, readText, readTextPart, readTool } from "./options.ts";
import type { OpenRecord } from "./record.ts";
import { anthropicError, json } from "./refusals.ts";
import { eventStream } from "./sse.ts";

const refused = ["container", "mcp_servers", "context_management"];
const idle = ["metadata", "service_tier", "inference_geo"];

export async function messages(call: Call): Promise<Response> {
  const fields = await readBody(call.request);
  const notes: Note[] = [];
  const model = fields.needed("model");
  const maxTokens = readMaxTokens(fields, "max_tokens");
  if (maxTokens === undefined) throw fields.wrong("max_tokens", "a number");
  const system = readText(fields, "system", ["text"]);
  const turns = joinTurns(readTurns(fields));
  const thinking = readThinking(fields.object("thinking"), notes);
  const [tools, form] = [readTools(fields), readForm(fields, notes)];
  const options: GenerateOptions = {
    ...readSampling(fields, "stop_sequences"),
    maxTokens,
    ...(thinking === "disabled" && { reasoning: "off" as const }),
    ...tools,
    ...form,
    ...readPrefill(fields, turns, { ...tools, ...form }),
  };
  const prompt = [...(system === undefined || system === "" ? [] : [{ role: "system" as const, content: system }]), ...turns];
  const isStream = fields.boolean("stream") ?? false;
  // what a prompt begins with is cached without being asked for
  fields.raw("cache_control");
  fields.refuse(refused);
  notes.push(...fields.idle(idle), ...fields.unread(call.isStrict));

  const asked = { prompt, options, asksForThought: thinking === "enabled" ? "thinking" : undefined };
  const begun = await begin(call, model, [asked]);
  const head = { id: randomId("msg_"), type: "message", role: "assistant", model };
  if (isStream) return eventStream(call, begun, events(begun, head, notes, call.record), { isNamed: true, error: anthropicError });
  const [answer] = await collectMany(begun);
  const { text = "", reasoning, toolCalls = [], finishReason = "stop", stoppedBy, warnings = [] } = answer ?? {};
  const all = [...notes, ...warnings.map(noteOf)];
  return json({
    ...head,
    content: [
      ...(reasoning === undefined ? [] : [{ type: "thinking", thinking: reasoning, signature: "" }]),
      ...(text === "" ? [] : [{ type: "text", text, citations: null }]),
      ...toolCalls.map(({ id, name, input }) => ({ type: "tool_use", id, name, input })),
    ],
    ...stopOf(finishReason, stoppedBy),
    usage: usageOf(call.record.usage),
    ...(all.length > 0 && { warnings: all }),
  });
}

const stopReasons = { stop: "end_turn", length: "max_tokens", aborted: "end_turn", "tool-calls": "tool_use" } as const;

function stopOf(finishReason: FinishReason, stoppedBy: string | undefined): object {
  return stoppedBy === undefined
    ? { stop_reason: stopReasons[finishReason], stop_sequence: null }
    : { stop_reason: "stop_sequence", stop_sequence: stoppedBy };
}

async function* events(
  parts: AsyncIterable<ManyPart>,
  head: object,
  notes: readonly Note[],
  record: Pick<OpenRecord, "usage">,
): AsyncGenerator<object, void, undefined> {
  const warnings = [...notes];
  let index = -1;
  let open: "text" | "thinking" | undefined;
  function* stop(): Generator<object, void> {
    if (open !== undefined) yield { type: "content_block_stop", index };
    open = undefined;
  }
  function* start(kind: "text" | "thinking"): Generator<object, void> {
    if (open === kind) return;
    yield* stop();
    index += 1;
    open = kind;
    yield {
      type: "content_block_start",
      index,
      content_block: kind === "text" ? { type: kind, text: "" } : { type: kind, thinking: "", signature: "" },
    };
  }
  for await (const { part } of parts) {
    if (part.type === "stream-start")
      yield { type: "message_start", message: { ...head, content: [], stop_reason: null, stop_sequence: null, usage: usageOf(undefined) } };
    else if (part.type === "text-delta") {
      yield* start("text");
      yield { type: "content_block_delta", index, delta: { type: "text_delta", text: part.text } };
    } else if (part.type === "reasoning-delta") {
      yield* start("thinking");
      yield { type: "content_block_delta", index, delta: { type: "thinking_delta", thinking: part.text } };
    } else if (part.type === "tool-call") {
      yield* stop();
      index += 1;
      yield { type: "content_block_start", index, content_block: { type: "tool_use", id: part.id, name: part.name, input: {} } };
      yield { type: "content_block_delta", index, delta: { type: "input_json_delta", partial_json: JSON.stringify(part.input) } };
      yield { type: "content_block_stop", index };
    } else if (part.type === "warning") warnings.push(noteOf(part));
    else {
      yield* stop();
      yield {
        type: "message_delta",
        delta: stopOf(part.finishReason, part.stoppedBy),
        usage: usageOf(record.usage),
        ...(warnings.length > 0 && { warnings }),
      };
    }
  }
  yield { type: "message_stop" };
}

/** Its count of input leaves out what was cached. */
function usageOf({ promptTokens, completionTokens, cachedTokens = 0 }: Usage = noUsage): object {
  return {
    input_tokens: promptTokens - cachedTokens,
    cache_read_input_tokens: cachedTokens,
    cache_creation_input_tokens: 0,
    output_tokens: completionTokens,
  };
}

function readTools(fields: Fields): GenerateOptions {
  const tools = fields.objects("tools")?.map((tool) => {
    const type = tool.raw("type") ?? "custom";
    if (type !== "custom") throw tool.wrong("type", "custom");
    const own = readTool(tool, "input_schema");
    for (const name of ["cache_control", "strict"]) tool.raw(name);
    return own;
  });
  const choice = fields.object("tool_choice");
  const type = choice?.one("type", ["auto", "any", "tool", "none"]);
  const isAlone = choice?.boolean("disable_parallel_tool_use");
  if (tools === undefined || tools.length === 0) {
    if (type === "any" || type === "tool") throw fields.wrong("tools", "at least one beside tool_choice", "none");
    return {};
  }
  const parallel = isAlone === undefined ? {} : { parallelToolCalls: !isAlone };
  if (choice === undefined || type === undefined) return { tools, ...parallel };
  if (type !== "tool") return { tools, toolChoice: type === "any" ? "required" : type, ...parallel };
  const name = choice.needed("name");
  if (!tools.some((tool) => tool.name === name)) throw choice.wrong("name", tools.map((tool) => tool.name).join(", "));
  return { tools, toolChoice: { name }, ...parallel };
}

/** That a model does not think can be asked for; how long it does is its own matter. */
function readThinking(thinking: Fields | undefined, notes: Note[]): "enabled" | "disabled" | "adaptive" | undefined {
  if (thinking === undefined) return undefined;
  const type = thinking.one("type", ["enabled", "disabled", "adaptive"]);
  if (type === undefined) throw thinking.wrong("type", "enabled, disabled, adaptive");
  notes.push(...thinking.idle(["budget_tokens", "display"]));
  return type;
}

function readForm(fields: Fields, notes: Note[]): GenerateOptions {
  const output = fields.object("output_config");
  notes.push(...(output?.idle(["effort", "task_budget"]) ?? []));
  const format = output?.object("format") ?? fields.object("output_format");
  fields.raw("output_format");
  if (format === undefined) return {};
  if (format.one("type", ["json_schema"]) === undefined) throw format.wrong("type", "json_schema");
  const schema = format.json("schema");
  if (schema === undefined) throw format.wrong("schema", "a JSON schema");
  return { jsonSchema: schema as JsonSchema };
}

/** An answer that its asker has begun is gone on with, as Anthropic has it. */
function readPrefill(fields: Fields, turns: readonly Message[], { jsonSchema, toolChoice }: GenerateOptions): GenerateOptions {
  const last = turns.at(-1);
  if (last?.role !== "assistant") return {};
  const parts = typeof last.content === "string" ? [{ type: "text" as const, text: last.content }] : last.content;
  const asksForWhole =
    jsonSchema !== undefined
      ? "output_config.format"
      : toolChoice === "required" || typeof toolChoice === "object"
        ? "tool_choice"
        : undefined;
  if (asksForWhole !== undefined)
    throw fields.wrong("messages", `one of the user as the last, beside ${asksForWhole}`, "one of the assistant");
  const isText = parts.some((part) => part.type === "text" && part.text !== "") && !parts.some(({ type }) => type === "tool-call");
  const end = fields.objects("messages")?.at(-1);
  if (!isText) throw (end ?? fields).wrong("content", "text in a last message of the assistant, which the answer goes on with");
  return { continueLast: true };
}

function readTurns(fields: Fields): readonly Message[] {
  const list = fields.objects("messages");
  if (list === undefined || list.length === 0) throw fields.wrong("messages", "at least one message");
  return list.flatMap((turn): readonly Message[] => {
    const role = turn.one("role", ["user", "assistant", "system"]);
    if (role === undefined) throw turn.wrong("role", "user, assistant");
    const content = turn.raw("content");
    if (typeof content === "string") return [{ role, content }];
    const blocks = turn.objects("content");
    if (blocks === undefined) throw turn.wrong("content", "text or a list of blocks");
    const read = blocks.flatMap((block) => {
      const part = readBlock(block, role);
      for (const name of ["cache_control", "citations", "signature", "caller"]) block.raw(name);
      return part ?? [];
    });
    // results of tools are messages of their own; they come before what the user says
    const results = read.filter(({ type }) => type === "tool-result");
    const others = read.filter(({ type }) => type !== "tool-result");
    return [
      ...(results.length === 0 ? [] : [{ role: "tool" as const, content: results }]),
      ...(others.length === 0 && results.length > 0 ? [] : [{ role, content: others }]),
    ];
  });
}

function readBlock(block: Fields, role: "user" | "assistant" | "system"): MessagePart | undefined {
  const type = block.raw("type");
  if (type === "text") return { type, text: readTextPart(block, ["text"]) };
  if (role === "user" && type === "tool_result") {
    block.boolean("is_error"); // the model reads it in the words of the result
    return { type: "tool-result", id: block.needed("tool_use_id"), result: readText(block, "content", ["text"]) ?? "" };
  }
  if (role === "assistant" && type === "tool_use")
    return { type: "tool-call", id: block.needed("id"), name: block.needed("name"), input: block.raw("input") ?? {} };
  if (role === "assistant" && type === "thinking") return { type: "reasoning", text: block.text("thinking") ?? "" };
  if (role === "assistant" && type === "redacted_thinking") {
    block.raw("data");
    return undefined;
  }
  throw block.wrong("type", { user: "text, tool_result", assistant: "text, thinking, tool_use", system: "text" }[role]);
}
