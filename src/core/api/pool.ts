/**
 * The pool: every road to a model ends here. It opens models, lets their holders share one engine, queues calls, applies the settings of the provider,
 * and frees engines: after the keep-alive, with the last holder, by unload(), or where another model needs the memory.
 */
import type { Backend, FileSource, FindOptions, FoundModelEntry, LoadOptions, OpenedModel } from "../backends/backend.ts";
import type { LoadedModel } from "../backends/models.ts";
import { closedError, disposedError, SpellError, throwIfAborted, toSpellError } from "../errors.ts";
import { limits } from "../limits.ts";
import type { EmbeddingModel } from "../spec/embedding-model.ts";
import type { ChatPrompt, GenerateOptions, Prompt, ResultOf } from "../spec/generate.ts";
import type { Constraint } from "../spec/grammar.ts";
import type { LanguageModel, SessionOptions } from "../spec/language-model.ts";
import { isModelSpec, type ModelSpec, printModelSpec } from "../spec/model-spec.ts";
import type { RerankModel } from "../spec/rerank-model.ts";
import type { EncoderUse } from "../spec/runtime.ts";
import type { ManyPart, StreamPart } from "../spec/stream-part.ts";
import { asOptions, checkPrompts } from "../text/check-call.ts";
import { collect, modelStream } from "../text/collect.ts";
import { checkGenerateOptions, withDefaults } from "../text/parameters.ts";
import { createQueue, type Queue, type Turn } from "../text/queue.ts";
import { readAhead } from "../text/read-ahead.ts";
import { wholeLetters } from "../text/whole-letters.ts";
import { type Holder, withAbout } from "./holder.ts";
import { modelSession } from "./session.ts";
import { later, Slot } from "./slot.ts";

/** What the pool needs of a backend. */
type Source = Pick<Backend, "name" | "type" | "calls" | "find">;

export interface Pool {
  /**
   * A holder of the model, which its owner disposes. Loads with equal options share one engine.
   * @param keeps the engine stays loaded when its last holder is gone, as the keep-alive says
   */
  load(backend: Source, source: ModelSpec | FileSource, options: LoadOptions, keeps?: boolean): Promise<LanguageModel>;
  /** As load(), of a model that makes vectors. */
  loadEmbeddings(backend: Source, source: ModelSpec | FileSource, options: LoadOptions, keeps?: boolean): Promise<EmbeddingModel>;
  /** As load(), of a model that scores pairs of texts. */
  loadReranker(backend: Source, source: ModelSpec | FileSource, options: LoadOptions, keeps?: boolean): Promise<RerankModel>;
  isLoaded(provider: string, id: string): boolean;
  /** Models whose engines are in memory. */
  loaded(): readonly LoadedModel[];
  /**
   * Frees engines; their holders load them again with their next call.
   * @param isPatient calls under way are answered first, and nobody waits for that
   * @returns how many were loaded
   */
  unload(filter?: { readonly provider: string; readonly id: string }, isPatient?: boolean): Promise<number>;
  /** Ends every call and load, frees every engine and refuses further loads; a second call does nothing. */
  close(): Promise<void>;
}

