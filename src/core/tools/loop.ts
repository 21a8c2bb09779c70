/**
 * A model and its tools by turns, until it answers: bounded in calls, in turns and in time. A tool that is unknown, refused, badly called, slow or failing is told
 * to the model as its result, and never ends the answer.
 */
import { abortedError, messageOf, SpellError } from "../errors.ts";
import { didYouMean, nearest } from "../nearest.ts";
import type { ChatMessage, GenerateResult, RunnableTool, Tool, ToolCall, ToolChoice } from "../spec/generate.ts";
import { inputProblem } from "./input-problem.ts";

export interface ToolLimits {
  /** calls that are run in one answer; later ones are refused */
  readonly maxToolCalls: number;
  /** times that the model sees results and is asked again */
  readonly maxTurns: number;
  /** milliseconds of one call */
  readonly toolMs: number;
  /** characters of one result that the model sees */
  readonly resultCharacters: number;
}

export const toolLimits: ToolLimits = { maxToolCalls: 16, maxTurns: 8, toolMs: 60_000, resultCharacters: 16_000 };

/** Characters of a result from which it is cut where the context has no room. */
const leastCut = 400;

/** One call that came, and what became of it. */
export interface ToolStep extends Omit<ToolCall, "type"> {
  /** as the model saw it */
  readonly result: string;
  readonly isError: boolean;
  readonly durationMs: number;
}

export interface LoopParts {
  readonly tools: readonly RunnableTool[];
  /** of the first turn; a call that was made once is not made again for its sake */
  readonly toolChoice?: ToolChoice | undefined;
  readonly limits: ToolLimits;
  /** ends the loop; tools get it too */
  readonly signal?: AbortSignal | undefined;
  readonly now: () => number;
  /** One answer of the model. */
  readonly ask: (
    messages: readonly ChatMessage[],
    turn: { readonly tools: readonly Tool[]; readonly toolChoice: ToolChoice | undefined },
  ) => Promise<GenerateResult>;
}

export interface LoopResult {
  /** of the last turn; counts and times are those of all */
  readonly result: GenerateResult;
  /** what the model and the tools said, the last answer included */
  readonly said: readonly ChatMessage[];
  readonly steps: readonly ToolStep[];
  /** answers of the model */
  readonly turns: number;
}

/** @throws whatever `ask` throws; SpellError run-aborted */
export async function runWithTools(messages: readonly ChatMessage[], parts: LoopParts): Promise<LoopResult> {
  const { tools, limits, ask } = parts;
  const plain: readonly Tool[] = tools.map(({ execute: _, ...tool }) => tool);
  const said: ChatMessage[] = [];
  const steps: ToolStep[] = [];
  /** of each step: its result as it came, and where it stands in `said` */
  const whole: { readonly text: string; readonly at: number }[] = [];
  const results: GenerateResult[] = [];
  /** Halves the longest result. @returns false where none is long */
  const makeRoom = (): boolean => {
    const lengths = steps.map(({ result }) => result.length);
    const at = lengths.indexOf(Math.max(...lengths));
    const [step, came] = [steps[at], whole[at]];
    const message = said[came?.at ?? -1];
    if (step === undefined || came === undefined || message === undefined || step.result.length < leastCut) return false;
    const result = shortened(came.text, Math.floor(step.result.length / 2));
    steps[at] = { ...step, result };
    said[came.at] = { ...message, content: result };
    return true;
  };
  for (;;) {
    const isLast = results.length >= limits.maxTurns || steps.length >= limits.maxToolCalls;
    const toolChoice = isLast ? "none" : results.length === 0 ? parts.toolChoice : undefined;
    let result: GenerateResult;
    try {
      result = await ask([...messages, ...said], { tools: plain, toolChoice });
    } catch (error) {
      // what a tool said is no reason to lose the answer
      if (error instanceof SpellError && error.code === "run-context" && makeRoom()) continue;
      throw error;
    }
    results.push(result);
    const calls = isLast ? [] : result.toolCalls;
    said.push(spoken(result, calls));
    if (calls.length === 0 || result.finishReason !== "tool-calls") return { result: summed(results), said, steps, turns: results.length };
    for (const call of calls) {
      const came = await runTool(call, steps.length < limits.maxToolCalls, parts);
      const step = { ...came, result: shortened(came.result, limits.resultCharacters) };
      whole.push({ text: came.result, at: said.length });
      steps.push(step);
      said.push({ role: "tool", content: step.result, toolCallId: call.id, toolName: call.name });
    }
  }
}

