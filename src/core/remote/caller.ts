/**
 * The caller's side of an engine in another process or worker: a ModelHandle whose calls all settle, whatever happens over there.
 * Knows no kind of thread: a transport carries the messages and ends the other side.
 */

import { abortedError, SpellError, toSpellError } from "../errors.ts";
import type { ByteSource } from "../formats/byte-source.ts";
import { isGpu } from "../spec/devices.ts";
import type {
  Device,
  DeviceProbe,
  EmbeddedText,
  ManyPiece,
  ModelEmbedOptions,
  ModelHandle,
  ModelPiece,
  ScoredText,
} from "../spec/runtime.ts";
import { creditStep, type FromEngine, type OpenedHandle, type Piece, probeMs, type ToEngine } from "./protocol.ts";

/** How messages get across. What comes back is given to RemoteEngine.receive() and died(). */
export interface RemoteTransport {
  /** Must not throw where the other side is gone. */
  post(message: ToEngine): void;
  /** Ends the other side at once; resolves when it is gone. */
  end(): Promise<void>;
  /** Told when the first caller begins to wait for an answer, and when the last one has it. */
  hold?(busy: boolean): void;
}

export interface RemoteEngineOptions {
  /** As messages call it: "the process of wllama", "the worker of onnxruntime-web". */
  readonly place: "process" | "worker";
  readonly engine: string;
  /** Longest load; default two minutes, and one more for each GiB, as a slow disk needs it. */
  readonly loadTimeoutMs?: number | undefined;
  /** Longest wait for the next piece, a prompt of any length included; default 15 minutes: beyond patience, short of for ever. */
  readonly pieceTimeoutMs?: number | undefined;
  /** Silence after which the other side counts as dead while a call waits. */
  readonly silenceMs: number;
  /** What the other side said at last, for people. */
  readonly lastWords?: (() => string) | undefined;
}

