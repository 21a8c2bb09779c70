/**
 * LanguageModel over an opened model of any architecture: queue, parameters, stop strings, counting, and a fresh start after a crash.
 * Knows no engine and no architecture: gguf/model.ts and t5/model.ts say how a prompt is written and which options count.
 */
import { SpellError, toSpellError } from "../errors.ts";
import { limits } from "../limits.ts";
import type { GenerateOptions, Prompt } from "../spec/generate.ts";
import type { LanguageModel } from "../spec/language-model.ts";
import type { DeviceReport, GgufGenerateOptions, ManyPiece, ModelHandle, ModelPiece } from "../spec/runtime.ts";
import type { ManyPart, StreamPart, WarningCode } from "../spec/stream-part.ts";
import { parameterRules } from "./parameters.ts";
import { createStopFilter } from "./stop-filter.ts";
import { closedError, createTurns } from "./turns.ts";

type Warning = Extract<StreamPart, { type: "warning" }>;
type EndPiece = Extract<ModelPiece, { type: "end" }>;

/** A prompt as the model reads it, and what to tell about it. */
export interface WrittenPrompt {
  readonly text: string;
  readonly warnings: readonly Warning[];
}

/** Options of a call, complete and checked. */
export interface ResolvedCall<O> {
  readonly options: O;
  /** options that were given and have no meaning for this architecture, in snake_case */
  readonly ignored: readonly string[];
}

export interface HandleModelParts<O extends GgufGenerateOptions> {
  readonly id: string;
  readonly architecture: string;
  readonly hasChatTemplate: boolean;
  readonly isSeq2Seq: boolean;
  /** told once, with the first answer */
  readonly notes: readonly string[];
  readonly now: () => number;
  /** Opens the model, at first and again after a crash. */
  open(isFirst: boolean, signal: AbortSignal | undefined): Promise<ModelHandle<O>>;
  /** @throws SpellError run-option, before the call waits */
  resolve(options: GenerateOptions): ResolvedCall<O>;
  /** @throws SpellError run-option, template-*, run-aborted */
  write(prompt: Prompt, options: GenerateOptions): Promise<WrittenPrompt>;
}

/**
 * Opens a model; it can generate when this resolves.
 * @throws SpellError of `open`
 */
export async function openHandleModel<O extends GgufGenerateOptions>(parts: HandleModelParts<O>): Promise<LanguageModel> {
  const started = parts.now();
  const first = await parts.open(true, undefined);
  return createHandleModel(parts, first, parts.now() - started);
}

function createHandleModel<O extends GgufGenerateOptions>(
  parts: HandleModelParts<O>,
  first: ModelHandle<O>,
  firstLoadMs: number,
): LanguageModel {
  const { id, architecture } = parts;
  const turns = createTurns(limits.waitingGenerations);
  const restarts: number[] = [];
  let handle = first;
  let loadMs = firstLoadMs;
  let closed = false;
  let notes: readonly string[] = [...parts.notes, ...first.notes];

  /** The engine may have died since the last call: then the model is opened again, a few times a minute at most. */
  const liveHandle = async (signal: AbortSignal | undefined): Promise<ModelHandle<O>> => {
    if (handle.alive) return handle;
    const now = parts.now();
    while (restarts[0] !== undefined && now - restarts[0] > 60_000) restarts.shift();
    if (restarts.length >= limits.restartsPerMinute) {
      throw new SpellError("run-crash", `the engine died ${restarts.length} times within a minute; it is not started again for now`, {
        commands: ["llmspell doctor"],
      });
    }
    restarts.push(now);
    const fresh = await parts.open(false, signal);
    if (closed) {
      await fresh.dispose();
      throw closedError();
    }
    handle = fresh;
    loadMs = parts.now() - now;
    return fresh;
  };

  async function* streamMany(prompts: readonly Prompt[], options: GenerateOptions = {}): AsyncGenerator<ManyPart, void, undefined> {
    const called = parts.now();
    const { signal } = options;
    const call = parts.resolve(options);
    const { sampling, stop } = call.options;
    const full = signal === undefined ? call.options : { ...call.options, signal };
    const endTurn = await turns.take(signal);
    const answers = prompts.map(() => createAnswer(stop, parts.now, called));
    try {
      const [live, ...written] = await Promise.all([liveHandle(signal), ...prompts.map((prompt) => parts.write(prompt, options))]);
      const takenLoadMs = loadMs;
      loadMs = 0;
      for (const index of prompts.keys()) yield { index, part: { type: "stream-start", model: id, device: live.device } };
      for (const note of notes) yield { index: 0, part: warning("file-note", note) };
      notes = [];
      for (const [index, { warnings }] of written.entries()) for (const part of warnings) yield { index, part };
      for (const name of [...call.ignored, ...ignoredBy(live, options)]) {
        const part = warning(
          "option-ignored",
          `${name} is not known to ${runtimeOf(live.device)} for ${architecture} models; it was not sent`,
        );
        yield { index: 0, part };
      }
      const texts = written.map(({ text }) => text);
      for await (const { index, piece } of piecesOf(live, texts, full))
        for (const part of answers[index]?.push(piece) ?? []) yield { index, part };
      for (const [index, answer] of answers.entries()) {
        // as many as the list has places; seeds stay 32-bit
        const seed = (sampling.seed + index) % 2 ** 32;
        for (const part of answer.finish({ seed, loadMs: takenLoadMs })) yield { index, part };
      }
    } catch (error) {
      throw withPartialText(error, answers.map(({ text }) => text).join("\n"));
    } finally {
      endTurn();
    }
  }

  async function* stream(prompt: Prompt, options: GenerateOptions = {}): AsyncGenerator<StreamPart, void, undefined> {
    for await (const { part } of streamMany([prompt], options)) yield part;
  }

  return {
    id,
    architecture,
    hasChatTemplate: parts.hasChatTemplate,
    isSeq2Seq: parts.isSeq2Seq,
    get contextLength() {
      return handle.contextLength;
    },
    get device(): DeviceReport {
      return handle.device;
    },
    stream,
    streamMany,
    async dispose() {
      if (closed) return;
      closed = true;
      turns.close();
      await handle.dispose();
    },
    [Symbol.asyncDispose]() {
      return this.dispose();
    },
  };
}

