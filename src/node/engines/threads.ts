/**
 * How many threads compute: never taken on faith. ggml's helpers spin on barriers, so that on a small model or a busy machine two threads
 * can be thirteen times slower than one, while prompts gain from them. Prompt and decode are measured apart, once per machine and model size.
 */
import { availableParallelism, cpus } from "node:os";
import { SpellError } from "../../core/errors.ts";
import type { ThreadChoice } from "../../core/spec/runtime.ts";
import { median } from "../../core/values.ts";
import { readRecords, writeRecord } from "./home-records.ts";
import { watchOthers } from "./machine-load.ts";

/** Best numbers of threads found on this machine. */
export interface MeasuredThreads {
  readonly prompt: number;
  readonly decode: number;
  /** milliseconds of the decoding that was measured, with one thread; absent where that is not known */
  readonly oneMs?: number | undefined;
  /** … of a token of the prompt */
  readonly onePromptMs?: number | undefined;
}

/** A measurement, and what tells whether it holds. */
export interface ThreadMeasurement extends MeasuredThreads {
  /** Its samples agreed. */
  readonly isSteady: boolean;
  /** processors that other programs kept busy meanwhile: one thread always agrees with itself, but two would have won without them */
  readonly others: number;
}

/** A measurement of an earlier process. */
export interface KeptThreads extends MeasuredThreads {
  /** The machine was quiet, and the samples agreed: it is never made anew. */
  readonly isSettled: boolean;
  readonly others: number;
}

/**
 * One sample with so many threads. It may stop after `limitMs`, where it has lost already.
 * @returns milliseconds, lower is better
 */
export interface ThreadProbe {
  readonly prompt: (threads: number, limitMs: number) => Promise<number>;
  readonly decode: (threads: number, limitMs: number) => Promise<number>;
  /** tokens of a sample of the prompt */
  readonly promptTokens: number;
}

/** File in the home folder. */
const cacheName = "threads.json";
/** Counted up when the way of measuring changes: what was measured another way is measured anew. */
const form = 5;
/** More threads must win by this much: they also take processors away from others, and measurements differ by a few percent anyway. */
const worthwhile = 1.08;
/** Samples of one number of threads further apart than this were disturbed. */
const steady = 1.4;
/** So much quicker than the one that was chosen is no chance: who is so in good samples may be the best. */
const wouldWin = 1.25;
/** Who needs this many times as long as the fastest has lost: on a busy machine two threads may take a hundred times as long as one. */
const lost = 3;
/** Measurements that disagree on a quiet machine are made anew at the next loads, but not for ever: some processors are so. */
const maxQuietTries = 3;
/** … and so often at most where others are seen each time. */
const maxTries = 10;

/** Processors that others may keep busy while a machine still counts as quiet: the process that asked for the engine takes 0.2 of one meanwhile. */
function quietLimit(cores: number = availableParallelism()): number {
  return Math.max(0.35, cores * 0.05);
}

/** @param others what watchOthers() says; undefined: not known, which is no reason to wait */
export function isQuiet(others: number | undefined): boolean {
  return others === undefined || others <= quietLimit();
}

/** A choice of a busy time does not stay: it is made anew as soon as the machine is quiet, or much quieter than it was. */
export function shouldMeasureAgain({ isSettled, others }: KeptThreads, now: number | undefined): boolean {
  return !isSettled && now !== undefined && (isQuiet(now) || now <= others / 2);
}

/** One, half and all of the processors this process may use; distinct, rising. @param cores for tests */
export function threadCandidates(cores: number = availableParallelism()): readonly number[] {
  return [...new Set([1, Math.max(1, Math.floor(cores / 2)), Math.max(1, cores)])].sort((a, b) => a - b);
}

/** Where nothing can be measured. Spin barriers collapse on busy cores, so half of them. */
export function defaultThreads(cores: number = availableParallelism()): number {
  return Math.max(1, Math.floor(cores / 2));
}

