/**
 * LanguageModel over a GgufRuntime: queue, prompt, parameters, stop strings, counting, and a fresh start after a crash.
 * Knows no engine; the gate (gguf/gate.ts) has accepted the files before this file opens them.
 */
import { SpellError, toSpellError } from "../errors.ts";
import type { ByteSource } from "../formats/byte-source.ts";
import { limits } from "../limits.ts";
import type { Platform } from "../platform.ts";
import type { GenerateOptions, Prompt } from "../spec/generate.ts";
import type { LanguageModel } from "../spec/language-model.ts";
import type { DeviceReport, GgufHandle, GgufOpenOptions, GgufPiece, GgufRuntime } from "../spec/runtime.ts";
import type { StreamPart, WarningCode } from "../spec/stream-part.ts";
import { parameterRules, resolveDecoderParameters } from "../text/parameters.ts";
import { createStopFilter } from "../text/stop-filter.ts";
import { closedError, createTurns } from "../text/turns.ts";
import { createPromptWriter } from "./chat.ts";
import type { GgufFacts } from "./gate.ts";

export interface GgufModelSource {
  readonly id: string;
  /** in order, accepted by the gate */
  readonly files: readonly ByteSource[];
  readonly facts: GgufFacts;
}

type EndPiece = Extract<GgufPiece, { type: "end" }>;

/**
 * Opens a model; it can generate when this resolves.
 * @throws SpellError of GgufRuntime.open
 */
export async function openGgufModel(
  source: GgufModelSource,
  runtime: GgufRuntime,
  platform: Platform,
  options: GgufOpenOptions,
): Promise<LanguageModel> {
  const started = platform.now();
  const first = await runtime.open(source.files, options);
  return createGgufModel(source, runtime, platform, options, first, platform.now() - started);
}

function createGgufModel(
  source: GgufModelSource,
  runtime: GgufRuntime,
  platform: Platform,
  openOptions: GgufOpenOptions,
  first: GgufHandle,
  firstLoadMs: number,
): LanguageModel {
  const { id, facts, files } = source;
  const turns = createTurns(limits.waitingGenerations);
  const writePrompt = createPromptWriter(facts, platform.isolate);
  const restarts: number[] = [];
  let handle = first;
  let loadMs = firstLoadMs;
  let closed = false;
  let notes: readonly string[] = [...facts.notes, ...first.notes];

  /** The engine may have died since the last call: then the model is opened again, a few times a minute at most. */
  const liveHandle = async (signal: AbortSignal | undefined): Promise<GgufHandle> => {
    if (handle.alive) return handle;
    const now = platform.now();
    while (restarts[0] !== undefined && now - restarts[0] > 60_000) restarts.shift();
    if (restarts.length >= limits.restartsPerMinute) {
      throw new SpellError("run-crash", `the engine died ${restarts.length} times within a minute; it is not started again for now`, {
        commands: ["llmspell doctor"],
      });
    }
    restarts.push(now);
    const { onProgress: _, signal: __, ...again } = openOptions;
    const fresh = await runtime.open(files, signal === undefined ? again : { ...again, signal });
    if (closed) {
      await fresh.dispose();
      throw closedError();
    }
    handle = fresh;
    loadMs = platform.now() - now;
    return fresh;
  };

  async function* stream(prompt: Prompt, options: GenerateOptions = {}): AsyncGenerator<StreamPart, void, undefined> {
    const called = platform.now();
    const { signal } = options;
    const parameters = resolveDecoderParameters(options, facts.samplingDefaults, randomSeed);
    const endTurn = await turns.take(signal);
    let partialText = "";
    try {
      const [live, rendered] = await Promise.all([liveHandle(signal), writePrompt(prompt, options)]);
      if (rendered.text === "" && facts.bos === undefined)
        throw new SpellError("run-option", "the prompt is empty, and this model has no token to begin with", { where: "prompt" });
      const takenLoadMs = loadMs;
      loadMs = 0;
      yield { type: "stream-start", model: id, device: live.device };
      for (const note of notes) yield warning("file-note", note);
      notes = [];
      yield* rendered.warnings;
      for (const name of [...parameters.ignored, ...ignoredBy(live, options)]) {
        yield warning(
          "option-ignored",
          `${name} is not known to ${runtimeOf(live.device)} for ${facts.architecture} models; it was not sent`,
        );
      }

      const filter = createStopFilter(parameters.stop);
      let firstTokenMs = 0;
      let end: EndPiece | undefined;
      let stopped = false;
      const show = (text: string): StreamPart[] => {
        if (text === "") return [];
        partialText += text;
        return [{ type: "text-delta", text }];
      };
      const { maxTokens, sampling, stop } = parameters;
      for await (const piece of live.generate(rendered.text, { maxTokens, sampling, stop, ...(signal === undefined ? {} : { signal }) })) {
        if (piece.type === "end") {
          end = piece;
          continue;
        }
        if (firstTokenMs === 0) firstTokenMs = platform.now() - called;
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
    architecture: facts.architecture,
    hasChatTemplate: facts.chatTemplate !== undefined,
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
  };
}

function rate(tokens: number, ms: number): number {
  return tokens > 0 && ms > 0 ? (tokens * 1000) / ms : 0;
}

function warning(code: WarningCode, message: string): StreamPart {
  return { type: "warning", code, message };
}

function runtimeOf(device: DeviceReport): string {
  return device.runtime ?? device.chosen;
}

/** Sampling options that were asked for and that this runtime cannot do. */
function ignoredBy(handle: GgufHandle, options: GenerateOptions): string[] {
  return parameterRules
    .filter(({ name }) => options[name] !== undefined && handle.unsupported.some((missing) => missing === name))
    .map(({ snakeName }) => snakeName);
}

function randomSeed(): number {
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
