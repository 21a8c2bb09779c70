/** Holds what comes to the form that was asked for: whatever ended with `stop` keeps it, or the call fails. */
import { SpellError } from "../errors.ts";
import { shown } from "../json.ts";
import type { GenerateOptions } from "../spec/generate.ts";
import type { Constraint } from "../spec/grammar.ts";
import type { ManyPart, StreamPart } from "../spec/stream-part.ts";
import { createGrammarBuilder } from "./builder.ts";
import { createMatcher } from "./matcher.ts";
import { createJudge, misfitText } from "./validate.ts";

type Ended = Extract<StreamPart, { type: "stream-end" }>;

/** @throws SpellError run-form where a server says that the answer is whole, and it has another form */
export async function* heldAnswers(
  parts: AsyncIterable<ManyPart>,
  held: Constraint,
  { stop = [] }: GenerateOptions,
): AsyncGenerator<ManyPart, void, undefined> {
  const texts = new Map<number, string>();
  for await (const { index, part } of parts) {
    if (part.type === "text-delta") texts.set(index, (texts.get(index) ?? "") + part.text);
    const text = texts.get(index) ?? "";
    // Nothing but its end was left to write.
    const isWhole = part.type === "stream-end" && part.finishReason === "length" && isComplete(text, held);
    if (part.type !== "stream-end" || (part.finishReason !== "stop" && !isWhole)) {
      yield { index, part };
      continue;
    }
    const kept = keptForm(text, held);
    if (typeof kept === "string" && stop.length === 0) throw wrongForm(kept, text, held);
    if (typeof kept !== "string") yield { index, part: { ...part, finishReason: "stop", ...kept } };
    else {
      // A stop string stands within the form: the answer was cut there.
      const message = "a stop string ended the answer before its form was whole";
      yield { index, part: { type: "warning", code: "output-invalid", message } };
      yield { index, part: { ...part, finishReason: "length" } };
    }
  }
}

/** Whether a text is whole, and nothing can follow it. */
function isComplete(text: string, held: Constraint): boolean {
  if (held.kind === "grammar" || held.kind === "tools" || text === "") return false;
  try {
    const matcher = createMatcher(held.grammar);
    const end = matcher.walk(matcher.start, text);
    return end?.mayEnd === true && matcher.edges(end).length === 0;
  } catch {
    return false; // a form that can be read in too many ways at once
  }
}

/** What a whole answer adds to its end, or what of it has another form. */
function keptForm(text: string, held: Constraint): Pick<Ended, "json"> | string {
  const other = `got ${shown(text)}`;
  switch (held.kind) {
    // engines of llama.cpp alone take it, and hold it
    case "grammar":
    case "tools":
      return {};
    case "choices":
      return held.choices.includes(text) ? {} : `expected one of ${held.choices.map(shown).join(", ").slice(0, 300)}, ${other}`;
    case "regex":
      return createMatcher(held.grammar).accepts(text) ? {} : `expected text of the pattern ${held.source.slice(0, 100)}, ${other}`;
    case "jsonSchema": {
      const { json, tooLarge } = parsed(text);
      if (json === undefined) return `expected JSON, ${other}`;
      if (tooLarge !== undefined)
        return `expected numbers up to 1.8e308, got a larger one${tooLarge === "" ? "" : ` in ${tooLarge.slice(0, 64)}`}`;
      const misfit = createJudge(held.schema, createGrammarBuilder("jsonSchema"))(json);
      return misfit === undefined ? { json } : misfitText("answer", misfit);
    }
  }
}

/** @returns `tooLarge`: the name of a number that became none by it, since JSON has no bound */
function parsed(text: string): { readonly json: unknown; readonly tooLarge?: string | undefined } {
  let tooLarge: string | undefined;
  try {
    const json: unknown = JSON.parse(text, (key, value: unknown) => {
      if (typeof value === "number" && !Number.isFinite(value)) tooLarge ??= key;
      return value;
    });
    return { json, tooLarge };
  } catch {
    return { json: undefined };
  }
}

function wrongForm(problem: string, text: string, { kind }: Constraint): SpellError {
  return new SpellError("run-form", `the answer has not the form of ${kind}: ${problem}`, { where: kind, details: { partialText: text } });
}
