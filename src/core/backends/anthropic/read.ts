/** What the events of a message say. Kinds of later days are passed over. */
import { isObject } from "../../json.ts";
import { limits } from "../../limits.ts";
import type { FinishReason, ToolCall } from "../../spec/generate.ts";
import { type Json, numberOf, parsed, textOf } from "../answer-values.ts";
import type { ServerEvent } from "../server/events.ts";
import { inputOrText } from "../server/tool-calls.ts";
import type { Failures, WirePart } from "../server/wire.ts";
import type { Thoughts } from "./thoughts.ts";

const reasons: Readonly<Partial<Record<string, FinishReason>>> = {
  end_turn: "stop",
  stop_sequence: "stop",
  max_tokens: "length",
  model_context_window_exceeded: "length",
  tool_use: "tool-calls",
};

/** One part of the message. */
interface Block {
  readonly start: Json;
  thinking: string;
  signature: string;
  json: string;
}

export async function* readEvents(
  events: AsyncIterable<ServerEvent>,
  { broken, reported }: Failures,
  thoughts: Pick<Thoughts, "keep">,
  answerTool?: string,
): AsyncGenerator<WirePart, void, undefined> {
  const blocks = new Map<number, Block>();
  let reason: string | undefined;
  let stoppedBy: string | undefined;
  let isOver = false;
  /** beside the tool that gives the answer, text is only talk; without it, text is the answer */
  let talk = "";
  const said = (text: string): readonly WirePart[] => {
    if (answerTool === undefined) return [{ type: "text-delta", text }];
    talk += text;
    if (talk.length > limits.serverEventBytes) throw broken("sends text without end");
    return [];
  };
  const isAnswer = ({ start }: Block): boolean => answerTool !== undefined && start["type"] === "tool_use" && start["name"] === answerTool;
  const tokens = { input: 0, cached: 0, output: 0 };
  const count = (usage: unknown): void => {
    if (!isObject(usage)) return;
    const of = (name: string): number => numberOf(usage[name]) ?? 0;
    if (numberOf(usage["input_tokens"]) !== undefined) {
      tokens.cached = of("cache_read_input_tokens");
      tokens.input = of("input_tokens") + tokens.cached + of("cache_creation_input_tokens");
    }
    tokens.output = numberOf(usage["output_tokens"]) ?? tokens.output;
  };
  for await (const { data } of events) {
    const event = parsed(data);
    if (!isObject(event)) throw broken(`sends something other than an object of JSON: ${JSON.stringify(data.slice(0, 80))}`);
    const delta: Json = isObject(event["delta"]) ? event["delta"] : {};
    const index = numberOf(event["index"]) ?? -1;
    switch (event["type"]) {
      case "error":
        throw reported(data);
      case "message_start":
        count(isObject(event["message"]) ? event["message"]["usage"] : undefined);
        break;
      case "content_block_start": {
        const start = isObject(event["content_block"]) ? event["content_block"] : {};
        blocks.set(index, { start, thinking: "", signature: "", json: "" });
        if (blocks.size > limits.serverToolCalls) throw broken(`sends more than ${limits.serverToolCalls} parts`);
        const text = textOf(start["text"]);
        if (start["type"] === "text" && text !== undefined) yield* said(text);
        break;
      }
      case "content_block_delta": {
        const block = blocks.get(index);
        const text = textOf(delta["text"]);
        const thinking = textOf(delta["thinking"]);
        if (delta["type"] === "text_delta" && text !== undefined) yield* said(text);
        if (block === undefined) break;
        const piece = textOf(delta["partial_json"]);
        if (piece !== undefined && isAnswer(block)) {
          yield { type: "text-delta", text: piece };
          break;
        }
        block.json += piece ?? "";
        block.signature += textOf(delta["signature"]) ?? "";
        block.thinking += thinking ?? "";
        if (block.json.length + block.signature.length > limits.serverEventBytes) throw broken("sends arguments without end");
        if (thinking !== undefined) yield { type: "reasoning-delta", text: thinking };
        break;
      }
      case "message_delta":
        reason = textOf(delta["stop_reason"]) ?? reason;
        stoppedBy = textOf(delta["stop_sequence"]) ?? stoppedBy;
        count(event["usage"]);
        break;
      case "message_stop":
        isOver = true;
        break;
    }
    if (isOver) break;
  }
  if (!isOver || reason === undefined) throw broken("broke the answer off");
  const known = reasons[reason];
  if (known === undefined)
    throw broken(
      reason === "refusal"
        ? "refused to answer"
        : `ended the answer for a reason that is not known here: ${JSON.stringify(reason.slice(0, 80))}`,
    );
  const calls = known === "length" ? [] : [...blocks.values()].filter((block) => !isAnswer(block)).flatMap(callOf);
  const [first] = calls;
  if (first !== undefined) thoughts.keep(first.id, [...blocks.values()].flatMap(thoughtOf));
  if (talk !== "" && calls.length === 0 && ![...blocks.values()].some(isAnswer)) yield { type: "text-delta", text: talk };
  yield* calls;
  const finishReason = calls.length > 0 ? "tool-calls" : known === "tool-calls" ? "stop" : known;
  const { input, cached, output } = tokens;
  yield {
    type: "ended",
    finishReason,
    ...(reason === "stop_sequence" && stoppedBy !== undefined && { stoppedBy }),
    usage: { promptTokens: input, completionTokens: output, totalTokens: input + output, cachedTokens: cached },
  };
}

function callOf({ start, json }: Block): readonly ToolCall[] {
  if (start["type"] !== "tool_use") return [];
  const name = textOf(start["name"]) ?? "";
  const id = textOf(start["id"]) ?? `call_${name}`;
  const given = json === "" && isObject(start["input"]) ? start["input"] : undefined;
  const input = given ?? inputOrText(json);
  return [{ type: "tool-call", id, name, input }];
}

/** Unchanged, as it goes back. */
function thoughtOf({ start, thinking, signature }: Block): readonly Json[] {
  if (start["type"] === "redacted_thinking") return [start];
  return start["type"] === "thinking" && signature !== "" ? [{ type: "thinking", thinking, signature }] : [];
}
