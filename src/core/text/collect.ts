/** A stream as a whole: every count of it is kept. */
import { SpellError } from "../errors.ts";
import type { GenerateResult, GenerateWarning, ToolCall } from "../spec/generate.ts";
import type { ManyPart, ModelStream, StreamPart } from "../spec/stream-part.ts";

type Ended = Extract<StreamPart, { type: "stream-end" }>;
type Started = Extract<StreamPart, { type: "stream-start" }>;

/** The whole answer of a stream. @throws whatever the stream throws; run-crash where its end is missing */
export async function collect(stream: AsyncIterable<StreamPart>): Promise<GenerateResult> {
  const gathered = gather();
  for await (const part of stream) gathered.push(part);
  return gathered.result();
}

/** The whole answers of a stream of several, by the place of their prompts. @throws as collect() */
export async function collectMany(stream: AsyncIterable<ManyPart>): Promise<readonly GenerateResult[]> {
  const all: ReturnType<typeof gather>[] = [];
  for await (const { index, part } of stream) {
    all[index] ??= gather();
    all[index].push(part);
  }
  return all.map((gathered) => gathered.result());
}

function gather() {
  let [text, reasoning] = ["", ""];
  let [start, end]: [Started | undefined, Ended | undefined] = [undefined, undefined];
  const warnings: GenerateWarning[] = [];
  const toolCalls: ToolCall[] = [];
  return {
    push(part: StreamPart): void {
      if (part.type === "text-delta") text += part.text;
      else if (part.type === "reasoning-delta") reasoning += part.text;
      else if (part.type === "tool-call") toolCalls.push(part);
      else if (part.type === "warning") {
        const { type: _, ...told } = part;
        warnings.push(told);
      } else if (part.type === "stream-start") start = part;
      else end = part;
    },
    result(): GenerateResult {
      if (end === undefined || start === undefined) throw new SpellError("run-crash", "the model ended without a result");
      const { type: _, ...facts } = end;
      return {
        text,
        reasoning: reasoning === "" ? undefined : reasoning,
        toolCalls,
        warnings,
        ...facts,
        model: start.model,
        device: start.device,
      };
    },
  };
}

/** Parts of an answer as LanguageModel.stream() gives them: they come once. */
export function modelStream(parts: AsyncGenerator<StreamPart, void, undefined>): ModelStream {
  let isRead = false;
  const read = (): typeof parts => {
    if (isRead) {
      throw new SpellError("run-option", "the stream was read already; expected one loop over its parts or its text, got a second", {
        where: "stream",
        hint: "Call stream() again for another answer; generate() and collect() keep a whole one.",
      });
    }
    isRead = true;
    return parts;
  };
  return { [Symbol.asyncIterator]: read, textStream: { [Symbol.asyncIterator]: () => textOf(read()) } };
}

async function* textOf(parts: AsyncIterable<StreamPart>): AsyncGenerator<string, void, undefined> {
  for await (const part of parts) if (part.type === "text-delta") yield part.text;
}