/**
 * Brings an asked number within what the machine has. 0 means: find out.
 * @returns the number to use, and a note where it is not the one asked for
 * @throws SpellError run-option for negative and fractional numbers
 */
export function clampThreads(
  asked: number,
  cores: number = availableParallelism(),
): { readonly threads: number; readonly note?: string | undefined } {
  if (!Number.isInteger(asked) || asked < 0) {
    throw new SpellError("run-option", `threads: expected an integer of at least 0 (0: measured), got ${asked}`, { where: "threads" });
  }
  if (asked <= cores) return { threads: asked };
  return { threads: cores, note: `${asked} threads were asked for; this machine offers ${cores}, so ${cores} are used` };
}

/**
 * For ONNX Runtime, whose helpers sleep when there is nothing to do: all cores, and at most eight, since reading the weights is the limit.
 * @param others processors that other programs keep busy, where that matters: in WebAssembly two threads on one free processor take twice the time of one
 */
export function chooseOnnxThreads(
  asked: number,
  others = 0,
  cores: number = availableParallelism(),
): { readonly threads: ThreadChoice; readonly notes: readonly string[] } {
  const { threads, note } = clampThreads(asked, cores);
  const chosen = threads > 0 ? threads : Math.min(8, Math.max(1, Math.round(cores - others)));
  return {
    threads: { prompt: chosen, decode: chosen, origin: threads > 0 ? "asked" : "default" },
    notes: note === undefined ? [] : [note],
  };
}

/** Names what a measurement holds for: this processor, this engine, models of about this size (powers of two). */
export function threadKey(engine: string, engineVersion: string, modelBytes: number): string {
  const processors = cpus();
  const model = (processors[0]?.model ?? "unknown").replace(/\s+/g, " ").trim();
  return `${engine}@${engineVersion} | ${model} x${availableParallelism()} of ${processors.length} | 2^${Math.round(Math.log2(Math.max(1, modelBytes)))} bytes`;
}

/** @returns undefined where nothing is kept under this key */
export function readThreadCache(key: string): KeptThreads | undefined {
  const entry = readEntry(key);
  if (entry === undefined) return undefined;
  const { tries: _, ...kept } = entry;
  return kept;
}

/** Keeps a measurement, and whether it is to be made anew. */
export function writeThreadCache(key: string, { isSteady, ...measured }: ThreadMeasurement): void {
  const tries = (readEntry(key)?.tries ?? 0) + 1;
  const isSettled = tries >= maxTries || (isQuiet(measured.others) && (isSteady || tries >= maxQuietTries));
  writeRecord(cacheName, key, { form, ...measured, others: Math.round(measured.others * 100) / 100, isSettled, tries });
}

/** All measurements kept, for `doctor`. */
export function threadCache(): readonly (Pick<KeptThreads, "prompt" | "decode" | "isSettled"> & { readonly key: string })[] {
  return Object.keys(readRecords(cacheName)).flatMap((key) => {
    const found = readEntry(key);
    return found === undefined ? [] : [{ key, prompt: found.prompt, decode: found.decode, isSettled: found.isSettled }];
  });
}

function readEntry(key: string): (KeptThreads & { readonly tries: number }) | undefined {
  const entry = readRecords(cacheName)[key];
  if (typeof entry !== "object" || entry === null) return undefined;
  const { prompt, decode, oneMs, onePromptMs, others, tries, ...rest } = entry as Record<string, unknown>;
  if (rest["form"] !== form) return undefined;
  const isUsable = (value: unknown): value is number =>
    Number.isInteger(value) && Number(value) >= 1 && Number(value) <= availableParallelism();
  if (!isUsable(prompt) || !isUsable(decode)) return undefined;
  const toTime = (value: unknown): number | undefined => (typeof value === "number" && value > 0 ? value : undefined);
  return {
    prompt,
    decode,
    oneMs: toTime(oneMs),
    onePromptMs: toTime(onePromptMs),
    others: toTime(others) ?? 0,
    isSettled: rest["isSettled"] === true,
    tries: Number.isInteger(tries) ? Number(tries) : 1,
  };
}

