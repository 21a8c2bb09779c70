/** A model of an Ollama server. What the server decides by itself is not sent. */
import type { Clock } from "../../download/clock.ts";
import { SpellError, toSpellError } from "../../errors.ts";
import { isObject } from "../../json.ts";
import { limits } from "../../limits.ts";
import type { ChatMessage, ChatPrompt, GenerateOptions, ToolCall } from "../../spec/generate.ts";
import type { Constraint } from "../../spec/grammar.ts";
import type { StreamPart } from "../../spec/stream-part.ts";
import { warning, withoutAnswer } from "../../text/answer.ts";
import { refuseContinue, wrongOption } from "../../text/check-call.ts";
import { refuseForms, refuseTools } from "../../text/check-tools.ts";
import { randomSeed } from "../../text/handle-model.ts";
import { parameterRules, presets, resolveDecoderParameters } from "../../text/parameters.ts";
import { mostCalls, newCallId } from "../../tools/call-parser.ts";
import { plainTool, templateTools } from "../../tools/messages.ts";
import { type Json, numberOf, objects, positiveOf, textOf } from "../answer-values.ts";
import type { OpenedModel } from "../backend.ts";
import { memberIn, plainPatterns, servedForm } from "../server/held-form.ts";
import { objectInput } from "../server/tool-calls.ts";
import { serverVectors } from "../server/vectors.ts";
import type { OllamaClient } from "./client.ts";
import type { OllamaSettings } from "./settings.ts";

type StreamEnd = Extract<StreamPart, { type: "stream-end" }>;

/** What the server is told with each call; 0 = its own choice. */
export interface OllamaLoad {
  readonly contextSize: number;
  readonly threads: number;
}

/** @throws SpellError model-not-installed, ollama-unreachable */
export async function openOllamaModel(
  client: OllamaClient,
  name: string,
  clock: Clock,
  settings: OllamaSettings,
  load: OllamaLoad,
  signal: AbortSignal | undefined,
): Promise<OpenedModel> {
  const shown = await client.ask("/api/show", { body: { model: name }, signal, name });
  const template = textOf(shown["template"]);
  const id = client.idOf(name);
  const closing = new AbortController();
  /** absent: an older server, which does not tell */
  const capabilities: readonly unknown[] | undefined = Array.isArray(shown["capabilities"]) ? shown["capabilities"] : undefined;

  async function* stream(prompt: ChatPrompt, options: GenerateOptions, held?: Constraint): AsyncGenerator<StreamPart, void, undefined> {
    const called = clock.now();
    const { body: asked, seed, ignored, path } = writeCall(name, prompt, options, load, settings, capabilities);
    // any schema goes as it is; choices are the one member of an object, as with services
    const form = held?.kind === "jsonSchema" ? { schema: plainPatterns(held.schema), isInside: false } : servedForm(held);
    const body = form === undefined ? asked : { ...asked, format: form.schema };
    const abort = options.signal === undefined ? closing.signal : AbortSignal.any([options.signal, closing.signal]);
    let text = "";
    let hasThought = false;
    let calls = 0;
    const mostOfThese = options.parallelToolCalls === false ? 1 : mostCalls;
    let firstTokenMs = 0;
    try {
      yield { type: "stream-start", model: id };
      for (const option of ignored) yield warning("option-ignored", `${option} is not known to Ollama; it was not sent`, [option]);
      for await (const value of client.lines(path, { body, signal: abort, name })) {
        const message = value["message"];
        const { content: piece = "", thinking } = piecesOf(isObject(message) ? message : { ...value, content: value["response"] });
        if (thinking !== undefined) {
          hasThought = true;
          yield { type: "reasoning-delta", text: thinking };
        }
        if (piece !== "") {
          if (firstTokenMs === 0) firstTokenMs = clock.now() - called;
          text += piece;
          if (form?.isInside !== true) yield { type: "text-delta", text: piece };
        }
        for (const call of isObject(message) ? objects(message["tool_calls"]) : []) {
          const read = calls < mostOfThese ? readCall(call) : undefined;
          if (read === undefined) continue;
          calls += 1;
          yield read;
        }
        if (value["done"] !== true) continue;
        const end = endOf(value, seed, firstTokenMs, calls > 0);
        if (form?.isInside === true && text !== "")
          yield { type: "text-delta", text: end.finishReason === "length" ? text : memberIn(text) };
        if (text.trim() === "" && calls === 0) yield { type: "warning", code: "answer-missing", message: nothingSaid(end, hasThought) };
        yield end;
        return;
      }
      throw new SpellError("ollama-error", "the server ended the answer without its end", { where: client.url });
    } catch (error) {
      if (closing.signal.aborted) throw new SpellError("run-closed", `${name} was closed`, { cause: error });
      throw toSpellError(error).with({ details: { partialText: text } });
    }
  }

  const makesVectors = capabilities === undefined || capabilities.includes("embedding") || capabilities.includes("completion");
  const vectors = serverVectors({
    broken: (problem) => new SpellError("ollama-error", `the Ollama server at ${client.url} ${problem}`, { where: client.url }),
    async ask(input, { truncate, retries, signal: stop }) {
      const signal = stop === undefined ? closing.signal : AbortSignal.any([stop, closing.signal]);
      const options = load.contextSize > 0 ? { options: { num_ctx: load.contextSize } } : {};
      const body = { model: name, input, truncate, ...options };
      try {
        const answer = await client.ask("/api/embed", { method: "POST", body, signal, name, retries, mostBytes: limits.serverVectorBytes });
        const { embeddings } = answer;
        return { vectors: Array.isArray(embeddings) ? embeddings : [], tokens: numberOf(answer["prompt_eval_count"]) ?? 0 };
      } catch (error) {
        if (closing.signal.aborted) throw new SpellError("run-closed", `${name} was closed`, { cause: error });
        throw tooLong(toSpellError(error));
      }
    },
  });

  return {
    id,
    vectors: makesVectors ? vectors : undefined,
    architecture: architectureOf(shown) ?? "unknown",
    contextLength: load.contextSize > 0 ? load.contextSize : contextOf(shown),
    hasChatTemplate: template !== undefined && template !== "{{ .Prompt }}",
    isSeq2Seq: false,
    holds: ["jsonSchema", "choices"],
    async *streamMany(prompts, options, held) {
      for (const [index, prompt] of prompts.entries()) for await (const part of stream(prompt, options, held)) yield { index, part };
    },
    async dispose() {
      closing.abort();
    },
  };
}

