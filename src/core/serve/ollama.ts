/**
 * Ollama's own API, for programs that know only Ollama: `/api/chat`, `/api/generate`, `/api/embed`. Source: docs/api.md of Ollama 0.6.5, and what its
 * server answers. Its models are asked for with pulled names; here they have the names of `/v1/models`, also with `:latest` behind.
 */
import type { EmbedResult } from "../spec/embedding-model.ts";
import type { GenerateOptions, Message, MessagePart, Timing, ToolCall, Usage } from "../spec/generate.ts";
import type { ManyPart } from "../spec/stream-part.ts";
import { collectMany } from "../text/collect.ts";
import { begin } from "./answers.ts";
import { readBody } from "./body.ts";
import type { Call } from "./call.ts";
import { readTexts } from "./embeddings.ts";
import { type Fields, ignored, type Note, noteOf } from "./fields.ts";
import { nameOf, readContextSize, readKeepAlive, readOptions } from "./ollama-options.ts";
import { readTools } from "./options.ts";
import { json } from "./refusals.ts";
import { eventStream } from "./sse.ts";

/** as `/v1/embeddings` has it */
const mostTexts = 2048;
const nanoseconds = 1e6;

/** @returns nanoseconds */
function since(startedMs: number): number {
  return Math.round((performance.now() - startedMs) * nanoseconds);
}

/** What a piece of an answer is called: `message` of chats, `response` of plain prompts. */
type Shape = (piece: {
  readonly text?: string | undefined;
  readonly thinking?: string | undefined;
  readonly calls?: readonly ToolCall[];
}) => object;

export async function chat(call: Call): Promise<Response> {
  const fields = await readBody(call.request);
  const notes: Note[] = [];
  const model = nameOf(fields);
  const prompt = readMessages(fields.objects("messages") ?? []);
  const functionOf = (tool: Fields): Fields => {
    const own = tool.object("function");
    if (own === undefined) throw tool.wrong("function", "an object");
    return own;
  };
  const options = { ...readOptions(fields, notes), ...readTools(fields, functionOf) };
  return answer(call, fields, notes, { model, prompt, options }, ({ text = "", thinking, calls = [] }) => ({
    message: {
      role: "assistant",
      content: text,
      ...(thinking !== undefined && { thinking }),
      ...(calls.length > 0 && { tool_calls: calls.map(({ name, input }) => ({ function: { name, arguments: input } })) }),
    },
  }));
}

export async function generate(call: Call): Promise<Response> {
  const fields = await readBody(call.request);
  const notes: Note[] = [];
  const model = nameOf(fields);
  const prompt = fields.text("prompt") ?? "";
  const [raw, system] = [fields.boolean("raw"), fields.text("system")];
  const options = { ...readOptions(fields, notes), raw, system: system === "" ? undefined : system };
  fields.refuse(["suffix", "images", "template"]);
  notes.push(...fields.idle(["context"]));
  return answer(call, fields, notes, { model, prompt, options }, ({ text = "", thinking }) => ({
    response: text,
    ...(thinking !== undefined && { thinking }),
  }));
}

export async function embed(call: Call): Promise<Response> {
  const fields = await readBody(call.request);
  const started = performance.now();
  const { name, result, loadMs, notes } = await vectorsOf(call, fields, "input");
  return json({
    model: name,
    embeddings: result.vectors.map((vector) => [...vector]),
    total_duration: since(started),
    load_duration: Math.round(loadMs * nanoseconds),
    prompt_eval_count: result.tokens,
    ...warned(notes),
  });
}

/** The older form of embed(): one text. */
export async function embedOne(call: Call): Promise<Response> {
  const { result } = await vectorsOf(call, await readBody(call.request), "prompt");
  return json({ embedding: [...(result.vectors[0] ?? [])] });
}

async function vectorsOf(call: Call, fields: Fields, field: string) {
  const name = nameOf(fields);
  const given = fields.raw(field);
  const isNothing = given === undefined || given === "" || (Array.isArray(given) && given.length === 0);
  const texts = isNothing ? [] : readTexts(fields, field, mostTexts);
  const options = {
    truncate: fields.boolean("truncate") ?? true,
    dimensions: fields.integer("dimensions", 1, 65_536),
    signal: call.signal,
  };
  readKeepAlive(fields);
  const notes = [...fields.idle(["options", "keep_alive"]), ...fields.unread(call.isStrict)];
  const started = performance.now();
  const model = await call.served.vectors(name, call.signal);
  const loadMs = performance.now() - started;
  call.record.model = model.id;
  // nothing has no vector, and is none too many
  const none: EmbedResult = { vectors: [], dimensions: 0, tokens: 0, warnings: [] };
  const result = await (isNothing ? Promise.resolve(none) : model.embed(texts, options)).finally(() => model.dispose());
  call.record.usage = { promptTokens: result.tokens, completionTokens: 0, totalTokens: result.tokens };
  return { name, result, loadMs, notes: [...notes, ...call.served.withNotes(model.id, result.warnings)] };
}

interface Asked {
  readonly model: string;
  /** nothing: the model is loaded, and that is all */
  readonly prompt: string | readonly Message[];
  readonly options: GenerateOptions;
}