/** What open() of every runtime takes, beside options of its own. */
export interface CommonOpenOptions {
  readonly onProgress?: ((share: number) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** A call under way: answers that came and were not taken yet, and who waits for the next. Whatever ends the engine fails all of them. */
interface Call {
  readonly unread: unknown[];
  failure: SpellError | undefined;
  wake: () => void;
}

/** One engine with at most one model; its maker ends it. */
export class RemoteEngine {
  /** Why it is gone; undefined while it lives. */
  dead: SpellError | undefined;
  readonly #options: RemoteEngineOptions;
  readonly #transport: RemoteTransport;
  /** 0 is the open, or a look at a device before it. */
  readonly #calls = new Map<number, Call>();
  /** callers that wait for an answer */
  #waiting = 0;
  #files: readonly ByteSource[] = [];
  #onProgress: (share: number) => void = () => undefined;
  /** where the opened model computes */
  #device: Device = "cpu";
  #started = false;
  #lastWord = performance.now();
  #lastTick = performance.now();
  #heartbeat: ReturnType<typeof setInterval> | undefined;
  #lastCall = 0;

  constructor(transport: RemoteTransport, options: RemoteEngineOptions) {
    this.#transport = transport;
    this.#options = options;
  }

  /** Looks at a graphics card. A driver that takes its process down is an answer too. */
  async probe(device: Device): Promise<DeviceProbe> {
    try {
      return await this.#first<DeviceProbe>({ type: "probe", device }, probeMs, `look at ${device}`);
    } catch (error) {
      return { ok: false, reason: "driver-missing", hint: toSpellError(error).message };
    }
  }

  /** @throws SpellError of the engine's open(); run-crash, device-unavailable where it dies; run-aborted */
  async open<CallOptions extends { readonly signal?: AbortSignal | undefined }>(
    files: readonly ByteSource[],
    { signal, onProgress, ...options }: CommonOpenOptions,
  ): Promise<ModelHandle<CallOptions>> {
    this.#files = files;
    this.#onProgress = onProgress ?? (() => undefined);
    const bytes = files.reduce((sum, { size }) => sum + size, 0);
    const timeoutMs = this.#options.loadTimeoutMs ?? 60_000 * (2 + bytes / 2 ** 30);
    const plain = files.map(({ name, size, path, blob, version }) => ({
      ...{ name, size, path, version },
      blob: this.#options.place === "process" ? undefined : blob,
    }));
    try {
      return this.#toHandle(await this.#first<OpenedHandle>({ type: "open", files: plain, options }, timeoutMs, "load the model", signal));
    } catch (error) {
      // An engine that failed, or is still loading a model no caller waits for, holds memory.
      await this.end(toSpellError(error));
      throw error;
    }
  }

  #toHandle<CallOptions extends { readonly signal?: AbortSignal | undefined }>({
    answersMany,
    reranks,
    ...opened
  }: OpenedHandle): ModelHandle<CallOptions> {
    const engine = this;
    return {
      ...opened,
      get alive() {
        return engine.dead === undefined;
      },
      generate: (prompt, { signal, ...options }) =>
        engine.#pieces<ModelPiece>(
          (call) => ({ type: "generate", call, prompt, options }),
          signal,
          (piece) => piece.type === "end",
        ),
      ...(answersMany
        ? {
            generateMany(prompt: readonly string[], { signal, ...options }: CallOptions) {
              let open = prompt.length;
              return engine.#pieces<ManyPiece>(
                (call) => ({ type: "generate", call, prompt, options }),
                signal,
                ({ piece }) => {
                  if (piece.type === "end") open -= 1;
                  return open === 0;
                },
              );
            },
          }
        : {}),
      ...(reranks
        ? {
            rerank(query: string, texts: readonly string[], { signal, ...options }: ModelEmbedOptions) {
              let open = texts.length;
              return engine.#pieces<ScoredText>(
                (call) => ({ type: "rerank", call, query, texts, options }),
                signal,
                () => --open === 0,
              );
            },
          }
        : {}),
      ...(opened.dimensions === undefined
        ? {}
        : {
            embed(texts: readonly string[], { signal, ...options }: ModelEmbedOptions) {
              let open = texts.length;
              return engine.#pieces<EmbeddedText>(
                (call) => ({ type: "embed", call, texts, options }),
                signal,
                () => --open === 0,
              );
            },
          }),
      dispose: () => engine.end(new SpellError("run-closed", "the model was disposed")),
    };
  }

  /** @param isLast whether nothing follows a piece */
  async *#pieces<P extends Piece>(
    ask: (call: number) => ToEngine,
    signal: AbortSignal | undefined,
    isLast: (piece: P) => boolean,
  ): AsyncGenerator<P, void, undefined> {
    this.#lastCall += 1;
    const call = this.#lastCall;
    let taken = 0;
    let ended = false;
    const timeoutMs = this.#options.pieceTimeoutMs ?? 900_000;
    try {
      for await (const piece of this.#answers<P>(call, ask(call), timeoutMs, "go on", signal)) {
        taken += 1;
        if (taken % creditStep === 0) this.#send({ type: "credit", call, pieces: creditStep });
        ended = isLast(piece);
        yield piece;
        if (ended) return;
      }
    } finally {
      // The engine finishes its step; the queue over there lets the next call wait for that.
      if (!ended) this.#send({ type: "cancel", call });
    }
  }

  /** The one answer to a question that is no generation. */
  async #first<T>(message: ToEngine, timeoutMs: number, what: string, signal?: AbortSignal): Promise<T> {
    for await (const answer of this.#answers<T>(0, message, timeoutMs, what, signal)) return answer;
    throw new SpellError("internal-error", `no answer to ${message.type}`);
  }

  /** Sends a message; answers to it as they come, for as long as they are read. @param what the other side should do meanwhile, for people */
  async *#answers<T>(
    id: number,
    message: ToEngine,
    timeoutMs: number,
    what: string,
    signal: AbortSignal | undefined,
  ): AsyncGenerator<T, never, undefined> {
    if (this.dead !== undefined) throw this.dead;
    if (signal?.aborted === true) throw abortedError();
    const call: Call = { unread: [], failure: undefined, wake: () => undefined };
    const onAbort = (): void => fail(call, abortedError());
    signal?.addEventListener("abort", onAbort, { once: true });
    this.#calls.set(id, call);
    try {
      this.#send(message);
      for (;;) {
        const { failure, unread } = call;
        // An abort is answered at once, even with answers unread; after a crash they are still worth showing.
        if (failure !== undefined && (unread.length === 0 || failure.code === "run-aborted" || failure.code === "run-closed"))
          throw failure;
        if (unread.length > 0) yield unread.shift() as T;
        else await this.#wait(call, timeoutMs, what);
      }
    } finally {
      signal?.removeEventListener("abort", onAbort);
      this.#calls.delete(id);
    }
  }

  /** Waits until a call goes on: listens for silence, and gives up after a time. */
  async #wait(call: Call, timeoutMs: number, what: string): Promise<void> {
    // Timers hold 31 bits; a longer wait is not supported.
    const timer = setTimeout(
      () => void this.end(this.#crash(`did not ${what} within ${Math.round(timeoutMs / 1000)} s and was ended`, { timeoutMs })),
      Math.min(timeoutMs, 2 ** 31 - 1),
    );
    this.#hold(1);
    await new Promise<void>((resolve) => {
      call.wake = resolve;
    });
    clearTimeout(timer);
    this.#hold(-1);
  }

  /** Takes a message of the other side. */
  receive(message: FromEngine): void {
    this.#lastWord = performance.now();
    switch (message.type) {
      case "beat":
        return;
      case "progress":
        this.#started = true;
        this.#onProgress(message.share);
        return;
      case "probed":
        this.#started ||= message.probe.ok;
        this.#answer(0, message.probe);
        return;
      case "opened":
        this.#started = true;
        this.#device = message.handle.device.chosen;
        this.#answer(0, message.handle);
        return;
      case "failed":
        this.#failed(message.call, SpellError.fromJSON(message.error));
        return;
      case "pieces":
        this.#answer(message.call, ...message.pieces);
        return;
      case "read":
        void this.#read(message);
        return;
      default:
        message satisfies never;
    }
  }

  #answer(id: number, ...answers: readonly unknown[]): void {
    const call = this.#calls.get(id);
    call?.unread.push(...answers);
    call?.wake();
  }

  #failed(id: number, error: SpellError): void {
    const call = this.#calls.get(id);
    if (call !== undefined) fail(call, error);
    // An engine that failed in an unknown way is not asked again: its state is unknown.
    if (endsEngine.has(error.code)) void this.end(error);
  }

  async #read({ read, file, offset, length }: Extract<FromEngine, { type: "read" }>): Promise<void> {
    try {
      const source = this.#files[file];
      if (source === undefined) throw new SpellError("internal-error", `the engine asked for file ${file} of ${this.#files.length}`);
      this.#send({ type: "bytes", read, bytes: await source.read(offset, length) });
    } catch (error) {
      this.#send({ type: "no-bytes", read, error: toSpellError(error).toJSON() });
    }
  }

  #send(message: ToEngine): void {
    if (this.dead === undefined) this.#transport.post(message);
  }

  /** To be told when the other side is gone: it "ended with exit code 3". */
  died(what: string, details: Readonly<Record<string, unknown>> = {}): void {
    this.#die(this.#crash(what, details));
  }

  #crash(what: string, details: Readonly<Record<string, unknown>>): SpellError {
    const { engine, place, lastWords } = this.#options;
    const stderr = lastWords?.().trim() ?? "";
    const all = { ...details, runtime: engine, ...(stderr === "" ? {} : { stderr }) };
    const reason = complaintIn(stderr);
    const how = reason === undefined ? what : `${what}: ${reason}`;
    // A driver that falls takes the process it lives in: to who waits for an answer, the card is gone.
    if (isGpu(this.#device)) {
      return new SpellError("device-lost", `${this.#device} is gone: the ${place} of ${engine} ${how}`, { details: all });
    }
    if (this.#started) return new SpellError("run-crash", `the ${place} of ${engine} ${how}`, { details: all });
    return new SpellError("device-unavailable", `${engine} does not start here: its ${place} ${how}`, { details: all });
  }

  /** Settles everything that waits. The first reason stays. */
  #die(error: SpellError): void {
    if (this.dead !== undefined) return;
    this.dead = error;
    this.#files = [];
    clearInterval(this.#heartbeat);
    for (const call of this.#calls.values()) fail(call, error);
  }

  /** Ends the other side at once; resolves when it is gone. */
  async end(error: SpellError): Promise<void> {
    this.#die(error);
    await this.#transport.end();
  }

  /** Silence counts only while a caller waits. */
  #hold(more: 1 | -1): void {
    this.#waiting += more;
    const busy = this.#waiting > 0 && this.dead === undefined;
    this.#transport.hold?.(busy);
    if (!busy) {
      clearInterval(this.#heartbeat);
      this.#heartbeat = undefined;
      return;
    }
    if (this.#heartbeat !== undefined) return;
    this.#lastWord = performance.now();
    this.#lastTick = performance.now();
    this.#heartbeat = setInterval(() => this.#listen(), 500);
  }

  #listen(): void {
    const now = performance.now();
    // A program that blocked its own event loop, or slept with its machine, has heard nothing: that is no silence of the other side.
    if (now - this.#lastTick > 2000) this.#lastWord = now;
    this.#lastTick = now;
    const limitMs = this.#options.silenceMs;
    if (now - this.#lastWord < limitMs) return;
    void this.end(this.#crash(`was silent for ${Math.round(limitMs / 1000)} s and was ended`, { silenceMs: limitMs }));
  }
}

/** What an engine said of its own end, as "CUDA error: the provided PTX was compiled with an unsupported toolchain." */
function complaintIn(stderr: string): string | undefined {
  const lines = stderr.split("\n").map((line) => line.trim());
  return lines
    .filter((line) => /\berror: \S|\bOOM\b|out of memory|bad_alloc/i.test(line))
    .at(-1)
    ?.slice(0, 200);
}

function fail(call: Call, error: SpellError): void {
  call.failure ??= error;
  call.wake();
}

const endsEngine: ReadonlySet<string> = new Set(["run-crash", "run-nan", "device-lost", "internal-error"]);
