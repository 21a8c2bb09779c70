/** Answers of node-llama-cpp, token by token: the prompt that is kept, the options by their names there, and whole characters only. */
import type { Llama, LlamaContextSequence, LlamaGrammarEvaluationState, LlamaModel, Token } from "node-llama-cpp";
import { contextError, messageOf, SpellError, throwIfAborted, toSpellError } from "../../core/errors.ts";
import { badGrammar, bytesNoText, gbnfOf } from "../../core/grammar/gbnf.ts";
import { chooseAmong } from "../../core/sampling.ts";
import type { Constraint } from "../../core/spec/grammar.ts";
import type { GgufGenerateOptions, ModelPiece, ThreadChoice } from "../../core/spec/runtime.ts";
import { createWatch } from "../../core/text/watch.ts";
import { createForced } from "./llama-forced.ts";
import { createGuesser, type GuessCosts } from "./llama-guess.ts";
import { promptPace, type ThreadPace, threadPace, triedTokens } from "./llama-pace.ts";
import { rateChoices } from "./llama-rate.ts";
import { toEvaluateOptions, toSamplerConfig } from "./llama-sampling.ts";
import { engineName, importLlama } from "./llama-start.ts";
import type { StateKeeper } from "./llama-states.ts";
import { directSteps } from "./llama-steps.ts";
import { createDetokenizer, markTokens } from "./llama-text.ts";

/** Tokens to compute below which a prompt takes the threads of decoding; with 16, two threads already won on the models looked at. */
const shortPrompt = 12;
/** Tokens of a context beyond which flash attention parts a step's keys among threads: its sums then depend on their number (measured; llama.cpp of node-llama-cpp 3.22.1). */
const partedFrom = 256;
/** Where the seed was given, steps in such a context keep their threads until they take so many times as long as with one thread. */
const fixedPatience = 6;
const busyNote =
  "other programs kept the processors busy, so the number of threads changed: another answer with this seed may part from this one";

export interface LlamaEngine {
  readonly llama: Llama;
  readonly model: LlamaModel;
  readonly sequence: LlamaContextSequence;
  readonly threads: ThreadChoice;
  /** what its answers learn of the threads that pay now */
  readonly pace: ThreadPace;
  /** see threadPace() */
  readonly oneMs?: number | undefined;
  /** see promptPace() */
  readonly onePromptMs?: number | undefined;
  readonly contextLength: number;
  /** attention computed without flash attention */
  readonly isPlain: boolean;
  readonly batchSize: number;
  readonly guessCosts: GuessCosts;
  /** of calls that keep what they compute */
  readonly keeper?: StateKeeper | undefined;
}

