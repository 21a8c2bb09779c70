/** One agent: a model with its settings, and the conversation so far. */
import type { Spell, SpellResult } from "../api/spell.ts";
import { SpellError, toSpellError } from "../errors.ts";
import { readJson } from "../json.ts";
import { limits } from "../limits.ts";
import type { ChatMessage, FinishReason, GenerateOptions, RunnableTool } from "../spec/generate.ts";
import type { ModelSpec } from "../spec/model-spec.ts";
import type { DeviceReport } from "../spec/runtime.ts";
import { asMessages } from "../text/check-call.ts";
import { randomSeed } from "../text/handle-model.ts";
import { inWords } from "../text/option-words.ts";
import { withDefaults } from "../text/parameters.ts";
import { inputProblem } from "../tools/input-problem.ts";
import { type LoopParts, runWithTools, type ToolStep, toolLimits, within } from "../tools/loop.ts";
import { definedOnly, snakeCase } from "../values.ts";
import { readInput } from "./input.ts";
import { type AgentSettings, type AgentTool, unknownAgentOption } from "./options.ts";

/** A piece of an answer. The last is empty and `done`. */
export interface AgentChunk {
  readonly text: string;
  /** from 0 */
  readonly index: number;
  readonly done: boolean;
}

export interface AgentAnswer {
  readonly text: string;
  /** what the model thought, where it shows it */
  readonly reasoning?: string | undefined;
  /** the value of the text, where it is JSON */
  readonly data?: unknown;
  readonly metadata: AgentMetadata;
  /** chunks that were handed out */
  readonly chunksReceived: number;
}

/** Counts and the seed are absent where the answer was stopped before its end and they are not known. */
export interface AgentMetadata {
  readonly model: string;
  readonly provider: string;
  readonly backend: string;
  /** null where a server computes */
  readonly device: DeviceReport | null;
  readonly finishReason: FinishReason;
  /** of prompt and answer */
  readonly tokenCount?: number | undefined;
  readonly promptTokens?: number | undefined;
  readonly completionTokens?: number | undefined;
  readonly executionTimeMs: number;
  readonly loadTimeMs?: number | undefined;
  readonly tokensPerSecond?: number | undefined;
  readonly seed: number;
  /** answers of the model: one more than the times it saw results of tools */
  readonly turns: number;
  /** calls of tools, in order */
  readonly toolCalls: readonly ToolStep[];
}

export interface AgentMetrics {
  /** answers that came, and those that failed */
  readonly calls: number;
  readonly failures: number;
  readonly promptTokens: number;
  readonly completionTokens: number;
  readonly totalTokens: number;
  readonly executionTimeMs: number;
  readonly loadTimeMs: number;
  readonly averageTimeMs: number;
}

/** @param context of the call of execute() */
export type WatchTool = (name: string, input: unknown, context: unknown, run: (input: unknown) => Promise<unknown>) => Promise<unknown>;

export interface AgentParts {
  readonly name: string;
  readonly settings: AgentSettings;
  readonly source: ModelSpec;
  /** declared name; undefined where the model's name alone decides */
  readonly provider: string | undefined;
  /** The seed of the provider's configuration. */
  readonly seed: number | undefined;
  /** Where none is given; services elsewhere draw their own, or take none. */
  readonly drawsSeed: boolean;
  readonly spell: Pick<Spell, "generate" | "platform">;
  /** Tools by their names. */
  readonly toolbox: AgentToolbox;
  readonly signal: AbortSignal | undefined;
  readonly onText: ((text: string) => unknown) | undefined;
  readonly onAnswer: ((result: SpellResult) => void) | undefined;
  readonly watchTool?: WatchTool | undefined;
  /** Frees the name. */
  readonly onDestroy: () => void;
}

/** The tools that an agent knows by name. */
export interface AgentToolbox {
  has(name: string): boolean;
  get(name: string): Promise<AgentTool | undefined>;
}

const defaultDescription = "LLM-powered agent";

