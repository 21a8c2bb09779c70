/** `/v1/completions`: text goes on as it is, without a chat template. Source: the API reference of OpenAI. */
import type { ManyPart } from "../spec/stream-part.ts";
import { collectMany } from "../text/collect.ts";
import { begin, copies, finishReasons, nowSeconds, openaiUsage, randomId } from "./answers.ts";
import { readBody } from "./body.ts";
import type { Call } from "./call.ts";
import { readStream } from "./chat.ts";
import { type Fields, type Note, noteOf } from "./fields.ts";
import { mostAnswers, readMaxTokens, readSampling } from "./options.ts";
import type { OpenRecord } from "./record.ts";
import { json, openaiError } from "./refusals.ts";
import { eventStream } from "./sse.ts";

const refused = ["logprobs", "logit_bias", "echo", "suffix", "best_of", "tools"];
/** what OpenAI takes where nobody says more */
const usualTokens = 16;
const mostPrompts = 64;

export async function completions(call: Call): Promise<Response> {
  const fields = await readBody(call.request);
  const notes: Note[] = [];
  const model = fields.needed("model");
  const prompts = readPrompts(fields);
  const maxTokens = readMaxTokens(fields, "max_tokens") ?? usualTokens;
  const options = { ...readSampling(fields), maxTokens, raw: true, grammar: fields.text("grammar") };
  const count = fields.integer("n", 1, mostAnswers) ?? 1;
  const { isStream, usage } = readStream(fields, notes);
  fields.refuse(refused);
  const form = fields.object("response_format")?.raw("type") ?? "text";
  if (form !== "text") throw fields.wrong("response_format", "text; /v1/chat/completions holds answers to a form");
  notes.push(...fields.idle(["user"]), ...fields.unread(call.isStrict));

  const asked = prompts.flatMap((prompt) => copies({ prompt, options }, count));
  const begun = await begin(call, model, asked);
  const head = { id: randomId("cmpl-"), object: "text_completion", created: nowSeconds(), model };
  if (isStream)
    return eventStream(call, begun, chunks(begun, head, asked.length, notes, usage, call.record), { end: "[DONE]", error: openaiError });
  const answers = await collectMany(begun);
  const warnings = [...notes, ...answers.flatMap((answer) => answer.warnings.map(noteOf))];
  return json({
    ...head,
    choices: answers.map(({ text, finishReason }, index) => ({ index, text, logprobs: null, finish_reason: finishReasons[finishReason] })),
    usage: openaiUsage(call.record.usage),
    ...(warnings.length > 0 && { warnings }),
  });
}

async function* chunks(
  parts: AsyncIterable<ManyPart>,
  head: object,
  count: number,
  notes: readonly Note[],
  hasUsage: boolean,
  record: Pick<OpenRecord, "usage">,
): AsyncGenerator<object, void, undefined> {
  const warnings = [...notes];
  const chunk = (index: number, text: string, finish_reason: string | null = null): object => ({
    ...head,
    choices: [{ index, text, logprobs: null, finish_reason }],
    ...(hasUsage && { usage: null }),
  });
  for await (const { index, part } of parts) {
    if (part.type === "text-delta") yield chunk(index, part.text);
    else if (part.type === "warning") warnings.push(noteOf(part));
    else if (part.type === "stream-end")
      yield { ...chunk(index, "", finishReasons[part.finishReason]), ...(index === count - 1 && warnings.length > 0 && { warnings }) };
  }
  if (hasUsage) yield { ...head, choices: [], usage: openaiUsage(record.usage) };
}

/** Ids of tokens are those of another model's vocabulary. */
function readPrompts(fields: Fields): readonly string[] {
  const given = fields.raw("prompt");
  const list: readonly unknown[] = Array.isArray(given) ? given : [given];
  const isText = (each: unknown): each is string => typeof each === "string";
  if (list.length === 0 || list.length > mostPrompts || !list.every(isText))
    throw fields.wrong("prompt", `text, or 1–${mostPrompts} texts`);
  return list;
}