async function answer(call: Call, fields: Fields, notes: Note[], { model, prompt, options }: Asked, shape: Shape): Promise<Response> {
  const isStream = fields.boolean("stream") ?? true;
  const isLast = readKeepAlive(fields) === 0;
  const [isNothing, size] = [prompt.length === 0, readContextSize(fields.json("options"))];
  notes.push(...(isNothing && isLast ? [] : fields.idle(["keep_alive"])), ...fields.unread(call.isStrict));
  const head = { model, created_at: new Date().toISOString() };
  if (isNothing && isLast) {
    await call.served.unload(model, call.signal);
    return json({ ...head, ...shape({}), done_reason: "unload", done: true, ...warned(notes) });
  }
  if (isNothing) {
    const lent = await call.served.text(model, call.signal);
    notes.push(...otherContext(size, lent.contextLength));
    await lent.dispose();
    return json({ ...head, ...shape({}), done_reason: "load", done: true, ...warned(notes) });
  }
  const started = performance.now();
  const end = (finishReason: string, usage: Usage, timing: Timing, warnings: readonly Note[]): object => ({
    done_reason: finishReason === "length" ? "length" : "stop",
    done: true,
    total_duration: since(started),
    load_duration: Math.round(timing.loadMs * nanoseconds),
    prompt_eval_count: usage.promptTokens,
    prompt_eval_duration: Math.round(timing.prefillMs * nanoseconds),
    eval_count: usage.completionTokens,
    eval_duration: Math.round(timing.decodeMs * nanoseconds),
    ...warned(warnings),
  });
  const asksForThought = fields.raw("think") === true ? "think" : undefined;
  const begun = await begin(call, model, [{ prompt, options, asksForThought }]);
  notes.push(...otherContext(size, begun.contextLength));
  if (isStream)
    return eventStream(call, begun, lines(begun, head, shape, end, notes), { isLines: true, error: ({ message }) => ({ error: message }) });
  const [whole] = await collectMany(begun);
  if (whole === undefined) throw new Error("an answer without an end");
  const { text, reasoning, toolCalls, finishReason, usage, timing, warnings } = whole;
  return json({
    ...head,
    ...shape({ text, thinking: reasoning, calls: toolCalls }),
    ...end(finishReason, usage, timing, [...notes, ...warnings.map(noteOf)]),
  });
}

async function* lines(
  parts: AsyncIterable<ManyPart>,
  head: object,
  shape: Shape,
  end: (finishReason: string, usage: Usage, timing: Timing, warnings: readonly Note[]) => object,
  notes: readonly Note[],
): AsyncGenerator<object, void, undefined> {
  const warnings = [...notes];
  for await (const { part } of parts) {
    if (part.type === "text-delta") yield { ...head, ...shape({ text: part.text }), done: false };
    else if (part.type === "reasoning-delta") yield { ...head, ...shape({ thinking: part.text }), done: false };
    else if (part.type === "tool-call") yield { ...head, ...shape({ calls: [part] }), done: false };
    else if (part.type === "warning") warnings.push(noteOf(part));
    else if (part.type === "stream-end") yield { ...head, ...shape({}), ...end(part.finishReason, part.usage, part.timing, warnings) };
  }
}

/** A context is fixed with the load, for everybody who asks. */
function otherContext(asked: number | undefined, contextLength: number | undefined): readonly Note[] {
  if (asked === undefined || asked === contextLength) return [];
  const own = contextLength === undefined ? "" : `; it is ${contextLength}`;
  return [ignored(`options.num_ctx: the context is fixed when the model is loaded${own}`)];
}

function warned(warnings: readonly Note[]): object {
  return warnings.length > 0 ? { warnings } : {};
}

/** Calls have no ids there: a result belongs to the first call of its name that has none yet, else to the first of all. */
function readMessages(list: readonly Fields[]): readonly Message[] {
  const open: ToolCall[] = [];
  let count = 0;
  return list.map((message): Message => {
    const role = message.one("role", ["system", "user", "assistant", "tool"]);
    if (role === undefined) throw message.wrong("role", "system, user, assistant, tool");
    const [content, thinking, tool] = [
      message.text("content") ?? "",
      message.text("thinking"),
      message.text("tool_name") ?? message.text("name"),
    ];
    const calls = (message.objects("tool_calls") ?? []).map((each): ToolCall => {
      const own = each.object("function");
      if (own === undefined) throw each.wrong("function", "an object");
      count += 1;
      return { type: "tool-call", id: `call_${count}`, name: own.needed("name"), input: own.raw("arguments") ?? {} };
    });
    message.refuse(["images"]);
    if (role === "tool") {
      const at = Math.max(
        open.findIndex(({ name }) => name === tool),
        0,
      );
      const [answered] = open.splice(at, 1);
      return { role, content: [{ type: "tool-result", id: answered?.id ?? "call_0", result: content }] };
    }
    if (role !== "assistant") return { role, content };
    open.push(...calls);
    const text: readonly MessagePart[] = content === "" && calls.length > 0 ? [] : [{ type: "text", text: content }];
    return {
      role,
      content: [...(thinking === undefined || thinking === "" ? [] : [{ type: "reasoning" as const, text: thinking }]), ...text, ...calls],
    };
  });
}