export async function* generate(
  engine: LlamaEngine,
  prompt: string,
  options: GgufGenerateOptions,
): AsyncGenerator<ModelPiece, void, undefined> {
  const { llama, model, sequence, threads, pace, oneMs, contextLength, isPlain, guessCosts, keeper } = engine;
  const { signal, sampling } = options;
  throwIfAborted(signal);
  const tokens = tokenizePrompt(model, prompt);
  const promptTokens = tokens.length;
  if (promptTokens > contextLength) throw contextError(promptTokens, contextLength);
  const mostTokens = Math.min(options.maxTokens, contextLength - promptTokens);
  const started = performance.now();
  let completionTokens = 0;
  let firstAt = started;
  let cachedTokens = 0;
  let choiceLogprobs: readonly number[] | undefined;
  let deviceNote: string | undefined;
  const end = (finishReason: "stop" | "length"): Extract<ModelPiece, { type: "end" }> => {
    const now = performance.now();
    const prefillMs = completionTokens === 0 ? now - started : firstAt - started;
    return {
      type: "end",
      finishReason,
      promptTokens,
      cachedTokens,
      completionTokens,
      prefillMs,
      decodeMs: completionTokens === 0 ? 0 : now - firstAt,
      choiceLogprobs,
      deviceNote,
    };
  };
  if (mostTokens <= 0 || promptTokens === 0) {
    yield end("length");
    return;
  }

  try {
    await keeper?.take(sequence, tokens);
    cachedTokens = await keepPrefix(sequence, tokens);
    const keepsPrompt = keeper?.wants(promptTokens) === true;
    const choices = options.constraint?.kind === "choices" ? options.constraint.choices : undefined;
    let next = cachedTokens;
    // Several tokens computed at once can round otherwise, and so can other numbers of threads (docs/differences-between-runtimes.md): where the seed was given, neither depends on the clock.
    const isFixed = sampling.isSeeded === true;
    const mayVary = (): boolean => !isFixed || isPlain || promptTokens + completionTokens <= partedFrom;
    // Of a prompt that is kept, has choices behind it, or is to be answered the same again, the last token comes alone.
    const leavesOne = keepsPrompt || isFixed || choices !== undefined;
    next = await readPrompt(engine, tokens, next, { isFixed, mayVary: mayVary(), leavesOne, signal });
    if (keepsPrompt) await keeper?.keepPrompt(sequence);

    if (choices !== undefined) {
      firstAt = performance.now();
      const onBatch = (count: number): void => {
        llama.maxThreads = promptThreads(engine, count, mayVary());
      };
      const rated = await rateChoices({ model, sequence, prompt: tokens, onBatch, contextLength, signal }, choices);
      choiceLogprobs = rated?.logprobs;
      const place = rated === undefined ? 0 : chooseAmong(rated.logprobs, sampling);
      const path = rated?.paths[place];
      // one that has no room is written token by token, up to where it is cut
      if (path !== undefined && path.length < mostTokens) {
        // what the sequence holds of other choices is no part of the conversation
        await sequence.adaptStateToTokens([...tokens, ...path], false);
        completionTokens = path.length + 1;
        yield* toText(choices[place] ?? "");
        yield end("stop");
        return;
      }
      next = await keepPrefix(sequence, tokens);
    }

    const form = options.constraint === undefined ? undefined : await startGrammar(llama, model, options.constraint);
    /** Of an answer with a form: what stands before bytes that are no text. */
    const textIn = (piece: string): string => (form === undefined ? piece : (piece.split("\ufffd", 1)[0] ?? piece));
    const history = [...tokens];
    const text = createDetokenizer(model, tokens.slice(-4), markTokens(model, options.marks));
    const watch = createWatch(options.stop);
    let repeats = 0;
    const fixedPace = threadPace(threads.decode, oneMs, fixedPatience);
    const paceNow = (): ThreadPace => (mayVary() ? pace : fixedPace);
    let last = started;
    const first = tokens.slice(next);
    if (promptTokens - next === 1) llama.maxThreads = paceNow().threads;
    // Penalties count what was drawn.
    const forced =
      options.constraint === undefined || form === undefined || sampling.penalties !== undefined
        ? undefined
        : createForced(engine, options.constraint, form);
    const ahead = { guesser: isFixed ? undefined : createGuesser(tokens, guessCosts), forced, most: mostTokens };
    const steps =
      directSteps(engine, first, toSamplerConfig(sampling, history, contextLength), form, ahead) ??
      sequence.evaluate(first, {
        ...toEvaluateOptions(sampling, history, contextLength),
        yieldEogToken: true,
        ...(form !== undefined && { grammarEvaluationState: form }),
      });
    for await (const token of steps) {
      completionTokens += 1;
      const now = performance.now();
      if (completionTokens === 1) firstAt = now;
      // the first one came with the prompt
      if (completionTokens > 1) paceNow().told(now - last);
      // takes effect with the next step
      llama.maxThreads = paceNow().threads;
      if (paceNow() === fixedPace && fixedPace.threads < threads.decode) deviceNote = busyNote;
      last = now;
      throwIfAborted(signal);
      if (model.isEogToken(token)) {
        const rest = text.flush();
        const whole = textIn(rest);
        yield* toText(whole);
        yield whole === rest ? end("stop") : { ...end("length"), note: bytesNoText };
        return;
      }
      repeats = token === history.at(-1) ? repeats + 1 : 0;
      if (repeats === suspiciousRepeats) await checkStep(sequence, token);
      history.push(token);
      const pushed = text.push(token);
      const piece = textIn(pushed);
      forced?.push(piece);
      yield* toText(piece);
      if (piece !== pushed) {
        yield { ...end("length"), note: bytesNoText };
        return;
      }
      const isStopped = watch(piece) !== undefined;
      if (isStopped || completionTokens >= mostTokens) {
        if (!isStopped) yield* toText(text.flush());
        yield end(isStopped ? "stop" : "length");
        return;
      }
    }
    throw new SpellError("run-crash", `${engineName} ended without an end token`);
  } catch (error) {
    const text = messageOf(error);
    if (text === "Failed to sample next token")
      throw new SpellError("run-nan", "no token could be chosen from the model's numbers", { cause: error });
    throw toSpellError(error, "run-crash", engineName);
  }
}