/** @returns the server's error; that of a text too long as all models have it */
function tooLong(error: SpellError): SpellError {
  if (!/exceeds (the |maximum )*context length/.test(error.message)) return error;
  return error.with({ code: "run-context", hint: "Divide the text, or cut it with truncate.", actions: [] });
}

function piecesOf({ content, thinking }: Json): { readonly content: string | undefined; readonly thinking: string | undefined } {
  return { content: textOf(content), thinking: textOf(thinking) };
}

function nothingSaid({ finishReason, usage: { completionTokens } }: StreamEnd, hasThought: boolean): string {
  if (!hasThought) return `the model ended without an answer; ${completionTokens} tokens came from it, and no text`;
  return withoutAnswer({ finishReason, completionTokens });
}

/** @returns undefined for what is no call */
function readCall({ function: called }: Json): ToolCall | undefined {
  if (!isObject(called)) return undefined;
  const { name, arguments: given = {} } = called;
  return typeof name === "string" && name !== ""
    ? { type: "tool-call", id: newCallId(), name: name.slice(0, 200), input: given }
    : undefined;
}

export function architectureOf({ model_info: facts, details }: Json): string | undefined {
  return (
    (isObject(facts) ? textOf(facts["general.architecture"]) : undefined) ?? (isObject(details) ? textOf(details["family"]) : undefined)
  );
}

export function contextOf(shown: Json): number | undefined {
  const { model_info: facts } = shown;
  return isObject(facts) ? positiveOf(facts[`${architectureOf(shown)}.context_length`]) : undefined;
}

