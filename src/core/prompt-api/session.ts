/** A session of the Prompt API: a conversation with a model, its turns kept, the oldest dropped where the context is full. */
import { SpellError } from "../errors.ts";
import type { GenerateOptions, Message } from "../spec/generate.ts";
import type { LanguageModel } from "../spec/language-model.ts";
import type { JsonSchema } from "../spec/schema.ts";
import { hasPrefix, readTurns, type TurnInput } from "./read-turns.ts";

export interface PromptCallOptions {
  /** The answer keeps a JSON Schema, or matches as a whole. */
  readonly responseConstraint?: JsonSchema | RegExp | undefined;
  /** Either way: a constraint is held, and not written into the prompt. */
  readonly omitResponseConstraintInput?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
}

type SignalOption = Pick<PromptCallOptions, "signal">;

/**
 * Calls are answered in order. Their turns join the conversation when an answer is whole; a call that is aborted leaves none. Event `contextoverflow`:
 * the oldest turns were dropped, initial ones never.
 * @throws DOMException InvalidStateError after destroy(), QuotaExceededError for what does not fit at all; the signal's reason when it is aborted
 * @throws SpellError as LanguageModel.stream()
 */
export interface PromptSession extends EventTarget {
  prompt(input: TurnInput, options?: PromptCallOptions): Promise<string>;
  promptStreaming(input: TurnInput, options?: PromptCallOptions): ReadableStream<string>;
  /** Turns without an answer. */
  append(input: TurnInput, options?: SignalOption): Promise<void>;
  /** Tokens that the input would add. The model computes the prompt for it. */
  measureContextUsage(input: TurnInput, options?: SignalOption): Promise<number>;
  /** Tokens of the conversation, as of the last call that computed. */
  readonly contextUsage: number;
  /** tokens; Infinity where a server does not tell */
  readonly contextWindow: number;
  readonly temperature: number | undefined;
  readonly topK: number | undefined;
  oncontextoverflow: ((event: Event) => void) | null;
  /** Another session that goes on from here. */
  clone(options?: SignalOption): Promise<PromptSession>;
  /** Ends running calls. The model is freed with its last session. */
  destroy(): void;
  /** the older names of the three above */
  readonly inputUsage: number;
  readonly inputQuota: number;
  measureInputUsage(input: TurnInput, options?: SignalOption): Promise<number>;
}

export interface SessionStart {
  readonly initial: readonly Message[];
  readonly temperature?: number | undefined;
  readonly topK?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** @param model disposed with the last session */
export function createPromptSession(model: LanguageModel, start: SessionStart): PromptSession {
  return new Session({ model, sessions: 0 }, start, [], 0);
}

interface Shared {
  readonly model: LanguageModel;
  sessions: number;
}

class Session extends EventTarget implements PromptSession {
  oncontextoverflow: ((event: Event) => void) | null = null;
  readonly #shared: Shared;
  readonly #start: SessionStart;
  readonly #over = new AbortController();
  #turns: readonly Message[];
  #usage: number;
  /** the last call; the next one waits for it */
  #last: Promise<unknown> = Promise.resolve();

  constructor(shared: Shared, start: SessionStart, turns: readonly Message[], usage: number) {
    super();
    this.#shared = shared;
    this.#start = start;
    this.#turns = turns;
    this.#usage = usage;
    shared.sessions += 1;
    start.signal?.addEventListener("abort", () => this.destroy(), { once: true });
  }