/** Threads for so many tokens at once: a few behave like a step of decoding, since helpers cost per layer, not per token. Many are tried as they are read. */
function promptThreads({ threads, pace }: LlamaEngine, count: number, mayVary: boolean): number {
  const isBusy = pace.threads < threads.decode;
  if (isBusy && mayVary && count < 2 * triedTokens) return 1;
  return count < shortPrompt ? threads.decode : threads.prompt;
}

interface PromptReading {
  /** batches of one size, however long they take */
  readonly isFixed: boolean;
  /** threads may change */
  readonly mayVary: boolean;
  /** the last token is computed alone */
  readonly leavesOne: boolean;
  readonly signal: AbortSignal | undefined;
}

/**
 * Computes a prompt batch by batch, so that an abort is seen between two of them, up to the tokens that are computed with the first draw.
 * @param next tokens that are computed already
 * @returns tokens that are computed now
 */
async function readPrompt(
  engine: LlamaEngine,
  tokens: readonly Token[],
  next: number,
  { isFixed, mayVary, leavesOne, signal }: PromptReading,
): Promise<number> {
  const { llama, sequence, onePromptMs, batchSize } = engine;
  const left = (): number => tokens.length - next;
  const reading = promptPace(promptThreads(engine, left(), mayVary), onePromptMs, batchSize, isFixed);
  llama.maxThreads = reading.threads;
  while (left() > (leavesOne ? 1 : reading.size(left()))) {
    const batch = tokens.slice(next, Math.min(next + reading.size(left()), tokens.length - 1));
    const began = performance.now();
    await sequence.evaluateWithoutGeneratingNewTokens(batch);
    reading.told(batch.length, performance.now() - began);
    llama.maxThreads = reading.threads;
    next += batch.length;
    throwIfAborted(signal);
  }
  return next;
}

/** @throws SpellError run-option for GBNF that llama.cpp refuses */
async function startGrammar(llama: Llama, model: LlamaModel, held: Constraint): Promise<LlamaGrammarEvaluationState> {
  const { LlamaGrammarEvaluationState: State } = await importLlama();
  const grammar = gbnfOf(held);
  try {
    return new State({ model, grammar: await llama.createGrammar({ grammar }) });
  } catch (error) {
    throw badGrammar(error, held.kind);
  }
}

function* toText(text: string): Generator<ModelPiece> {
  if (text !== "") yield { type: "text", text };
}

/** Special tokens in the text are read as such. Begin-of-sequence comes once: from the text, or else from here where the model wants one. */
function tokenizePrompt(model: LlamaModel, prompt: string): Token[] {
  const tokens = model.tokenize(prompt, true);
  const { bos, shouldPrependBosToken } = model.tokens;
  if (shouldPrependBosToken && bos !== null && tokens[0] !== bos) tokens.unshift(bos);
  return tokens;
}

/** Takes back whatever differs. @returns how many tokens of the prompt stay computed; the last one never does, since its numbers are needed */
async function keepPrefix(sequence: LlamaContextSequence, tokens: readonly Token[]): Promise<number> {
  await sequence.adaptStateToTokens(tokens.slice(0, -1), false);
  // Some families cannot take back a part; then the engine took back more.
  return sequence.nextTokenIndex;
}

/** Probability of the likeliest token after this one; NaN where the numbers are broken. */
export async function confidenceAfter(sequence: LlamaContextSequence, token: Token): Promise<number> {
  const [output] = await sequence.controlledEvaluate([
    [token, { generateNext: { token: true, confidence: true, options: { temperature: 0 } } }],
  ]);
  return output?.next.token == null ? Number.NaN : (output.next.confidence ?? Number.NaN);
}

/** So many equal tokens in a row are what broken numbers look like; they may be honest too, hence the look. */
const suspiciousRepeats = 16;

/** @throws SpellError run-nan where the step after this token gives no numbers */
async function checkStep(sequence: LlamaContextSequence, token: Token): Promise<void> {
  const start = sequence.nextTokenIndex;
  const confidence = await confidenceAfter(sequence, token);
  await sequence.eraseContextTokenRanges([{ start, end: start + 1 }]);
  if (!Number.isFinite(confidence)) throw new SpellError("run-nan", "the model gives no finite numbers any more");
}