function spoken({ text, reasoning }: GenerateResult, calls: readonly ToolCall[]): ChatMessage {
  return { role: "assistant", content: text, ...(reasoning !== undefined && { reasoning }), ...(calls.length > 0 && { toolCalls: calls }) };
}

/** The result is whole. @throws SpellError run-aborted where the signal of the loop ended it; nothing else */
async function runTool(call: ToolCall, mayRun: boolean, parts: LoopParts): Promise<ToolStep> {
  const { tools, limits, signal, now } = parts;
  const started = now();
  const step = (result: string, isError: boolean): ToolStep => {
    const { id, name, input } = call;
    return { id, name, input, result, isError, durationMs: now() - started };
  };
  const failed = (problem: string): ToolStep => step(`error: ${problem}`, true);
  const tool = tools.find(({ name }) => name === call.name);
  if (tool === undefined) {
    const names = tools.map(({ name }) => name);
    return failed(`there is no tool ${call.name.slice(0, 64)}${didYouMean(nearest(call.name, names))}; tools: ${names.join(", ")}`);
  }
  if (!mayRun) return failed(`refused: at most ${limits.maxToolCalls} calls are run in one answer`);
  try {
    const problem = inputProblem(tool.inputSchema, call.input);
    if (problem !== undefined) return failed(problem);
    return step(textOf(await within(limits.toolMs, signal, (over) => tool.execute(call.input, { signal: over }))), false);
  } catch (error) {
    if (signal?.aborted === true) throw error instanceof SpellError ? error : abortedError();
    return failed(messageOf(error));
  }
}

/** @throws whatever `work` throws; run-aborted; an error where it takes too long, while its signal is aborted */
export async function within<T>(ms: number, outer: AbortSignal | undefined, work: (signal: AbortSignal) => T | Promise<T>): Promise<T> {
  const late = new AbortController();
  const signal = outer === undefined ? late.signal : AbortSignal.any([outer, late.signal]);
  let timer: ReturnType<typeof setTimeout> | undefined;
  let onAbort: (() => void) | undefined;
  const over = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      reject(new Error(`expected a result within ${ms / 1000} s, got none`));
      late.abort();
    }, ms);
    onAbort = () => reject(abortedError());
    if (outer?.aborted === true) onAbort();
    else outer?.addEventListener("abort", onAbort, { once: true });
  });
  try {
    return await Promise.race([Promise.resolve().then(() => work(signal)), over]);
  } finally {
    clearTimeout(timer);
    if (onAbort !== undefined) outer?.removeEventListener("abort", onAbort);
  }
}

/** A result as the model reads it. @throws Error for what JSON cannot say */
function textOf(result: unknown): string {
  if (typeof result === "string") return result;
  if (result === undefined) return "done";
  const text = JSON.stringify(result, (name, value: unknown) => {
    if (typeof value !== "number" || Number.isFinite(value)) return value;
    throw new Error(`expected text or JSON as the result, got ${value}${name === "" ? "" : ` in ${name}`}`);
  }) as string | undefined;
  if (text === undefined) throw new Error(`expected text or JSON as the result, got a ${typeof result}`);
  return text;
}

function shortened(text: string, most: number): string {
  return text.length <= most
    ? text
    : `${text.slice(0, most).replace(/[\ud800-\udbff]$/, "")}\n… cut here, ${text.length - most} characters more`;
}

/** The last answer, with the counts and times of all. */
function summed(results: readonly GenerateResult[]): GenerateResult {
  const [last] = results.slice(-1);
  const [first] = results;
  if (last === undefined || first === undefined) throw new Error("no answer came");
  if (results.length === 1) return last;
  const sum = (count: (result: GenerateResult) => number): number => results.reduce((all, result) => all + count(result), 0);
  const isCached = results.every(({ usage }) => usage.cachedTokens !== undefined);
  return {
    ...last,
    reasoning:
      results
        .map(({ reasoning }) => reasoning)
        .filter((text) => text !== undefined)
        .join("\n\n") || undefined,
    warnings: results.flatMap(({ warnings }) => warnings),
    usage: {
      promptTokens: sum(({ usage }) => usage.promptTokens),
      completionTokens: sum(({ usage }) => usage.completionTokens),
      totalTokens: sum(({ usage }) => usage.totalTokens),
      cachedTokens: isCached ? sum(({ usage }) => usage.cachedTokens ?? 0) : undefined,
    },
    timing: {
      ...last.timing,
      loadMs: first.timing.loadMs,
      firstTokenMs: first.timing.firstTokenMs,
      prefillMs: sum(({ timing }) => timing.prefillMs),
      decodeMs: sum(({ timing }) => timing.decodeMs),
    },
  };
}
