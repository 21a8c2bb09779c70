/**
 * LanguageModel over an opened model of any architecture: queue, parameters, stop strings, counting, and a fresh start after a crash.
 * Knows no engine and no architecture: gguf/model.ts and t5/model.ts say how a prompt is written and which options count.
 */
import { SpellError, toSpellError } from "../errors.ts";
import { limits } from "../limits.ts";
import type { GenerateOptions, Prompt } from "../spec/generate.ts";
import type { LanguageModel } from "../spec/language-model.ts";
import type { DeviceReport, GgufGenerateOptions, ModelHandle, ModelPiece } from "../spec/runtime.ts";
import type { StreamPart, WarningCode } from "../spec/stream-part.ts";
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

  async function* stream(prompt: Prompt, options: GenerateOptions = {}): AsyncGenerator<StreamPart, void, undefined> {
    const called = parts.now();
    const { signal } = options;
    const call = parts.resolve(options);
    const { sampling, stop } = call.options;
    const endTurn = await turns.take(signal);
    let partialText = "";
    try {
      const [live, rendered] = await Promise.all([liveHandle(signal), parts.write(prompt, options)]);
      const takenLoadMs = loadMs;
      loadMs = 0;
      yield { type: "stream-start", model: id, device: live.device };
      for (const note of notes) yield warning("file-note", note);
      notes = [];
      yield* rendered.warnings;
      for (const name of [...call.ignored, ...ignoredBy(live, options)]) {
        yield warning("option-ignored", `${name} is not known to ${runtimeOf(live.device)} for ${architecture} models; it was not sent`);
      }

      const filter = createStopFilter(stop);
      let firstTokenMs = 0;
      let end: EndPiece | undefined;
      let stopped = false;
      const show = (text: string): StreamPart[] => {
        if (text === "") return [];
        partialText += text;
        return [{ type: "text-delta", text }];
      };
      for await (const piece of live.generate(rendered.text, signal === undefined ? call.options : { ...call.options, signal })) {
        if (piece.type === "end") {
          end = piece;
          continue;
        }
        if (firstTokenMs === 0) firstTokenMs = parts.now() - called;
        if (stopped) continue; // what a runtime still says after a stop string is not part of the answer
        const { text, stopped: met } = filter.push(piece.text);
        stopped = met;
        yield* show(text);
      }
      if (end === undefined) throw new SpellError("run-crash", "the runtime ended without a result");
      if (!stopped) yield* show(filter.flush());
      if (end.note !== undefined) yield warning("output-invalid", end.note);
      yield streamEnd(end, { seed: sampling.seed, stopped, loadMs: takenLoadMs, firstTokenMs });
    } catch (error) {
      throw withPartialText(error, partialText);
    } finally {
      endTurn();
    }
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
