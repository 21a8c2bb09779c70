/**
 * A model over its handles: parameters, stop strings, counting, and a fresh start after a crash. Calls come one at a time: the pool queues them.
 * Knows no engine and no architecture: gguf/model.ts and t5/model.ts say how a prompt is written and which options count.
 */

import { closedError, type ErrorCode, SpellError, toSpellError } from "../errors.ts";
import { type ByteSource, totalSize } from "../formats/byte-source.ts";
import { deviceChoices, isGpu } from "../spec/devices.ts";
import type { ChatPrompt, GenerateOptions } from "../spec/generate.ts";
import type { Constraint } from "../spec/grammar.ts";
import type { LocalModel } from "../spec/language-model.ts";
import type {
  Device,
  DeviceChoice,
  DeviceReport,
  GgufOpenOptions,
  ManyPiece,
  ModelGenerateOptions,
  ModelHandle,
  Seq2SeqOpenOptions,
} from "../spec/runtime.ts";
import type { ManyPart } from "../spec/stream-part.ts";
import { type Answer, type AnswerForm, createAnswer, type Warning, warning } from "./answer.ts";
import { wrongOption } from "./check-call.ts";
import { parameterRules } from "./parameters.ts";
import { inPhases } from "./phases.ts";
import { countRestarts } from "./restarts.ts";

/** A prompt as the model reads it, and what to tell about it. */
export interface WrittenPrompt {
  readonly text: string;
  readonly warnings: readonly Warning[];
  /** How the answer is read; absent: all of it is text. */
  readonly form?: AnswerForm | undefined;
}

/** Options of a call, complete and checked. */
export interface ResolvedCall<O> {
  readonly options: O;
  /** options that were given and have no meaning for this architecture, in snake_case */
  readonly ignored: readonly string[];
}

export interface HandleModelParts<O extends ModelGenerateOptions, P extends OpenOptions>
  extends Pick<LocalModel, "id" | "architecture" | "hasChatTemplate" | "isSeq2Seq"> {
  readonly files: readonly ByteSource[];
  /** Opens the files: at first, again after a crash or a lost device, and once for each other device a call names. */
  readonly runtime: { open(files: readonly ByteSource[], options: P): Promise<ModelHandle<O>> };
  /** Of the caller's own load. Its device is where calls compute that name none themselves. */
  readonly options: P;
  /** most tokens that the model itself can hold, where a load may ask for more context */
  readonly longestContext?: number | undefined;
  /** told once, with the first answer */
  readonly notes: readonly string[];
  readonly now: () => number;
  /** @throws SpellError run-option, before the call waits */
  resolve(options: GenerateOptions): ResolvedCall<O>;
  /** @throws SpellError run-option, template-*, run-aborted */
  write(prompt: ChatPrompt, options: GenerateOptions): Promise<WrittenPrompt>;
}

/** The model on one device, as it was asked for. */
interface Seat<O> {
  handle: ModelHandle<O>;
  /** of the newest load, until a call has reported it */
  loadMs: number;
  /** warnings that no call has shown yet */
  untold: readonly Warning[];
  readonly lost: Device[];
}

/** What the pool holds: as LanguageModel, without queue and defaults. */
export interface HandleModel
  extends Pick<LocalModel, "id" | "architecture" | "sizeBytes" | "hasChatTemplate" | "isSeq2Seq" | "contextLength" | "device"> {
  readonly keepsStates: true;
  readonly holds: readonly Constraint["kind"][];
  streamMany(prompts: readonly ChatPrompt[], options: GenerateOptions, held?: Constraint): AsyncGenerator<ManyPart, void, undefined>;
  dispose(): Promise<void>;
}

type OpenOptions = GgufOpenOptions | Seq2SeqOpenOptions;

/** A prompt that is too long for the context, with the context that would hold it and an answer. */
function withRoom(error: unknown, limit: number | undefined): unknown {
  if (!(error instanceof SpellError) || error.code !== "run-context" || limit === undefined) return error;
  const tokens = Number(error.details?.["promptTokens"]);
  if (!(tokens < limit)) return error.with({ hint: `Shorten the prompt: the model itself holds ${limit} tokens.` });
  const size = Math.min(limit, Math.ceil((tokens + 512) / 1024) * 1024);
  return error.with({
    hint: `Shorten the prompt, or load the model with contextSize ${size}; the model's limit is ${limit}.`,
    actions: [{ kind: "use-option", name: "contextSize", value: size }],
    details: { longestContext: limit },
  });
}

