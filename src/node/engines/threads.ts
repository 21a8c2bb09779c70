/**
 * How many threads compute: never taken on faith. ggml's helpers spin on barriers, so that on a small model or a busy machine two threads
 * can be thirteen times slower than one, while prompts gain from them. Prompt and decode are measured apart, once per machine and model size.
 */
import { availableParallelism, cpus } from "node:os";
import { SpellError } from "../../core/errors.ts";
import type { ThreadChoice } from "../../core/spec/runtime.ts";
import { readRecords, writeRecord } from "./home-records.ts";

/** Best numbers of threads found on this machine. */
export interface MeasuredThreads {
  readonly prompt: number;
  readonly decode: number;
  /** milliseconds of the decoding that was measured, with one thread; absent where that is not known */
  readonly oneMs?: number | undefined;
}

/** A measurement, and whether its samples agreed: on a busy machine they do not. */
export interface ThreadMeasurement extends MeasuredThreads {
  readonly isSteady: boolean;
}

/**
 * One sample with so many threads. It may stop after `limitMs`, where it has lost already.
 * @returns milliseconds, lower is better
 */
export interface ThreadProbe {
  readonly prompt: (threads: number, limitMs: number) => Promise<number>;
  readonly decode: (threads: number, limitMs: number) => Promise<number>;
}

/** File in the home folder. */
const cacheName = "threads.json";
/** Counted up when the way of measuring changes: what was measured another way is measured anew. */
const form = 2;
/** More threads must win by this much: they also take processors away from others, and measurements differ by a few percent anyway. */
const worthwhile = 1.08;
/** Two samples of one number of threads further apart than this were disturbed. */
const steady = 1.4;
/** Who needs this many times as long as the fastest has lost: on a busy machine two threads may take a hundred times as long as one. */
const lost = 3;
/** Disturbed measurements are made anew at the next loads, but not for ever: a machine may always be busy. */
const maxTries = 3;

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

