/** Makes the calls of a session again: with the same input, with another one, or not at all. */
import { SpellError, throwIfAborted, toSpellError } from "../errors.ts";
import { isObject } from "../json.ts";
import { checkOptionNames, wrongOption } from "../text/check-call.ts";
import type { NumberedCall } from "./calls.ts";
import { type CompareOptions, compare, type Difference } from "./compare.ts";
import { type ReplayMode, replayModes } from "./modes.ts";

export interface Modification {
  /** number of the call */
  readonly call: number;
  /** in place of its own */
  readonly input: unknown;
}

export interface ReplayOptions {
  /** default `exact` */
  readonly mode?: ReplayMode | undefined;
  /** Compare outputs with the stored ones; default true. */
  readonly compareResults?: boolean | undefined;
  /** of the whole replay; default 300 */
  readonly timeoutSeconds?: number | undefined;
  /** End with the first call that fails or differs; default false. */
  readonly stopOnError?: boolean | undefined;
  /** of mode `modified` */
  readonly modifications?: readonly Modification[] | undefined;
  readonly compare?: CompareOptions | undefined;
  /** Told of each call, and waited for; `false` ends the replay there. */
  readonly onStep?: ((step: ReplayStep) => unknown) | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** What a replay calls. Both give what the call gives, as scripts see it. */
export interface ReplayHost {
  /**
   * Asks an agent that is built as the recorded one; calls of one name go to one conversation.
   * @param tool answers its tools
   */
  agent(
    call: NumberedCall,
    input: unknown,
    tool: (name: string, input: unknown) => unknown,
    signal: AbortSignal,
  ): Promise<{
    readonly output: unknown;
    readonly about: Readonly<Record<string, unknown>>;
  }>;
  /** @returns undefined for a tool that is not there: it answers with its stored outputs */
  readonly tool?: ((name: string) => ((input: unknown, signal: AbortSignal) => Promise<unknown>) | undefined) | undefined;
  readonly now: () => number;
}

export interface ReplayStep {
  /** number in the session */
  readonly call: number;
  readonly kind: NumberedCall["kind"];
  readonly name: string;
  readonly input: unknown;
  /** the stored output; absent where the call failed */
  readonly expected?: unknown;
  readonly output?: unknown;
  readonly error?: { readonly code: string; readonly message: string } | undefined;
  /** of texts of agents, of outputs of tools; absent where nothing was compared */
  readonly isSame?: boolean | undefined;
  readonly differences: readonly Difference[];
  /** What differs in how it was computed: model, device, seed. Then other texts are no wonder. */
  readonly conditions: readonly Difference[];
  readonly isStored: boolean;
  readonly ms: number;
}

export interface ReplayResult {
  readonly mode: ReplayMode;
  readonly calls: number;
  readonly same: number;
  readonly different: number;
  /** Calls that fail where they did not. One that fails as it did is the same, one that is stored as failed was not made. */
  readonly failed: number;
  /** Not all calls were made: it was stopped, or the time was over. */
  readonly isStopped: boolean;
  readonly steps: readonly ReplayStep[];
}

const optionNames = ["mode", "compareResults", "timeoutSeconds", "stopOnError", "modifications", "compare", "onStep", "signal"];
/** What outputs of one model on one device, with one seed, have in common. */
const conditionNames = ["model", "provider", "device", "seed"];

/**
 * Calls that were made within others (tools of an agent) are not made by themselves: the agent calls its tools again, and they answer as they did.
 * @throws SpellError run-option, run-aborted
 */
export async function replay(calls: readonly NumberedCall[], host: ReplayHost, options: ReplayOptions = {}): Promise<ReplayResult> {
  const { mode = "exact", compareResults = true, timeoutSeconds = 300, stopOnError = false, onStep } = checked(options, calls);
  const modifications = new Map((options.modifications ?? []).map(({ call, input }) => [call, input]));
  const known = new Set(calls.map(({ call }) => call));
  const outer = calls.filter(({ within }) => within === undefined || !known.has(within));
  const time = new AbortController();
  const late = new SpellError("run-aborted", `expected a replay of at most ${timeoutSeconds} s, got a longer one`);
  const timer = setTimeout(() => time.abort(late), timeoutSeconds * 1000);
  const signal = options.signal === undefined ? time.signal : AbortSignal.any([options.signal, time.signal]);
  const steps: ReplayStep[] = [];
  let isStopped = false;

  /** It fails where it did not; what fails again, or is stored as failed, is what was to be shown. */
  const isFailed = ({ call, error, isSame, isStored }: ReplayStep): boolean => {
    if (error === undefined || isStored || isSame === true) return false;
    return compareResults || outer.find((each) => each.call === call)?.error === undefined;
  };
  const make = async (call: NumberedCall): Promise<ReplayStep> => {
    const isChanged = mode === "modified" && modifications.has(call.call);
    const input = isChanged ? modifications.get(call.call) : call.input;
    const tool = call.kind === "tool" ? host.tool?.(call.name) : undefined;
    const isStored = mode === "simulate" || (call.kind === "tool" && tool === undefined);
    const started = host.now();
    const about = { call: call.call, kind: call.kind, name: call.name, input, ...("output" in call && { expected: call.output }) };
    const done = (output: unknown, conditions: readonly Difference[]): ReplayStep => {
      const step = { ...about, output, conditions, isStored, ms: host.now() - started };
      if (!compareResults || isStored || isChanged) return { ...step, differences: [] };
      const differences = compare(essence(call.kind, call.output), essence(call.kind, output), options.compare);
      return { ...step, isSame: differences.length === 0, differences };
    };
    if (isStored)
      return call.error === undefined
        ? done(call.output, [])
        : { ...about, error: call.error, isStored, differences: [], conditions: [], ms: 0 };
    try {
      if (tool !== undefined) return done(await tool(input, signal), []);
      const { output, about: now } = await host.agent(call, input, stored(calls, call.call), signal);
      return done(output, compare(pick(call.about), pick(now)));
    } catch (thrown) {
      throwIfAborted(options.signal);
      const error = toSpellError(thrown);
      // who was ended does not know by whom
      const { code, message } = time.signal.aborted && error.code === "run-aborted" ? late : error;
      const isSame = call.error === undefined ? false : call.error.code === code;
      return {
        ...about,
        error: { code, message },
        ...(compareResults && { isSame }),
        isStored,
        differences: [],
        conditions: [],
        ms: host.now() - started,
      };
    }
  };
  try {
    for (const call of outer) {
      throwIfAborted(options.signal);
      if (time.signal.aborted) {
        isStopped = true;
        break;
      }
      const step = await make(call);
      steps.push(step);
      const isEnough = (await onStep?.(step)) === false;
      if (time.signal.aborted && step.error?.code === late.code) {
        isStopped = true;
        break;
      }
      if (isEnough || (stopOnError && (step.isSame === false || isFailed(step)))) {
        isStopped = steps.length < outer.length;
        break;
      }
    }
  } finally {
    clearTimeout(timer);
  }
  const count = (is: (step: ReplayStep) => boolean): number => steps.filter(is).length;
  return {
    mode,
    calls: outer.length,
    same: count(({ isSame }) => isSame === true),
    different: count(({ isSame, error }) => isSame === false && error === undefined),
    failed: count(isFailed),
    isStopped,
    steps,
  };
}

/** Of an agent's answer the text: its times differ each time. */
function essence(kind: NumberedCall["kind"], output: unknown): unknown {
  return kind === "agent" && isObject(output) ? output["text"] : output;
}

function pick(about: Readonly<Record<string, unknown>> | undefined): Readonly<Record<string, unknown>> {
  return Object.fromEntries(conditionNames.map((name) => [name, about?.[name] ?? null]));
}

/** The tools of an agent answer as they did: the first call with this input that was not answered yet. */
function stored(calls: readonly NumberedCall[], within: number): (name: string, input: unknown) => unknown {
  const left = calls.filter((call) => call.within === within && call.kind === "tool");
  return (name, input) => {
    const at = left.findIndex((call) => call.name === name && compare(call.input, input).length === 0);
    const [found] = at < 0 ? [] : left.splice(at, 1);
    if (found === undefined) throw new SpellError("run-option", `no stored answer of ${name} to this input`, { where: name });
    if (found.error !== undefined) throw new Error(found.error.message);
    return found.output;
  };
}

/** @throws SpellError run-option */
function checked(options: ReplayOptions, calls: readonly NumberedCall[]): ReplayOptions {
  checkOptionNames(options, optionNames, "a replay");
  const { mode = "exact", modifications = [], timeoutSeconds = 300 } = options;
  if (!replayModes.includes(mode)) throw wrongOption("mode", replayModes.join(", "), mode);
  if (!(timeoutSeconds > 0)) throw wrongOption("timeoutSeconds", "a number above 0", timeoutSeconds);
  if (modifications.length > 0 && mode !== "modified") throw wrongOption("modifications", "none in this mode; it is of modified", mode);
  for (const { call } of modifications) {
    const named = calls.filter((each) => each.call === call);
    if (named.length === 0) throw wrongOption("modifications", "calls of the session", call);
    // earlier builds could give one number twice
    if (named.length > 1) throw wrongOption("modifications", `numbers of one call, and ${named.length} have this one`, call);
  }
  return options;
}