/**
 * Opens a model; it can generate when this resolves.
 * @throws SpellError of the runtime's open()
 */
export async function openHandleModel<O extends ModelGenerateOptions, P extends OpenOptions>(
  parts: HandleModelParts<O, P>,
): Promise<HandleModel> {
  const { id, architecture, hasChatTemplate, isSeq2Seq, files, options: given } = parts;
  const usual = given.device;
  const countRestart = countRestarts(parts.now);
  const seats = new Map<DeviceChoice, Seat<O>>();
  let closed = false;

  const openSeat = async (device: DeviceChoice, signal: AbortSignal | undefined): Promise<Seat<O>> => {
    const old = seats.get(device);
    const lost = old?.lost ?? [];
    const started = parts.now();
    // An engine that died may have died of a file that changed: whoever reads it says what is wrong with it.
    if (old !== undefined) for (const file of files) await file.read(0, 0, signal);
    // The caller's own load is the first; later ones are this file's doing and show no progress.
    const handle = await parts.runtime.open(files, seats.size === 0 ? given : { ...given, onProgress: undefined, device, lost, signal });
    if (closed) {
      await handle.dispose();
      throw closedError();
    }
    const fallbacks = (handle.fallbacks ?? []).map((note) => warning("device-fallback", note));
    // What was said of this device once is not said again after a restart.
    const notes = old === undefined ? handle.notes.map((note) => warning("device-note", note)) : [];
    const seat = { handle, loadMs: parts.now() - started, untold: [...fallbacks, ...notes], lost };
    seats.set(device, seat);
    return seat;
  };

  /** The engine may have died since the last call: then the model is opened again, a few times a minute at most. */
  const liveSeat = async (device: DeviceChoice, signal: AbortSignal | undefined): Promise<Seat<O>> => {
    // "cpu" may be what `auto` has taken already.
    const seat = seats.get(device) ?? [...seats.values()].find(({ handle }) => handle.alive && handle.device.chosen === device);
    if (seat === undefined) return openSeat(device, signal);
    if (seat.handle.alive) return seat;
    countRestart();
    const { chosen } = seat.handle.device;
    if (device !== "auto" || !isGpu(chosen)) return openSeat(device, signal);
    seat.lost.push(chosen);
    const next = await openSeat(device, signal);
    next.untold = [warning("device-fallback", `${chosen} was lost; ${next.handle.device.chosen} computes instead`), ...next.untold];
    return next;
  };

  const first = await openSeat(usual, undefined);
  first.untold = [...parts.notes.map((note) => warning("file-note", note)), ...first.untold];

  async function* streamMany(
    prompts: readonly ChatPrompt[],
    options: GenerateOptions,
    constraint?: Constraint,
  ): AsyncGenerator<ManyPart, void, undefined> {
    const called = parts.now();
    const { signal, device = usual } = options;
    checkDevice(device);
    const call = parts.resolve(options);
    const { sampling, stop } = call.options;
    const full = { ...call.options, session: options.session, save: options.save, signal, constraint };
    if (closed) throw closedError();
    let answers: readonly Answer[] = [];
    try {
      const [seat, ...written] = await Promise.all([liveSeat(device, signal), ...prompts.map((prompt) => parts.write(prompt, options))]);
      const newAnswers = (): readonly Answer[] => written.map(({ form }) => createAnswer(stop, form ?? {}, parts.now, called));
      answers = newAnswers();
      let loadMs = takeLoadMs(seat);
      for (const index of prompts.keys()) yield { index, part: { type: "stream-start", model: id, device: seat.handle.device } };
      yield* untold(seat);
      for (const [index, { warnings }] of written.entries()) for (const part of warnings) yield { index, part };
      for (const name of [...call.ignored, ...ignoredBy(seat.handle, options)]) {
        const part = warning(
          "option-ignored",
          `${name} is not known to ${runtimeOf(seat.handle.device)} for ${architecture} models; it was not sent`,
          [name],
        );
        yield { index: 0, part };
      }
      const runs = runtimeOf(seat.handle.device);
      if (options.save !== undefined && seat.handle.unsupported.includes("save"))
        yield { index: 0, part: warning("state-note", `not kept: ${runs} has no way to keep what it computes for ${architecture} models`) };
      try {
        yield* parted(piecesOf(seat.handle, written, full), answers);
      } catch (error) {
        const isShown = answers.some(({ isBegun }) => isBegun);
        const { chosen } = seat.handle.device;
        const goesOn = device === "auto" && isGpu(chosen) && !isShown && lossCodes.has(toSpellError(error).code);
        if (!goesOn) throw error;
        // Nothing of this answer was seen, so it may begin again where the numbers can be trusted. Once: a second loss is an error.
        seat.lost.push(chosen);
        await seat.handle.dispose().catch(() => undefined);
        const next = await openSeat(device, signal);
        loadMs += takeLoadMs(next);
        const reason = toSpellError(error).message;
        yield { index: 0, part: warning("device-fallback", `${chosen} failed (${reason}); ${next.handle.device.chosen} computes instead`) };
        yield* untold(next);
        answers = newAnswers();
        yield* parted(piecesOf(next.handle, written, full), answers);
      }
      for (const [index, answer] of answers.entries()) {
        // as many as the list has places; seeds stay 32-bit
        const seed = (sampling.seed + index) % 2 ** 32;
        for (const part of answer.finish({ seed, loadMs })) yield { index, part };
      }
    } catch (error) {
      throw withPartialText(withRoom(error, parts.longestContext), answers.map(({ text }) => text).join("\n"));
    }
  }

  const usualHandle = (): ModelHandle<O> => (seats.get(usual) ?? first).handle;
  return {
    id,
    architecture,
    sizeBytes: totalSize(files),
    hasChatTemplate,
    isSeq2Seq,
    keepsStates: true,
    holds: isSeq2Seq ? ["jsonSchema", "choices", "regex"] : ["jsonSchema", "choices", "regex", "grammar"],
    get contextLength() {
      return usualHandle().contextLength;
    },
    get device(): DeviceReport {
      return usualHandle().device;
    },
    streamMany,
    async dispose() {
      closed = true;
      await Promise.all([...seats.values()].map(({ handle }) => handle.dispose()));
    },
  };
}

