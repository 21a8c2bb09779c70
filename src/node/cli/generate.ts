/** `llmspell generate`: one prompt, one answer. The model loads while standard input is still being read. */
import { SpellError } from "../../core/errors.ts";
import type { LanguageModel } from "../../core/spec/language-model.ts";
import { inWords } from "../../core/text/option-words.ts";
import { flagWord } from "./advice.ts";
import { readAnswerForm } from "./answer-form.ts";
import { flagNumber, flagText } from "./args.ts";
import type { Context } from "./context.ts";
import { plural } from "./format.ts";
import { readPrompt } from "./input.ts";
import {
  deviceFields,
  explain,
  isSpent,
  lengthNote,
  loadModel,
  missingTemplateNote,
  readGenerateOptions,
  readLoadOptions,
  type StreamEnd,
  statisticsText,
  usageFields,
} from "./session.ts";

/** @throws SpellError of the flags, the prompt, the model or its answer */
export async function generate(context: Context): Promise<number> {
  const { flags, screen, interrupt, stdin } = context;
  const [first] = context.operands;
  const last = context.operands.at(-1);
  // between words it is a sign, as in 5 - 3
  if (context.operands.length > 1 && (first === "-" || last === "-"))
    throw new SpellError("usage-value", "PROMPT: - is standard input alone; got also other words", {
      where: "PROMPT",
      hint: "Leave - out: piped text stands before PROMPT; or put the whole prompt in quotes.",
    });
  const operand = first === undefined ? undefined : context.operands.join(" ");
  const options = { ...readGenerateOptions(flags), ...readAnswerForm(flags) };
  const name = flagText(flags, "model");
  if (first !== undefined && /^\S+\.gguf$/i.test(first) && !flags.has("model"))
    screen.note(`${first} is the prompt here; a model is named with -m:`, [{ kind: "run", model: first }]);
  // A wrong command line must not cost a load.
  if (stdin === undefined && (operand === undefined || operand === "-"))
    await readPrompt(operand, stdin, { raw: false, signal: interrupt.signal, screen });

  const [model, prompt] = await Promise.all([
    loadModel(context, name, readLoadOptions(flags)),
    readPrompt(operand, stdin, { raw: options.raw === true, signal: interrupt.signal, screen }),
  ]);
  if (!model.hasChatTemplate && !model.isSeq2Seq && options.raw !== true) screen.note(missingTemplateNote(model));

  const warnings: { readonly code: string; readonly message: string }[] = [];
  const streams = !flags.has("no-stream");
  // Several answers come together at the end, one to a line.
  const numbered = (flagNumber(flags, "num-return-sequences") ?? 1) > 1;
  // While the answer itself appears on this terminal, a counter beside it would only disturb.
  const progress = screen.progress("reading the prompt");
  const counts = !streams || !(screen.outIsTerminal || screen.isOnePlace);
  let pieces = 0;
  let text = "";
  let reasoning = "";
  try {
    for await (const part of model.stream(prompt, {
      ...options,
      ...(flags.has("prefix-cache") && { save: true }),
      signal: interrupt.signal,
    })) {
      if (part.type === "warning") {
        const message = inWords(part, flagWord);
        warnings.push({ code: part.code, message });
        screen.note(message);
      } else if (part.type === "reasoning-delta") {
        if (reasoning === "") progress.end();
        reasoning += part.text;
        screen.think(part.text);
      } else if (part.type === "text-delta") {
        text += part.text;
        pieces += 1;
        if (counts) progress.say(`writing, ${plural(pieces, "token")}`);
        else if (pieces === 1) progress.end();
        if (streams && !numbered) screen.write(part.text);
      } else if (part.type === "stream-end") {
        progress.end();
        if (numbered) screen.write((part.candidates ?? [text]).map((candidate, index) => `${index + 1}. ${candidate}\n`).join(""));
        else if (!streams) screen.write(text);
        screen.endLine();
        screen.document(documentOf(model, { text, reasoning }, part, warnings), ["text", "reasoning", "candidates"]);
        if (isSpent(part, warnings)) screen.note(lengthNote(part, model, flagWord));
        if (flags.has("stats")) screen.aside(statisticsText(part, model.device));
      }
    }
  } catch (error) {
    progress.end();
    if (!streams && !numbered) screen.write(text);
    throw interrupt.signal.aborted ? stopped(text, screen.json) : explain(error, model.id);
  }
  // the run ends here, and its processes with it: nobody waits until they have given their memory back
  model.dispose().catch(() => undefined);
  return 0;
}

function documentOf(
  model: LanguageModel,
  { text, reasoning }: Readonly<Record<"text" | "reasoning", string>>,
  end: StreamEnd,
  warnings: readonly unknown[],
): Record<string, unknown> {
  const { timing } = end;
  const tenth = (value: number): number => Math.round(value * 10) / 10;
  return {
    status: "ok",
    model: model.id,
    provider: model.provider,
    backend: model.backend,
    architecture: model.architecture,
    device: deviceFields(model.device),
    text,
    reasoning: reasoning === "" ? undefined : reasoning,
    json: end.json,
    choice_logprobs: end.choiceLogprobs,
    candidates: end.candidates,
    finish_reason: end.finishReason,
    stopped_by: end.stoppedBy,
    usage: usageFields(end.usage),
    timings: {
      load_ms: tenth(timing.loadMs),
      prompt_ms: tenth(timing.prefillMs),
      first_token_ms: tenth(timing.firstTokenMs),
      generation_ms: tenth(timing.decodeMs),
      tokens_per_second: tenth(timing.decodeRate),
    },
    seed: end.seed,
    warnings,
  };
}

/** The run's own abort says what was kept. */
function stopped(text: string, json: boolean): SpellError {
  const kept =
    text === "" ? "before any text came" : json ? "the text so far is in details.partial_text" : "the text above is not complete";
  return new SpellError("run-aborted", `stopped: ${kept}`, { details: { partialText: text } });
}