/** Rounds beyond the second stop after this time where they agree; too little to notice in a load. */
const quickMs = 250;
const maxQuickRounds = 12;
/** times the budget that the first round may take, the second, and those after it while the samples disagree */
const shares = [3, 1, 2] as const;

/**
 * Tries each candidate, prompt and decode apart, twice while time is left, and oftener where that is quick or the samples disagree: the steps of
 * a small model take a millisecond, and one other program on the machine outweighs two of them.
 * Where the budget ends early, what was measured so far decides, and counts as disturbed.
 * @param budgetMs after this time no further sample starts; the first round may take three times as long, rounds that disagree twice
 */
export async function measureThreads(
  candidates: readonly number[],
  probe: ThreadProbe,
  budgetMs: number,
  watch: () => () => number | undefined = watchOthers,
): Promise<ThreadMeasurement> {
  const started = performance.now();
  const others = watch();
  const times = { decode: new Map<number, number[]>(), prompt: new Map<number, number[]>() };
  const passed = (): number => performance.now() - started;
  const agrees = (): boolean => agree(times.decode) && agree(times.prompt);
  for (let round = 0; round < 2 || (round < maxQuickRounds && (passed() < quickMs || (!agrees() && passed() < budgetMs * 2))); round += 1) {
    for (const kind of ["decode", "prompt"] as const) {
      for (const threads of candidates) {
        // One late sample must not keep the others from being tried at all.
        if (passed() > budgetMs * (shares[round] ?? shares[2]) && times.decode.size > 0) continue;
        const samples = times[kind].get(threads) ?? [];
        const limitMs = lost * Math.min(...[...times[kind].values()].flat());
        times[kind].set(threads, [...samples, await probe[kind](threads, limitMs)]);
      }
    }
  }
  const decode = fewest(times.decode) ?? 1;
  const prompt = fewest(times.prompt) ?? decode;
  const one = (kind: "decode" | "prompt"): number | undefined => {
    const samples = times[kind].get(1);
    return samples === undefined ? undefined : median(samples);
  };
  const onePrompt = one("prompt");
  const isWhole = times.decode.size === candidates.length && times.prompt.size === candidates.length;
  return {
    decode,
    prompt,
    oneMs: one("decode"),
    onePromptMs: onePrompt === undefined ? undefined : onePrompt / probe.promptTokens,
    isSteady: isWhole && agrees(),
    others: others() ?? 0,
  };
}

/**
 * The fewest threads that are not worth adding to. The median of the samples counts, not the best: where threads spin, a lucky sample is as
 * quick as the others are slow, and what a person gets is the usual one.
 */
function fewest(times: ReadonlyMap<number, readonly number[]>): number | undefined {
  const usual = [...times].map(([threads, samples]) => ({ threads, ms: median(samples) })).sort((a, b) => a.threads - b.threads);
  const fastest = Math.min(...usual.map(({ ms }) => ms));
  return usual.find(({ ms }) => ms <= fastest * worthwhile)?.threads;
}

/**
 * Whether samples say one thing: those of the number that was chosen are alike, and no other number would have won with a good one of its own.
 * One of four may be late. One sample alone says little; a slow model gets no second one within the budget, but then its steps are long enough to be even.
 */
function agree(times: ReadonlyMap<number, readonly number[]>): boolean {
  const chosen = times.get(fewest(times) ?? 0);
  if (chosen === undefined || chosen.length === 0) return false;
  const sorted = [...chosen].sort((a, b) => a - b);
  const least = sorted[0] ?? Number.NaN;
  if (!((sorted[Math.ceil(sorted.length * 0.75) - 1] ?? Number.NaN) <= least * steady)) return false;
  const usual = median(sorted);
  return [...times.values()].every((samples) => {
    const good = [...samples].sort((a, b) => a - b)[Math.floor((samples.length - 1) / 4)] ?? Number.POSITIVE_INFINITY;
    return good * wouldWin >= usual;
  });
}
