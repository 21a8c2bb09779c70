/**
 * An answer in several runs of the engine, where what holds it changes on the way: a thought is free, the answer after it keeps a form; text is free, a call
 * of a tool keeps its form from the trigger on. Each run continues what the one before wrote; the kept prefix makes that cost a token.
 */
import type { Constraint } from "../spec/grammar.ts";
import type { ModelGenerateOptions, ModelHandle, ModelPiece } from "../spec/runtime.ts";
import type { AnswerForm, EndPiece } from "./answer.ts";
import { createThinkingFilter } from "./thinking.ts";
import { createWatch } from "./watch.ts";

/** The text of all runs, and one end piece. @throws SpellError as ModelHandle.generate() */
export async function* inPhases<O extends ModelGenerateOptions>(
  handle: Pick<ModelHandle<O>, "generate">,
  prompt: string,
  options: O,
  { thinking, calls }: Pick<AnswerForm, "thinking" | "calls">,
): AsyncGenerator<ModelPiece, void, undefined> {
  const ends: EndPiece[] = [];
  /** of the answer so far */
  let written = "";
  const write = (text: string): ModelPiece => {
    written += text;
    return { type: "text", text };
  };
  /** Calls repeat their quotes and colons, which a penalty would spoil. */
  const calling = (constraint: Constraint | undefined): Partial<ModelGenerateOptions> => ({
    stop: [],
    constraint,
    sampling: { ...options.sampling, penalties: undefined },
  });
  const spent = (): number => ends.reduce((sum, { completionTokens }) => sum + completionTokens, 0);
  /** What one run writes; its end is kept. */
  async function* run(more: Partial<ModelGenerateOptions>): AsyncGenerator<string, void, undefined> {
    const maxTokens = options.maxTokens - spent();
    for await (const piece of handle.generate(prompt + written, { ...options, ...more, maxTokens })) {
      if (piece.type === "text") yield piece.text;
      else ends.push(piece);
    }
  }
  /** One answer has one count: tokens that the model wrote and that were kept. */
  const end = (): ModelPiece => {
    const [first, ...more] = ends;
    const last = ends.at(-1);
    if (first === undefined || last === undefined) throw new Error("no run has ended");
    return {
      ...last,
      promptTokens: first.promptTokens,
      cachedTokens: first.cachedTokens,
      completionTokens: spent(),
      prefillMs: first.prefillMs,
      stateNotes: ends.flatMap(({ stateNotes = [] }) => stateNotes),
      deviceNote: ends.find((ended) => ended.deviceNote)?.deviceNote,
      decodeMs: ends.reduce((sum, { decodeMs }) => sum + decodeMs, 0) + more.reduce((sum, { prefillMs }) => sum + prefillMs, 0),
    };
  };
  const isSpent = (): boolean => ends.length > 0 && (ends.at(-1)?.finishReason === "length" || spent() >= options.maxTokens);
  const cutHere = (): ModelPiece => ({ ...(end() as EndPiece), finishReason: "length" });

  const isHeld = options.constraint !== undefined || calls?.lead !== undefined;
  if (thinking !== undefined && (isHeld || calls !== undefined || options.stop.length > 0)) {
    const filter = createThinkingFilter(thinking, thinking.isOpen);
    const watch = createWatch([thinking.close]);
    /** not written yet: it may be no thought */
    let unsure = "";
    let isClosed = false;
    for await (const text of run({ stop: [thinking.close], constraint: undefined })) {
      if (isClosed) continue;
      filter.push(text);
      if (filter.state === "text" && !filter.hasThought) break;
      // what follows the mark in the same piece belongs to the answer, which may have to keep a form
      const found = watch(text);
      unsure += found === undefined ? text : text.slice(0, found.end);
      if (!filter.hasThought) continue;
      isClosed = found !== undefined;
      yield write(unsure);
      unsure = "";
    }
    if (filter.hasThought && (isSpent() || (!isClosed && !isHeld))) {
      yield isClosed ? cutHere() : end();
      return;
    }
    // a model that ends within its thought still owes the form
    if (filter.hasThought && !isClosed) yield write(thinking.close);
    // an answer without a thought begins anew, under what holds it
    if (!filter.hasThought) ends.length = 0;
    const gap = filter.hasThought ? thinking.gap : "";
    const before = isHeld ? gap + (calls?.lead === undefined ? thinking.plain : "") : "";
    // what parts a thought from its answer is no place to stop at
    if (before !== "") yield write(before);
    else if (options.stop.some((mark) => gap.includes(mark))) yield write(gap);
  }

  if (calls?.lead !== undefined) {
    const { lead } = calls;
    written += lead;
    // shown with the first text of the engine, whose time is measured
    let before = lead;
    for await (const text of run(calling(calls.holds?.(lead)))) {
      written += text;
      yield { type: "text", text: before + text };
      before = "";
    }
    yield end();
    return;
  }
  if (calls?.holds === undefined) {
    for await (const text of run({})) yield write(text);
    yield end();
    return;
  }

  const watch = createWatch(calls.triggers);
  let begun: string | undefined;
  for await (const text of run({ stop: [...options.stop, ...calls.triggers] })) {
    if (begun !== undefined) continue;
    const found = watch(text);
    begun = found?.mark;
    yield write(text.slice(0, found?.end));
  }
  if (begun === undefined || isSpent()) {
    yield begun === undefined ? end() : cutHere();
    return;
  }
  for await (const text of run(calling(calls.holds(begun)))) yield write(text);
  yield end();
}