  async prompt(input: TurnInput, options: PromptCallOptions = {}): Promise<string> {
    let text = "";
    for await (const piece of this.#answer(input, options)) text += piece;
    return text;
  }

  promptStreaming(input: TurnInput, options: PromptCallOptions = {}): ReadableStream<string> {
    const pieces = this.#answer(input, options);
    return new ReadableStream<string>(
      {
        async pull(controller) {
          const { done, value } = await pieces.next();
          if (done === true) controller.close();
          else controller.enqueue(value);
        },
        cancel: () => pieces.return().then(() => undefined),
      },
      { highWaterMark: 0 },
    );
  }

  async append(input: TurnInput, { signal }: SignalOption = {}): Promise<void> {
    const turns = readTurns(input, "said");
    const done = await this.#turn();
    try {
      this.#check(signal);
      this.#turns = [...this.#turns, ...turns];
    } finally {
      done();
    }
  }

  async measureContextUsage(input: TurnInput, { signal }: SignalOption = {}): Promise<number> {
    this.#check(signal);
    const all = [...this.#start.initial, ...this.#turns, ...readTurns(input, "said")];
    const { usage } = await this.#shared.model.generate(all, { maxTokens: 1, signal: this.#signalOf(signal) });
    return Math.max(usage.promptTokens - this.#usage, 0);
  }

  get contextUsage(): number {
    return this.#usage;
  }

  get contextWindow(): number {
    return this.#shared.model.contextLength ?? Number.POSITIVE_INFINITY;
  }

  get temperature(): number | undefined {
    return this.#start.temperature;
  }

  get topK(): number | undefined {
    return this.#start.topK;
  }

  get inputUsage(): number {
    return this.contextUsage;
  }

  get inputQuota(): number {
    return this.contextWindow;
  }

  measureInputUsage(input: TurnInput, options?: SignalOption): Promise<number> {
    return this.measureContextUsage(input, options);
  }

  async clone({ signal }: SignalOption = {}): Promise<PromptSession> {
    this.#check(signal);
    return new Session(this.#shared, { ...this.#start, signal }, this.#turns, this.#usage);
  }

  destroy(): void {
    if (this.#over.signal.aborted) return;
    this.#over.abort(new DOMException("the session was destroyed", "AbortError"));
    this.#shared.sessions -= 1;
    if (this.#shared.sessions === 0) void this.#shared.model.dispose();
  }

  async *#answer(input: TurnInput, { responseConstraint, signal }: PromptCallOptions): AsyncGenerator<string, void, undefined> {
    const asked = readTurns(input, "asked");
    const begins = hasPrefix(input);
    if (begins && responseConstraint !== undefined)
      throw new DOMException("expected no prefix beside a constraint, which is of the whole answer", "NotSupportedError");
    const { temperature, topK, initial } = this.#start;
    const options: GenerateOptions = {
      signal: this.#signalOf(signal),
      ...(begins && { continueLast: true }),
      ...(temperature !== undefined && { temperature }),
      ...(topK !== undefined && { topK }),
      ...(responseConstraint !== undefined &&
        (responseConstraint instanceof RegExp ? { regex: responseConstraint } : { jsonSchema: responseConstraint })),
    };
    const done = await this.#turn();
    try {
      for (;;) {
        this.#check(signal);
        let text = "";
        try {
          for await (const part of this.#shared.model.stream([...initial, ...this.#turns, ...asked], options)) {
            if (part.type === "text-delta") {
              text += part.text;
              yield part.text;
            } else if (part.type === "stream-end") this.#usage = part.usage.totalTokens;
          }
          const begun = begins ? asked.at(-1)?.content : "";
          const before = begins ? asked.slice(0, -1) : asked;
          this.#turns = [...this.#turns, ...before, { role: "assistant", content: `${begun}${text}` }];
          return;
        } catch (error) {
          if (text !== "" || !(error instanceof SpellError) || error.code !== "run-context") throw this.#explain(error, signal);
          this.#dropOldest(error);
        }
      }
    } finally {
      done();
    }
  }

  /** The oldest question with its answer. @throws DOMException QuotaExceededError where nothing is left to drop */
  #dropOldest(cause: SpellError): void {
    if (this.#turns.length === 0) throw new DOMException(cause.message, "QuotaExceededError");
    const next = this.#turns.findIndex(({ role }, at) => at > 0 && role === "user");
    this.#turns = next < 0 ? [] : this.#turns.slice(next);
    const event = new Event("contextoverflow");
    this.oncontextoverflow?.(event);
    this.dispatchEvent(event);
  }

  /** @returns what ends the turn */
  async #turn(): Promise<() => void> {
    const before = this.#last;
    let end = (): void => undefined;
    this.#last = new Promise<void>((resolve) => {
      end = resolve;
    });
    await before;
    return end;
  }

  #signalOf(signal: AbortSignal | undefined): AbortSignal {
    return signal === undefined ? this.#over.signal : AbortSignal.any([signal, this.#over.signal]);
  }

  #check(signal: AbortSignal | undefined): void {
    signal?.throwIfAborted();
    if (this.#over.signal.aborted) throw new DOMException("the session was destroyed", "InvalidStateError");
  }

  #explain(error: unknown, signal: AbortSignal | undefined): unknown {
    if (signal?.aborted === true) return signal.reason;
    return this.#over.signal.aborted ? this.#over.signal.reason : error;
  }
}