/** Only what was asked for is sent, so that the model's own defaults on the server count; but for the seed, which is reported, and the length. */
function writeCall(
  name: string,
  prompt: ChatPrompt,
  options: GenerateOptions,
  load: OllamaLoad,
  settings: OllamaSettings,
  capabilities: readonly unknown[] | undefined,
) {
  const resolved = resolveDecoderParameters(options, {}, randomSeed);
  const { seed } = resolved.options.sampling;
  const preset: Partial<Record<string, number>> = options.preset === undefined ? {} : presets[options.preset];
  const given: Record<string, unknown> = { num_predict: resolved.options.maxTokens, seed };
  for (const { name: parameter, snakeName, decoderDefault } of parameterRules) {
    const value = options[parameter] ?? preset[parameter];
    if (value !== undefined && decoderDefault !== undefined && parameter !== "maxTokens") given[snakeName] = value;
  }
  if (resolved.options.stop.length > 0) given["stop"] = resolved.options.stop;
  if (load.contextSize > 0) given["num_ctx"] = load.contextSize;
  if (load.threads > 0) given["num_thread"] = load.threads;
  const keepAlive = settings.keepAliveSeconds;
  const shared = { model: name, stream: true, options: given, keep_alive: keepAlive };
  refuseContinue(options, "an Ollama server");
  if (options.raw === true) {
    if (typeof prompt !== "string") throw new SpellError("run-option", "raw: expected a text; got messages", { where: "raw" });
    refuseTools(options, "a raw prompt says by itself what a model may call");
    return { path: "/api/generate", body: { ...shared, prompt, raw: true }, seed, ignored: resolved.ignored };
  }
  const messages: readonly ChatMessage[] = typeof prompt === "string" ? [{ role: "user", content: prompt }] : prompt;
  const system: readonly ChatMessage[] = options.system === undefined ? [] : [{ role: "system", content: options.system }];
  const thinks = capabilities?.includes("thinking") === true;
  const body = {
    ...shared,
    messages: [...system, ...messages].map((message) => serverMessage(message, thinks)),
    ...toolFields(name, options, capabilities),
    // what does not think refuses to be asked
    ...(options.reasoning === "off" && thinks && { think: false }),
  };
  return { path: "/api/chat", body, seed, ignored: resolved.ignored };
}

/** Input of a call is data there; results name their tool. */
function serverMessage({ role, content, reasoning, toolCalls, toolName }: ChatMessage, thinks: boolean): Json {
  return {
    role,
    content,
    ...(reasoning !== undefined && thinks && { thinking: reasoning }),
    ...(toolCalls !== undefined && {
      tool_calls: toolCalls.map((call) => ({ function: { name: call.name, arguments: objectInput(call.input) } })),
    }),
    ...(toolName !== undefined && { tool_name: toolName }),
  };
}

/** @throws SpellError run-option for a model without tools, and where a call is asked for: the server has no word for that */
function toolFields(name: string, options: GenerateOptions, capabilities: readonly unknown[] | undefined): Json {
  const { tools = [], toolChoice = "auto" } = options;
  if (capabilities !== undefined && !capabilities.includes("tools")) refuseTools(options, `${name} does not support tools`);
  if (tools.length === 0 || toolChoice === "none") return {};
  refuseForms(options);
  if (toolChoice !== "auto") throw wrongOption("toolChoice", "auto or none, since Ollama cannot make a model call", toolChoice);
  return { tools: templateTools(tools.map(plainTool), (text) => text) };
}

function endOf(value: Readonly<Record<string, unknown>>, seed: number, firstTokenMs: number, hasCalled: boolean): StreamEnd {
  const ms = (key: string): number => (numberOf(value[key]) ?? 0) / 1e6;
  const promptTokens = numberOf(value["prompt_eval_count"]) ?? 0;
  const completionTokens = numberOf(value["eval_count"]) ?? 0;
  const [prefillMs, decodeMs] = [ms("prompt_eval_duration"), ms("eval_duration")];
  return {
    type: "stream-end",
    finishReason: hasCalled ? "tool-calls" : value["done_reason"] === "length" ? "length" : "stop",
    seed,
    usage: { promptTokens, completionTokens, totalTokens: promptTokens + completionTokens },
    timing: {
      loadMs: ms("load_duration"),
      firstTokenMs,
      prefillMs,
      decodeMs,
      prefillRate: prefillMs > 0 ? (promptTokens * 1000) / prefillMs : 0,
      decodeRate: decodeMs > 0 ? (completionTokens * 1000) / decodeMs : 0,
    },
  };
}
