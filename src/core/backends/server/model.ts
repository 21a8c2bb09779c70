/** A model of a service: one call is one request, and its stream becomes the parts that every model speaks. */

import type { Clock } from "../../download/clock.ts";
import { SpellError, toSpellError } from "../../errors.ts";
import { isObject, shown } from "../../json.ts";
import { limits } from "../../limits.ts";
import type { ChatPrompt, GenerateOptions } from "../../spec/generate.ts";
import type { StreamPart } from "../../spec/stream-part.ts";
import { warning } from "../../text/answer.ts";
import { parsed } from "../answer-values.ts";
import type { LoadOptions, OpenedModel, OpenedVectors } from "../backend.ts";
import { readAnswer } from "./answer.ts";
import { type ServerEvent, serverEvents } from "./events.ts";
import { type Asked, failureOf, keyHider, networkFailure } from "./failure.ts";
import { servedForm, servedForms, takenOut } from "./held-form.ts";
import type { Sender } from "./send.ts";
import { serverVectors } from "./vectors.ts";
import type { Failures, ServedForm, VectorWire, Wire } from "./wire.ts";

export interface ServiceModelParts {
  /** as the service calls it */
  readonly name: string;
  readonly id: string;
  readonly wire: Wire;
  readonly sender: Sender;
  readonly clock: Clock;
  /** whom a call is for, with its key */
  readonly asked: () => Asked;
}

export function openServiceModel({ name, id, wire, sender, clock, asked }: ServiceModelParts): OpenedModel {
  const closing = new AbortController();

  async function* stream(
    prompt: ChatPrompt,
    options: GenerateOptions,
    form: ServedForm | undefined,
  ): AsyncGenerator<StreamPart, void, undefined> {
    const whom = { ...asked(), model: name, options: wire.optionNames };
    refuseMachine({ device: options.device }, whom.provider);
    const { path, body, ignored, read } = wire.write(name, prompt, options, form);
    const signal = options.signal === undefined ? closing.signal : AbortSignal.any([options.signal, closing.signal]);
    const { host } = new URL(whom.url);
    const failures: Failures = {
      reported: (text) => failureOf({ status: 200, text, retryAfterMs: undefined }, whom),
      broken: (problem) => new SpellError("provider-error", `${whom.provider} at ${host} ${problem}`, { where: host }),
    };
    const called = clock.now();
    let firstAt: number | undefined;
    let [text, thought] = ["", 0];
    const most = mostCharacters(options);
    yield { type: "stream-start", model: id };
    if (ignored.length > 0) yield warning("option-ignored", `${whom.provider} does not know ${ignored.join(", ")}; not sent`, ignored);
    try {
      const answer = await sender.send(path, { body, signal, isCall: true }, (refusal) => failureOf(refusal, whom));
      // a proxy's login, or an address without its "/v1"
      if (/^text\/html/i.test(answer.response.headers.get("content-type") ?? ""))
        throw failures
          .broken("answered with a web page, expected a stream of events")
          .with({ hint: "Look at base_url: it may lack its path, such as /v1, or lead to a login." });
      const tooLong = () => failures.broken("sends an event without end");
      const events = serverEvents(withoutJson(sender.read(answer, signal), failures), limits.serverEventBytes, tooLong);
      const told = read(withoutKey(events, keyHider(whom)), failures);
      for await (const part of form?.isInside === true ? takenOut(told) : told) {
        if (part.type !== "ended") firstAt ??= clock.now();
        if (part.type === "text-delta") text += part.text;
        else if (part.type === "reasoning-delta") thought += part.text.length;
        if (text.length + thought > most) throw failures.broken(`sends an answer without end: more than ${mostText(most, options)}`);
        if (part.type !== "ended") {
          yield part;
          continue;
        }
        const { finishReason, stoppedBy, usage } = part;
        if (text === "" && finishReason !== "tool-calls") {
          const how = finishReason === "length" ? "all its tokens were spent before one came" : "it ended without one";
          yield { type: "warning", code: "answer-missing", message: `${id} gave no text: ${how}${thought > 0 ? ", after thinking" : ""}` };
        }
        const isForced = options.toolChoice === "required" || typeof options.toolChoice === "object";
        if (isForced && finishReason === "stop")
          yield { type: "warning", code: "option-ignored", message: `${id} called no tool, though it had to: the server passes that over` };
        if (options.toolChoice === "none" && finishReason === "tool-calls")
          yield {
            type: "warning",
            code: "option-ignored",
            message: `${id} called a tool, though it was not to: the server passes that over`,
          };
        const now = clock.now();
        const decodeMs = now - (firstAt ?? now);
        const decodeRate = decodeMs > 0 && usage.completionTokens > 1 ? ((usage.completionTokens - 1) * 1000) / decodeMs : 0;
        const timing = { loadMs: 0, firstTokenMs: (firstAt ?? now) - called, prefillMs: 0, decodeMs, prefillRate: 0, decodeRate };
        yield { type: "stream-end", finishReason, ...(stoppedBy !== undefined && { stoppedBy }), seed: options.seed ?? 0, usage, timing };
        return;
      }
      throw failures.broken("broke the answer off");
    } catch (error) {
      if (closing.signal.aborted) throw new SpellError("run-closed", `${id} was closed`, { cause: error });
      const failure = networkFailure(toSpellError(error), whom);
      throw text === "" ? failure : failure.with({ details: { partialText: text } });
    }
  }

  const vectorsOf = ({ write, read }: VectorWire): OpenedVectors => {
    const broken = (problem: string): SpellError => {
      const { provider, url } = asked();
      const { host } = new URL(url);
      return new SpellError("provider-error", `${provider} at ${host} ${problem}`, { where: host });
    };
    return serverVectors({
      broken,
      cutsNone: true,
      async ask(texts, { retries, signal: stop }) {
        const whom = { ...asked(), model: name };
        const { path, body } = write(name, texts);
        const signal = stop === undefined ? closing.signal : AbortSignal.any([stop, closing.signal]);
        try {
          const answer = await sender.send(path, { body, signal, isCall: true, retries }, (refusal) => failureOf(refusal, whom));
          const value = await readAnswer(sender, answer, limits.serverVectorBytes, (what) => broken(`answered ${what}`), signal);
          const found = read(value);
          if (found === undefined) throw broken("answered with no list of vectors");
          return found;
        } catch (error) {
          if (closing.signal.aborted) throw new SpellError("run-closed", `${id} was closed`, { cause: error });
          throw networkFailure(toSpellError(error), whom);
        }
      },
    });
  };

  return {
    id,
    architecture: "unknown",
    contextLength: undefined,
    vectors: wire.vectors && vectorsOf(wire.vectors),
    hasChatTemplate: true,
    isSeq2Seq: false,
    holds: servedForms,
    async *streamMany(prompts, options, held) {
      const form = servedForm(held);
      for (const [index, prompt] of prompts.entries()) for await (const part of stream(prompt, options, form)) yield { index, part };
    },
    async dispose() {
      closing.abort();
    },
  };
}