export function createPool(): Pool {
  const slots = new Map<string, Slot>();
  /** Slots by what was asked for: a name need not be looked up again while its model is there. */
  const known = new Map<string, string>();
  const queues = new Map<string, Queue>();
  let isClosed = false;

  const queueOf = ({ name, calls: { maxConcurrent, maxPerModel } }: Source): Queue => {
    const queue = queues.get(name) ?? createQueue({ maxConcurrent, maxPerModel, maxWaiting: limits.waitingGenerations });
    queues.set(name, queue);
    return queue;
  };
  const drop = (slot: Slot): void => {
    for (const [key, other] of slots) if (other === slot) slots.delete(key);
    for (const [asked, key] of known) if (!slots.has(key)) known.delete(asked);
  };
  const makeRoom = async (needing: Slot): Promise<boolean> => {
    const idle = [...slots.values()].filter((slot) => slot !== needing && slot.isLoaded && slot.isIdle);
    await Promise.all(idle.map((slot) => slot.unload()));
    return idle.length > 0;
  };
  const slotOf = (backend: Source, entry: FoundModelEntry): Slot => {
    const key = `${backend.name} ${entry.key}`;
    const slot = slots.get(key) ?? new Slot(entry, backend.name, backend.calls.keepAliveMs, makeRoom);
    slots.set(key, slot);
    return slot;
  };

  const refuseClosed = (): void => {
    if (isClosed) throw disposedError();
  };

  const loadAs =
    <M extends { dispose(): Promise<void> }>(hold: (holder: Holder, backend: Source) => M, use?: EncoderUse) =>
    async (backend: Source, source: ModelSpec | FileSource, given: LoadOptions, keeps = false): Promise<M> => {
      const { onProgress, signal, ...options }: FindOptions = use === undefined ? given : { ...given, use };
      throwIfAborted(signal);
      refuseClosed();
      const asked = isModelSpec(source) ? `${backend.name} ${printModelSpec(source)} ${JSON.stringify(options)}` : undefined;
      let slot = slots.get(known.get(asked ?? "") ?? "");
      // one whose files were replaced stays for those who hold it, or until its keep-alive ends
      if (slot === undefined || (await slot.entry.isCurrent?.()) === false) {
        const entry = await backend.find(source, { ...options, signal });
        slot = slotOf(backend, entry);
        if (asked !== undefined) known.set(asked, `${backend.name} ${entry.key}`);
      }
      refuseClosed();
      const held = hold(createHolder(slot, backend, queueOf(backend), drop, keeps), backend);
      try {
        await slot.live({ onProgress, signal });
        slot.rest();
        return held;
      } catch (error) {
        await held.dispose();
        if (!slot.isLoaded && slot.holders.size === 0) drop(slot);
        throw isClosed ? closedError(toSpellError(error)) : error;
      }
    };

  const pool: Pool = {
    load: loadAs(hold),
    // pages that only write text do not load it
    loadEmbeddings: async (...call) => loadAs((await import("./hold-vectors.ts")).holdVectors, "embed")(...call),
    loadReranker: async (...call) => loadAs((await import("./hold-scores.ts")).holdScores, "rerank")(...call),
    isLoaded: (provider, id) => [...slots.values()].some((slot) => slot.provider === provider && slot.entry.id === id && slot.isLoaded),
    loaded: () =>
      [...slots.values()].flatMap(({ isLoaded, provider, entry, expiresAt }) =>
        isLoaded ? [{ modelId: entry.id, provider, expiresAt }] : [],
      ),
    async unload(filter, isPatient = false) {
      const found = [...slots.values()].filter(
        ({ provider, entry }) => filter === undefined || (provider === filter.provider && entry.id === filter.id),
      );
      const count = found.filter((slot) => slot.isLoaded).length;
      for (const slot of found) {
        slot.isKept = false;
        if (slot.holders.size === 0) drop(slot);
      }
      await Promise.all(found.map((slot) => (isPatient ? slot.retire() : slot.unload())));
      return count;
    },
    async close() {
      isClosed = true;
      for (const { holders } of slots.values()) for (const holder of holders) holder.abort();
      await pool.unload();
    },
  };
  return pool;
}

/** What every holder of a slot is made of. */
function createHolder(slot: Slot, { name, type, calls }: Source, queue: Queue, drop: (slot: Slot) => void, keeps: boolean): Holder {
  const closing = new AbortController();
  slot.holders.add(closing);
  const onCall = keeps ? slot.awaitCall() : undefined;

  async function* call<T>(
    asked: AbortSignal | undefined,
    work: (model: OpenedModel, signal: AbortSignal) => AsyncIterable<T>,
  ): AsyncGenerator<T, void, undefined> {
    if (closing.signal.aborted) throw closedError();
    const signal = asked === undefined ? closing.signal : AbortSignal.any([asked, closing.signal]);
    const leave = slot.enter();
    onCall?.();
    try {
      const turn = await queue.take(slot, signal).catch((error: unknown) => {
        leave();
        throw error;
      });
      const left = new AbortController();
      yield* readAhead(answer(work, AbortSignal.any([signal, left.signal]), turn, leave), turn.wanted, () => left.abort());
    } catch (error) {
      throw closing.signal.aborted ? closedError(toSpellError(error)) : error;
    }
  }

  /** One turn on the engine. */
  async function* answer<T>(
    work: (model: OpenedModel, signal: AbortSignal) => AsyncIterable<T>,
    signal: AbortSignal,
    turn: Turn,
    leave: () => void,
  ) {
    try {
      const model = await slot.live({ signal });
      const late = new AbortController();
      const parts = work(model, AbortSignal.any([signal, late.signal]));
      const onStall = (): void => {
        late.abort();
        void slot.unload(); // whatever hangs must not meet the next call
      };
      yield* watched(parts, calls.timeoutMs, onStall);
    } finally {
      turn.end();
      leave();
    }
  }

  const known = (): OpenedModel => {
    if (slot.known === undefined) throw new SpellError("internal-error", `${slot.entry.id} is not open`);
    return slot.known;
  };
  const dispose = async (): Promise<void> => {
    closing.abort();
    slot.holders.delete(closing);
    onCall?.();
    if (slot.holders.size > 0 || slot.isKept) return;
    drop(slot);
    await slot.unload();
  };
  return {
    call,
    known,
    about: {
      id: slot.entry.id,
      provider: name,
      backend: type,
      get architecture() {
        return known().architecture;
      },
      get contextLength() {
        return known().contextLength;
      },
      get sizeBytes() {
        return known().sizeBytes;
      },
      get device() {
        return known().device;
      },
      dispose,
      [Symbol.asyncDispose]: dispose,
    },
  };
}