/** All pieces of all prompts: together where the engine can, else one prompt after the other. */
async function* piecesOf<O>(handle: ModelHandle<O>, prompts: readonly string[], options: O): AsyncGenerator<ManyPiece, void, undefined> {
  if (prompts.length > 1 && handle.generateMany !== undefined) {
    yield* handle.generateMany(prompts, options);
    return;
  }
  for (const [index, prompt] of prompts.entries()) for await (const piece of handle.generate(prompt, options)) yield { index, piece };
}

/** One answer on its way: pieces of the engine to parts of a stream. */
interface Answer {
  /** shown so far */
  readonly text: string;
  push(piece: ModelPiece): readonly StreamPart[];
  /** @throws SpellError run-crash where no end came */
  finish(facts: Pick<StreamFacts, "seed" | "loadMs">): readonly StreamPart[];
}

function createAnswer(stop: readonly string[], now: () => number, called: number): Answer {
  const filter = createStopFilter(stop);
  let text = "";
  let firstTokenMs = 0;
  let end: EndPiece | undefined;
  let stopped = false;
  const show = (more: string): StreamPart[] => {
    if (more === "") return [];
    text += more;
    return [{ type: "text-delta", text: more }];
  };
  return {
    get text() {
      return text;
    },
    push(piece) {
      if (piece.type === "end") {
        end = piece;
        return [];
      }
      if (firstTokenMs === 0) firstTokenMs = now() - called;
      if (stopped) return []; // what a runtime still says after a stop string is not part of the answer
      const result = filter.push(piece.text);
      stopped = result.stopped;
      return show(result.text);
    },
    finish({ seed, loadMs }) {
      if (end === undefined) throw new SpellError("run-crash", "the runtime ended without a result");
      return [
        ...(stopped ? [] : show(filter.flush())),
        ...(end.note === undefined ? [] : [warning("output-invalid", end.note)]),
        streamEnd(end, { seed, stopped, loadMs, firstTokenMs }),
      ];
    },
  };
}

/** Facts of a stream that only core knows. */
interface StreamFacts {
  readonly seed: number;
  readonly stopped: boolean;
  readonly loadMs: number;
  readonly firstTokenMs: number;
}

function streamEnd(end: EndPiece, facts: StreamFacts): StreamPart {
  return {
    type: "stream-end",
    finishReason: facts.stopped ? "stop" : end.finishReason,
    seed: facts.seed,
    usage: {
      promptTokens: end.promptTokens,
      cachedPromptTokens: end.cachedTokens,
      completionTokens: end.completionTokens,
      totalTokens: end.promptTokens + end.completionTokens,
    },
    timing: {
      loadMs: facts.loadMs,
      firstTokenMs: facts.firstTokenMs,
      prefillMs: end.prefillMs,
      decodeMs: end.decodeMs,
      prefillRate: rate(end.promptTokens - end.cachedTokens, end.prefillMs),
      decodeRate: rate(end.completionTokens - 1, end.decodeMs),
    },
    ...(end.candidates === undefined ? {} : { candidates: end.candidates.map(({ text }) => text) }),
  };
}

function rate(tokens: number, ms: number): number {
  return tokens > 0 && ms > 0 ? (tokens * 1000) / ms : 0;
}

export function warning(code: WarningCode, message: string): Warning {
  return { type: "warning", code, message };
}

function runtimeOf(device: DeviceReport): string {
  return device.runtime ?? device.chosen;
}

/** Sampling options that were asked for and that this runtime cannot do. */
function ignoredBy(handle: Pick<ModelHandle<never>, "unsupported">, options: GenerateOptions): string[] {
  return parameterRules
    .filter(({ name }) => options[name] !== undefined && handle.unsupported.some((missing) => missing === name))
    .map(({ snakeName }) => snakeName);
}

/** @returns an unsigned 32-bit number nobody chose */
export function randomSeed(): number {
  return crypto.getRandomValues(new Uint32Array(1))[0] ?? 0;
}

/** An error in the middle of an answer carries what was shown, so that nothing is lost. */
function withPartialText(error: unknown, partialText: string): SpellError {
  const spell = toSpellError(error);
  if (partialText === "" || spell.details?.["partialText"] !== undefined) return spell;
  const { code, message, hint, commands, where, details, cause } = spell;
  return new SpellError(code, message, {
    hint,
    commands,
    ...(where === undefined ? {} : { where }),
    details: { ...details, partialText },
    cause,
  });
}