/** What a graphics card does to a run when it goes: the answer may begin again elsewhere. */
const lossCodes: ReadonlySet<ErrorCode> = new Set<ErrorCode>(["device-lost", "device-memory", "run-crash", "run-nan"]);

/** @throws SpellError run-option */
function checkDevice(device: DeviceChoice): void {
  if (deviceChoices.includes(device)) return;
  throw wrongOption("device", deviceChoices.join(", "), device);
}

function takeLoadMs(seat: Seat<never>): number {
  const { loadMs } = seat;
  seat.loadMs = 0;
  return loadMs;
}

function* untold(seat: Seat<never>): Generator<ManyPart, void, undefined> {
  for (const part of seat.untold) yield { index: 0, part };
  seat.untold = [];
}

async function* parted(pieces: AsyncIterable<ManyPiece>, answers: readonly Answer[]): AsyncGenerator<ManyPart, void, undefined> {
  for await (const { index, piece } of pieces) for (const part of answers[index]?.push(piece) ?? []) yield { index, part };
}

/** All pieces of all prompts: together where the engine can, else one prompt after the other. */
async function* piecesOf<O extends ModelGenerateOptions>(
  handle: ModelHandle<O>,
  prompts: readonly WrittenPrompt[],
  options: O,
): AsyncGenerator<ManyPiece, void, undefined> {
  if (prompts.length > 1 && handle.generateMany !== undefined) {
    yield* handle.generateMany(
      prompts.map(({ text }) => text),
      options,
    );
    return;
  }
  for (const [index, { text, form }] of prompts.entries()) {
    const pieces = form === undefined ? handle.generate(text, options) : inPhases(handle, text, { ...options, marks: form.marks }, form);
    for await (const piece of pieces) yield { index, piece };
  }
}

function runtimeOf(device: DeviceReport): string {
  return device.runtime ?? device.chosen;
}

/** Sampling options that were asked for and that this runtime cannot do. */
function ignoredBy(handle: Pick<ModelHandle<never>, "unsupported">, options: GenerateOptions): string[] {
  return parameterRules
    .filter(({ name }) => options[name] !== undefined && handle.unsupported.some((missing) => missing === name))
    .map(({ name }) => name);
}

/** @returns a random unsigned 32-bit number */
export function randomSeed(): number {
  return crypto.getRandomValues(new Uint32Array(1))[0] ?? 0;
}

/** An error in the middle of an answer carries what was shown, so that nothing is lost. */
function withPartialText(error: unknown, partialText: string): SpellError {
  const spell = toSpellError(error);
  if (partialText === "" || spell.details?.["partialText"] !== undefined) return spell;
  return spell.with({ details: { partialText } });
}
