/**
 * The shape of the browser's own `LanguageModel` (https://webmachinelearning.github.io/prompt-api/) over our models, so that pages written for it run
 * where a browser has none. No global is touched: a page decides what it takes.
 *
 * ```ts
 * const LanguageModel = globalThis.LanguageModel ?? createPromptApi(createSpell(), { model: "qwen2.5-0.5b", pull: true });
 * ```
 */
import type { ModelSource, Spell, SpellLoadOptions } from "../api/spell.ts";
import { SpellError } from "../errors.ts";
import { checkOptionNames } from "../text/check-call.ts";
import { findParameterProblem, parameterRules } from "../text/parameters.ts";
import { readTurns, type Turn } from "./read-turns.ts";
import { createPromptSession, type PromptSession } from "./session.ts";

export interface PromptApiOptions extends Omit<SpellLoadOptions, "signal" | "onProgress" | "onPull" | "keep"> {
  /** default: the default model of the configuration */
  readonly model?: ModelSource | undefined;
}

export interface PromptCreateOptions {
  /** Stand before every turn, and are never dropped; a `system` message is the first of them. */
  readonly initialPrompts?: readonly Turn[] | undefined;
  readonly temperature?: number | undefined;
  readonly topK?: number | undefined;
  /** Only text is taken and given. */
  readonly expectedInputs?: readonly { readonly type: string }[] | undefined;
  readonly expectedOutputs?: readonly { readonly type: string }[] | undefined;
  /** Not taken: none, or an empty list. */
  readonly tools?: readonly unknown[] | undefined;
  /** Ends the making of the session, and later the session itself. */
  readonly signal?: AbortSignal | undefined;
  /** Handed an EventTarget that tells `downloadprogress`, with `loaded` from 0 to 1. */
  readonly monitor?: ((monitor: EventTarget) => void) | undefined;
}

export type PromptAvailability = "unavailable" | "downloadable" | "available";

export interface PromptApi {
  /** Loads nothing and asks no network. */
  availability(options?: Pick<PromptCreateOptions, "expectedInputs" | "expectedOutputs">): Promise<PromptAvailability>;
  /**
   * @throws DOMException NotSupportedError for what is no text, and for tools; the signal's reason when it is aborted
   * @throws RangeError for a temperature or topK that no model takes
   * @throws SpellError as spell.load()
   */
  create(options?: PromptCreateOptions): Promise<PromptSession>;
}

const optionNames = ["model", "pull", "device", "contextSize", "threads", "quantization", "draft", "batchSize"];

/** @throws SpellError run-option for unknown options */
export function createPromptApi(spell: Pick<Spell, "load" | "models">, options: PromptApiOptions = {}): PromptApi {
  checkOptionNames(options, optionNames, "createPromptApi");
  const { model: source, ...load } = options;
  return {
    async availability({ expectedInputs, expectedOutputs } = {}) {
      if (!isText(expectedInputs) || !isText(expectedOutputs)) return "unavailable";
      if (typeof source !== "string") return "available";
      try {
        await spell.models.info(source);
        return "available";
      } catch (error) {
        if (!(error instanceof SpellError)) throw error;
        return error.code === "model-not-installed" && load.pull !== undefined && load.pull !== false ? "downloadable" : "unavailable";
      }
    },
    async create({ initialPrompts = [], temperature, topK, expectedInputs, expectedOutputs, tools = [], signal, monitor } = {}) {
      signal?.throwIfAborted();
      if (!isText(expectedInputs) || !isText(expectedOutputs))
        throw new DOMException("expected text alone; other kinds of input and output are not there", "NotSupportedError");
      if (tools.length > 0) throw new DOMException(`expected no tools; got ${tools.length}`, "NotSupportedError");
      for (const rule of parameterRules) {
        const value = { temperature, topK }[rule.name as string];
        const problem = value === undefined ? undefined : findParameterProblem(rule, value);
        if (problem !== undefined) throw new RangeError(`${rule.name}: ${problem}`);
      }
      const initial = readTurns(initialPrompts, "initial");
      const target = new EventTarget();
      monitor?.(target);
      const tell = (loaded: number): void => void target.dispatchEvent(Object.assign(new Event("downloadprogress"), { loaded, total: 1 }));
      tell(0);
      try {
        const onPull: SpellLoadOptions["onPull"] = (event) => {
          if ("bytes" in event && (event.totalBytes ?? 0) > 0) tell(event.bytes / (event.totalBytes ?? 1));
        };
        const model = await spell.load(source, { ...load, signal, onPull });
        tell(1);
        return createPromptSession(model, { initial, temperature, topK, signal });
      } catch (error) {
        throw signal?.aborted === true ? signal.reason : error;
      }
    },
  };
}

function isText(expected: PromptCreateOptions["expectedInputs"]): boolean {
  return (expected ?? []).every(({ type }) => type === "text");
}