/** A LanguageModel over a slot: one for each load. */
function hold({ about, call, known }: Holder, source: Source): LanguageModel {
  async function* streamMany(prompts: readonly Prompt[], given: GenerateOptions = {}): AsyncGenerator<ManyPart, void, undefined> {
    const options = withDefaults(asOptions(given), source.calls.generate);
    checkGenerateOptions(options);
    const texts = checkPrompts(prompts);
    const held = heldForm(options) === undefined ? undefined : (await import("../grammar/constraint.ts")).constraintOf(options);
    yield* call(options.signal, (model, signal) => answersOf(model, texts, { ...options, signal }, held));
  }

  async function* answersOf(
    model: OpenedModel,
    texts: readonly ChatPrompt[],
    options: GenerateOptions,
    held: Constraint | undefined,
  ): AsyncGenerator<ManyPart, void, undefined> {
    if (held !== undefined && model.holds?.includes(held.kind) !== true) throw notHeld(held.kind, about.id, model.holds);
    const free = wholeLetters(model.streamMany(texts, options, held));
    const answers = held === undefined ? free : (await import("../grammar/held-answers.ts")).heldAnswers(free, held, options);
    const isKept = options.save === undefined || model.keepsStates === true;
    yield* isKept ? answers : withNote(answers, `not kept: ${source.type} keeps no states here`);
  }

  async function* parts(prompt: Prompt, options: GenerateOptions): AsyncGenerator<StreamPart, void, undefined> {
    for await (const { part } of streamMany([prompt], options)) yield part;
  }

  const stream: LanguageModel["stream"] = (prompt, options = {}) => modelStream(parts(prompt, options));
  const generate = async <O extends GenerateOptions>(prompt: Prompt, options?: O): Promise<ResultOf<O>> =>
    (await collect(parts(prompt, options ?? {}))) as ResultOf<O>;

  return withAbout(about, {
    get hasChatTemplate() {
      return known().hasChatTemplate;
    },
    get isSeq2Seq() {
      return known().isSeq2Seq;
    },
    stream,
    generate,
    streamMany,
    session: (options: SessionOptions = {}) => modelSession({ stream, generate }, options),
  });
}

/** @param note told after the start */
async function* withNote(parts: AsyncIterable<ManyPart>, note: string): AsyncGenerator<ManyPart, void, undefined> {
  let told = false;
  for await (const part of parts) {
    yield part;
    if (!told) yield { index: 0, part: { type: "warning", code: "state-note", message: note } };
    told = true;
  }
}

/** `null` is no form, and is told so. */
function heldForm({ jsonSchema, choices, regex, grammar }: GenerateOptions): unknown {
  return [jsonSchema, choices, regex, grammar].find((form) => form !== undefined);
}

function notHeld(kind: Constraint["kind"], id: string, holds: readonly string[] = []): SpellError {
  const others = holds.length === 0 ? "" : `; it takes ${holds.join(", ")}`;
  const hint =
    kind === "grammar"
      ? "GGUF models in this process take a grammar; elsewhere say the form as jsonSchema or choices."
      : `Say the form as ${holds.length === 0 ? "part of the prompt" : holds.join(" or ")}, or load a GGUF or T5 model in this process.`;
  return new SpellError("run-option", `${kind}: expected none, ${id} holds no answer to it${others}`, { where: kind, hint });
}

/** Passes parts on. Time that the reader takes does not count. @throws SpellError run-crash where the next part takes too long */
async function* watched<T>(parts: AsyncIterable<T>, timeoutMs: number, onStall: () => void): AsyncGenerator<T, void, undefined> {
  const iterator = parts[Symbol.asyncIterator]();
  let isStalled = false;
  try {
    for (;;) {
      const next = await new Promise<IteratorResult<T>>((resolve, reject) => {
        const stop = later(timeoutMs, () => {
          isStalled = true;
          reject(stalledError(timeoutMs));
        });
        iterator.next().then(resolve, reject).finally(stop);
      });
      if (next.done === true) return;
      yield next.value;
    }
  } finally {
    if (isStalled) onStall();
    const ended = iterator.return?.();
    if (isStalled) ended?.catch(() => undefined);
    else await ended;
  }
}

function stalledError(timeoutMs: number): SpellError {
  return new SpellError("run-crash", `no progress for ${timeoutMs / 1000} s; the model is loaded again for the next call`, {
    hint: "A long prompt on a slow machine may need more time: raise timeout_seconds of the provider.",
    actions: [{ kind: "show-config", section: "providers" }],
  });
}