export class Agent {
  readonly name: string;
  readonly description: string;
  /** as the builder was told */
  readonly settings: AgentSettings;
  readonly source: ModelSpec;
  readonly provider: string | undefined;
  readonly #parts: AgentParts;
  #said: readonly ChatMessage[] = [];
  /** The conversation before the last answer. */
  #before: { readonly answer: AgentAnswer; readonly said: readonly ChatMessage[] } | undefined;
  /** The call before: answers of one conversation come one after the other. */
  #turn: Promise<unknown> = Promise.resolve();
  #running = 0;
  #runsTool = false;
  #isDestroyed = false;
  #totals = { calls: 0, failures: 0, promptTokens: 0, completionTokens: 0, executionTimeMs: 0, loadTimeMs: 0 };

  constructor(parts: AgentParts) {
    const { name, settings, source, provider } = parts;
    this.name = name;
    this.description = settings.description ?? defaultDescription;
    this.settings = settings;
    this.source = source;
    this.provider = provider;
    this.#parts = parts;
  }

  get state(): "ready" | "running" | "destroyed" {
    return this.#isDestroyed ? "destroyed" : this.#running > 0 ? "running" : "ready";
  }

  /** Those that the model may call. */
  async tools(): Promise<readonly AgentTool[]> {
    const { tools = [], namedTools = [], allowedTools } = this.settings;
    const own = tools.map(({ name }) => name);
    const named = new Set([...namedTools, ...(allowedTools ?? [])].filter((name) => !own.includes(name)));
    const found = await Promise.all([...named].map((name) => this.#parts.toolbox.get(name)));
    const all = [...tools, ...found.filter((tool) => tool !== undefined)];
    return allowedTools === undefined ? all : all.filter(({ name }) => allowedTools.includes(name));
  }

  get history(): readonly ChatMessage[] {
    const { systemPrompt } = this.settings;
    return systemPrompt === undefined ? this.#said : [{ role: "system", content: systemPrompt }, ...this.#said];
  }

  get metrics(): AgentMetrics {
    const { promptTokens, completionTokens, calls, executionTimeMs } = this.#totals;
    return { ...this.#totals, totalTokens: promptTokens + completionTokens, averageTimeMs: calls === 0 ? 0 : executionTimeMs / calls };
  }

  /** Forgets the conversation. */
  reset(): void {
    this.#said = [];
    this.#before = undefined;
  }

  /** Takes an answer that is refused out of the conversation, with its question, as long as nothing was said since. */
  takeBack(answer: AgentAnswer): void {
    if (this.#before?.answer !== answer) return;
    this.#said = this.#before.said;
    this.#before = undefined;
  }

  /** Puts another text in place of an answer's in the conversation, as long as nothing was said since. */
  replaceText(answer: AgentAnswer, text: string): void {
    const last = this.#said.at(-1);
    if (this.#before?.answer === answer && last?.role === "assistant")
      this.#said = [...this.#said.slice(0, -1), { role: "assistant", content: text }];
  }

  /** Frees the name. Answers that are under way come to their end. */
  destroy(): void {
    if (this.#isDestroyed) return;
    this.#isDestroyed = true;
    this.#parts.onDestroy();
  }

  /**
   * Answers. Calls of one agent wait for each other; an answer that fails leaves the conversation as it was.
   * @param input text, or { text, messages, parameters, device }
   * @param onChunk gets the text as it comes, and is waited for; `false` stops, and what was said stays in the conversation
   * @param context for the tools of this agent, as it is
   * @throws SpellError agent-option, agent-modality, agent-timeout; run-closed after destroy(); run-busy from its own tool; of Spell.generate()
   */
  async execute(input: unknown, onChunk?: (chunk: AgentChunk) => unknown, context?: unknown): Promise<AgentAnswer> {
    if (this.#isDestroyed)
      throw new SpellError("run-closed", `agent ${this.name} was destroyed`, { hint: "Build another one.", where: this.name });
    if (this.#runsTool) {
      throw new SpellError("run-busy", `agent ${this.name} is running a tool; it cannot be asked meanwhile`, { where: this.name });
    }
    const read = readInput(input);
    const before = this.#turn;
    this.#running += 1;
    const answer = before.catch(() => undefined).then(() => this.#answer(read, onChunk, context));
    this.#turn = answer;
    try {
      return await answer;
    } catch (error) {
      this.#totals.failures += 1;
      throw error;
    } finally {
      this.#running -= 1;
    }
  }

  async #answer(
    { messages, call, device }: ReturnType<typeof readInput>,
    onChunk: ((chunk: AgentChunk) => unknown) | undefined,
    context: unknown,
  ): Promise<AgentAnswer> {
    const { spell, onText, onAnswer, drawsSeed } = this.#parts;
    const { now } = spell.platform;
    const { systemPrompt, contextSize, device: usual, maxConversationLength = 100 } = this.settings;
    const options: GenerateOptions = withDefaults(call.parameters, this.settings.parameters);
    const seed = options.seed ?? this.#parts.seed ?? (drawsSeed ? randomSeed() : undefined);
    const clock = startClock(this.settings.maxExecutionTime ?? 300, this.#parts.signal);
    const started = now();
    let index = 0;
    let isStopped = false;
    try {
      let lastResult: SpellResult | undefined;
      const ask: LoopParts["ask"] = async (asked, turn) => {
        lastResult = await spell.generate(this.source, asMessages(asked), {
          ...options,
          ...definedOnly({ device: device ?? usual, contextSize: call.contextSize ?? contextSize, system: systemPrompt }),
          ...(turn.tools.length > 0 && turn),
          seed,
          session: `agent ${this.name}`,
          signal: clock.signal,
          async onText(text) {
            onText?.(text);
            isStopped = (await onChunk?.({ text, index: index++, done: false })) === false;
            return !isStopped;
          },
        });
        return lastResult;
      };
      const before = [...this.#said, ...messages];
      const tools = (await this.tools()).map((tool) => ({ ...tool, execute: this.#guarded(tool, context) }));
      const { maxToolCalls = toolLimits.maxToolCalls, maxRecursionDepth: maxTurns = toolLimits.maxTurns } = this.settings;
      const { toolChoice } = options;
      const { signal } = clock;
      const loop = await runWithTools(before, { tools, toolChoice, limits: { ...toolLimits, maxToolCalls, maxTurns }, signal, now, ask });
      if (lastResult === undefined) throw new SpellError("internal-error", "no answer came");
      const result: SpellResult = { ...lastResult, ...loop.result };
      if (onChunk !== undefined && !isStopped) await onChunk({ text: "", index: index++, done: true });
      const executionTimeMs = now() - started;
      for (const each of result.warnings) spell.platform.log({ level: "warn", message: `agent ${this.name}: ${inWords(each, snakeCase)}` });
      const { text, reasoning } = result;
      const earlier = this.#said;
      this.#said = latest([...before, ...loop.said], maxConversationLength);
      onAnswer?.(result);
      const metadata = { ...metadataOf(result, isStopped, executionTimeMs), turns: loop.turns, toolCalls: loop.steps };
      this.#count(metadata);
      const answer = { text, reasoning, data: result.json ?? dataOf(text), metadata, chunksReceived: index };
      this.#before = { answer, said: earlier };
      return answer;
    } catch (error) {
      throw clock.isOver() ? timeError(this, error) : this.#named(error);
    } finally {
      clock.stop();
    }
  }

  /** Runs a tool as the model would. @returns what it gives @throws SpellError agent-option, agent-timeout; of the tool */
  async invokeTool(name: string, input: unknown, context?: unknown): Promise<unknown> {
    const tools = await this.tools();
    const tool = tools.find((each) => each.name === name);
    if (tool === undefined)
      throw unknownAgentOption(
        `agent ${this.name}`,
        name,
        tools.map((each) => each.name),
      );
    const problem = inputProblem(tool.inputSchema, input);
    if (problem !== undefined) throw new SpellError("agent-option", `${name}: ${problem}`, { where: name });
    const seconds = this.settings.maxExecutionTime ?? 300;
    const clock = startClock(seconds, this.#parts.signal);
    try {
      return await within(seconds * 1000, clock.signal, (signal) => this.#guarded(tool, context)(input, { signal }));
    } catch (error) {
      throw clock.isOver() ? timeError(this, error) : error;
    } finally {
      clock.stop();
    }
  }

  /** Waiting for itself an agent would wait for ever. */
  #guarded({ name, execute }: AgentTool, context: unknown): RunnableTool["execute"] {
    const { watchTool = (_name, input, _context, run) => run(input) } = this.#parts;
    return async (input, options) => {
      this.#runsTool = true;
      try {
        return await watchTool(name, input, context, async (given) => execute(given, { ...options, context }));
      } finally {
        this.#runsTool = false;
      }
    };
  }

  #count({ promptTokens = 0, completionTokens = 0, executionTimeMs, loadTimeMs = 0 }: Counted): void {
    const { calls, failures, ...sums } = this.#totals;
    this.#totals = {
      calls: calls + 1,
      failures,
      promptTokens: sums.promptTokens + promptTokens,
      completionTokens: sums.completionTokens + completionTokens,
      executionTimeMs: sums.executionTimeMs + executionTimeMs,
      loadTimeMs: sums.loadTimeMs + loadTimeMs,
    };
  }

  /** Options that contradict each other are found by the model's own check. */
  #named(error: unknown): unknown {
    return error instanceof SpellError && error.code === "run-option" ? error.with({ code: "agent-option" }) : error;
  }
}

type Counted = Omit<AgentMetadata, "turns" | "toolCalls">;

function metadataOf(result: SpellResult, isStopped: boolean, executionTimeMs: number): Counted {
  const { model, provider, backend, device = null, finishReason, usage, timing, seed } = result;
  const about = { model, provider, backend, device, finishReason, executionTimeMs, seed };
  if (isStopped) return about;
  return {
    ...about,
    tokenCount: usage.totalTokens,
    promptTokens: usage.promptTokens,
    completionTokens: usage.completionTokens,
    loadTimeMs: timing.loadMs,
    tokensPerSecond: timing.decodeRate,
  };
}

/** The newest messages; they begin with one of the user. */
function latest(messages: readonly ChatMessage[], most: number): readonly ChatMessage[] {
  if (messages.length <= most) return messages;
  const kept = messages.slice(messages.length - most);
  const start = kept.findIndex(({ role }) => role === "user");
  return start < 0 ? [] : kept.slice(start);
}

/** The value of a text that is JSON; one that is nested too deep for scripts counts as text. */
function dataOf(text: string): unknown {
  if (!/^\s*[[{"\d\-tfn]/.test(text)) return undefined;
  try {
    return readJson(new TextEncoder().encode(text), { bytes: limits.promptCharacters * 4, depth: 24 }, ({ message }) => new Error(message));
  } catch {
    return undefined;
  }
}

function startClock(seconds: number, signal: AbortSignal | undefined) {
  const time = new AbortController();
  const timer = setTimeout(() => time.abort(), seconds * 1000);
  return {
    signal: signal === undefined ? time.signal : AbortSignal.any([signal, time.signal]),
    isOver: () => time.signal.aborted && signal?.aborted !== true,
    stop: () => clearTimeout(timer),
  };
}

function timeError({ name, settings }: Agent, cause: unknown): SpellError {
  const limit = settings.maxExecutionTime ?? 300;
  return new SpellError("agent-timeout", `agent ${name}: expected an answer within ${limit} s (max_execution_time), got none`, {
    where: "max_execution_time",
    details: { ...toSpellError(cause).details, seconds: limit },
    cause,
  });
}