/** Of an answer: generous where tokens are counted, for a server may count thoughts otherwise, and bounded where none is asked for. */
function mostCharacters({ maxTokens }: GenerateOptions): number {
  const { serverAnswerCharacters, serverFreeCharacters, serverTokenCharacters } = limits;
  if (maxTokens === undefined) return serverAnswerCharacters;
  return Math.min(serverAnswerCharacters, serverFreeCharacters + serverTokenCharacters * maxTokens);
}

function mostText(characters: number, { maxTokens }: GenerateOptions): string {
  const asked = maxTokens === undefined ? "" : ` for at most ${maxTokens} tokens`;
  return `${characters.toLocaleString("en-US")} characters${asked}`;
}

/** What a load or a call says of a machine means nothing to a service. @throws SpellError run-option */
export function refuseMachine(options: LoadOptions, provider: string): void {
  for (const name of ["device", "contextSize", "threads", "quantization", "draft", "batchSize", "pooling"] as const) {
    const value = options[name];
    if (value === undefined || value === "auto") continue;
    throw new SpellError("run-option", `${name}: expected none for a model of ${provider}, whose server decides; got ${shown(value)}`, {
      where: name,
    });
  }
}

/** Some servers and proxies answer 200 with one JSON object that says what failed; no stream of events begins so. @throws SpellError what it says */
async function* withoutJson(bytes: AsyncIterable<Uint8Array>, { reported, broken }: Failures): AsyncGenerator<Uint8Array, void, undefined> {
  const decoder = new TextDecoder();
  let isFirst = true;
  let json: string | undefined;
  for await (const chunk of bytes) {
    const text: string = isFirst || json !== undefined ? decoder.decode(chunk, { stream: true }) : "";
    if (isFirst && text.trimStart().startsWith("{")) json = "";
    isFirst &&= text.trim() === "";
    if (json === undefined) yield chunk;
    else json += text;
    if (json !== undefined && json.length > limits.serverEventBytes) break;
  }
  if (json === undefined) return;
  const value = parsed(json);
  if (isObject(value) && value["error"] !== undefined && value["error"] !== null) throw reported(json);
  throw broken("answered with JSON, expected a stream of events");
}

/** What a service repeats of the key reaches no message. */
async function* withoutKey(
  events: AsyncIterable<ServerEvent>,
  hide: (text: string) => string,
): AsyncGenerator<ServerEvent, void, undefined> {
  for await (const event of events) yield { ...event, data: hide(event.data) };
}