/** For ONNX Runtime, whose helpers sleep when there is nothing to do: all cores, and at most eight, since reading the weights is the limit. */
export function chooseOnnxThreads(asked: number): { readonly threads: ThreadChoice; readonly notes: readonly string[] } {
  const { threads, note } = clampThreads(asked);
  const chosen = threads > 0 ? threads : Math.min(8, availableParallelism());
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

/** @returns undefined where nothing is kept under this key, or nothing that is settled */
export function readThreadCache(key: string): MeasuredThreads | undefined {
  const entry = readEntry(key);
  return entry === undefined || entry.tries < maxTries ? undefined : { prompt: entry.prompt, decode: entry.decode, oneMs: entry.oneMs };
}

/** Keeps a measurement; a disturbed one only counts as settled after some tries. */
export function writeThreadCache(key: string, { prompt, decode, oneMs, isSteady }: ThreadMeasurement): void {
  const tries = isSteady ? maxTries : (readEntry(key)?.tries ?? 0) + 1;
  writeRecord(cacheName, key, { form, prompt, decode, oneMs, tries });
}

/** All measurements kept, for `doctor`. */
export function threadCache(): readonly (MeasuredThreads & { readonly key: string })[] {
  return Object.keys(readRecords(cacheName)).flatMap((key) => {
    const found = readEntry(key);
    return found === undefined ? [] : [{ key, prompt: found.prompt, decode: found.decode }];
  });
}

function readEntry(key: string): (MeasuredThreads & { readonly tries: number }) | undefined {
  const entry = readRecords(cacheName)[key];
  if (typeof entry !== "object" || entry === null) return undefined;
  const { prompt, decode, oneMs, tries, ...rest } = entry as Record<string, unknown>;
  if (rest["form"] !== form) return undefined;
  const isUsable = (value: unknown): value is number =>
    Number.isInteger(value) && Number(value) >= 1 && Number(value) <= availableParallelism();
  if (!isUsable(prompt) || !isUsable(decode)) return undefined;
  const isTime = typeof oneMs === "number" && oneMs > 0;
  return { prompt, decode, oneMs: isTime ? oneMs : undefined, tries: Number.isInteger(tries) ? Number(tries) : 1 };
}

/** Rounds beyond the second stop after this time; too little to notice in a load. */
const quickMs = 250;
const maxQuickRounds = 12;
/** times the budget that the first round may take */
const firstRound = 3;

/**
 * Tries each candidate, prompt and decode apart, twice while time is left and oftener where that is quick: the steps of a small model take a
 * millisecond, and one other program on the machine outweighs two of them.
 * Where the budget ends early, what was measured so far decides, and counts as disturbed.
 * @param budgetMs after this time no further sample starts; the first round may take three times as long
 */
export async function measureThreads(candidates: readonly number[], probe: ThreadProbe, budgetMs: number): Promise<ThreadMeasurement> {
  const started = performance.now();
  const times = { decode: new Map<number, number[]>(), prompt: new Map<number, number[]>() };
  const isQuick = (): boolean => performance.now() - started < quickMs;
  for (let round = 0; round < 2 || (round < maxQuickRounds && isQuick()); round += 1) {
    for (const kind of ["decode", "prompt"] as const) {
      for (const threads of candidates) {
        // One late sample must not keep the others from being tried at all.
        const mostMs = round === 0 ? budgetMs * firstRound : budgetMs;
        if (performance.now() - started > mostMs && times.decode.size > 0) continue;
        const samples = times[kind].get(threads) ?? [];
        const limitMs = lost * Math.min(...[...times[kind].values()].flat());
        times[kind].set(threads, [...samples, await probe[kind](threads, limitMs)]);
      }
    }
  }
  const decode = fewest(times.decode) ?? 1;
  const prompt = fewest(times.prompt) ?? decode;
  const single = times.decode.get(1);
  const oneMs = single === undefined ? undefined : median(single);
  const isWhole = times.decode.size === candidates.length && times.prompt.size === candidates.length;
  return { decode, prompt, oneMs, isSteady: isWhole && isSteady(times.decode.get(decode)) && isSteady(times.prompt.get(prompt)) };
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

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const low = sorted[Math.floor((sorted.length - 1) / 2)] ?? Number.POSITIVE_INFINITY;
  const high = sorted[Math.floor(sorted.length / 2)] ?? Number.POSITIVE_INFINITY;
  return (low + high) / 2;
}

/** Each number of threads is tried this often, once at least. */
const maxTrialRounds = 4;

/**
 * Times things that are fixed to a number of threads in turn: code that is still being optimised while it runs is so for all of them alike, and the
 * first round counts only where there is no other.
 * @param time milliseconds of one round; it may stop after `limitMs`, where it has lost already, and then gives infinity
 * @param budgetMs after this time no further round starts
 * @returns the one with the fewest threads that others do not beat by what is worth them, and whether its rounds agreed
 */
export async function fastestTrial<T extends { readonly threads: number }>(
  trials: readonly T[],
  time: (trial: T, round: number, limitMs: number) => Promise<number>,
  budgetMs: number,
): Promise<{ readonly best: T | undefined; readonly isSteady: boolean }> {
  const started = performance.now();
  const times = new Map<number, number[]>();
  const usual = (threads: number): number => {
    const [first = Number.POSITIVE_INFINITY, ...later] = times.get(threads) ?? [];
    return later.length === 0 ? first : median(later);
  };
  for (let round = 0; round < maxTrialRounds && (round === 0 || performance.now() - started < budgetMs); round += 1) {
    const staying = Math.min(...trials.map(({ threads }) => usual(threads))) * lost;
    for (const trial of trials.filter(({ threads }) => round === 0 || usual(threads) <= staying)) {
      const limitMs = lost * Math.min(...[...times.keys()].map(usual));
      times.set(trial.threads, [...(times.get(trial.threads) ?? []), await time(trial, round, limitMs)]);
    }
  }
  const best = fewest(new Map([...times.keys()].map((threads) => [threads, [usual(threads)]])));
  return { best: trials.find(({ threads }) => threads === best), isSteady: isSteady(times.get(best ?? 0)?.slice(1)) };
}

/** One sample alone says nothing; a slow model gets no second one within the budget, but then its steps are long enough to be even. */
function isSteady(samples: readonly number[] | undefined): boolean {
  return samples !== undefined && samples.length > 0 && Math.max(...samples) <= Math.min(...samples) * steady;
}
