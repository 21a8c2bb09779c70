/**
 * The caller's side of an engine in another process or worker: a ModelHandle whose calls all settle, whatever happens over there.
 * Knows no kind of thread: a transport carries the messages and ends the other side.
 */

import { abortedError, SpellError, toSpellError } from "../errors.ts";
import type { ByteSource } from "../formats/byte-source.ts";
import { isGpu } from "../spec/devices.ts";
import type { Device, DeviceProbe, ManyPiece, ModelHandle, ModelPiece } from "../spec/runtime.ts";
import { creditStep, type FromEngine, type OpenedHandle, probeMs, type ToEngine } from "./protocol.ts";

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

interface Pending {
  readonly fail: (error: SpellError) => void;
}

/** One generation: pieces that came and were not taken yet, and who waits for the next. */
interface Generation extends Pending {
  readonly push: (piece: ModelPiece | ManyPiece) => void;
}

/** One engine with at most one model; its maker ends it. */
export class RemoteEngine {
  /** Why it is gone; undefined while it lives. */
  dead: SpellError | undefined;
  readonly #options: RemoteEngineOptions;
  readonly #transport: RemoteTransport;
  /** Calls that wait for an answer; 0 is the open. Whatever ends the engine settles all of them. */
  readonly #pending = new Map<number, Pending>();
  readonly #generations = new Map<number, Generation>();
  #files: readonly ByteSource[] = [];
  #onProgress: (share: number) => void = () => undefined;
  #onOpened: (handle: OpenedHandle) => void = () => undefined;
  #onProbed: (probe: DeviceProbe) => void = () => undefined;
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
      return await this.#wait<DeviceProbe>(0, undefined, probeMs, `look at ${device}`, (resolve) => {
        this.#onProbed = resolve;
        this.#send({ type: "probe", device });
      });
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
    const opened = this.#wait<OpenedHandle>(0, signal, timeoutMs, "load the model", (resolve) => {
      this.#onOpened = resolve;
    });
    this.#send({
      type: "open",
      files: files.map(({ name, size, path, blob, version }) => ({
        name,
        size,
        path,
        blob: blob === undefined || this.#options.place === "process" ? undefined : blob,
        version,
      })),
      options,
    });
    try {
      return this.#toHandle(await opened);
    } catch (error) {
      // An engine that failed, or is still loading a model no caller waits for, holds memory.
      await this.end(toSpellError(error));
      throw error;
    }
  }

  #toHandle<CallOptions extends { readonly signal?: AbortSignal | undefined }>({
    answersMany,
    ...opened
  }: OpenedHandle): ModelHandle<CallOptions> {
    const engine = this;
    return {
      ...opened,
      get alive() {
        return engine.dead === undefined;
      },
      generate: (prompt, options) => engine.#generate<ModelPiece>(prompt, options, (piece) => piece.type === "end"),
      ...(answersMany
        ? {
            generateMany(prompts: readonly string[], options: CallOptions) {
              let open = prompts.length;
              return engine.#generate<ManyPiece>(prompts, options, ({ piece }) => {
                if (piece.type === "end") open -= 1;
                return open === 0;
              });
            },
          }
        : {}),
      dispose: () => engine.end(new SpellError("run-closed", "the model was disposed")),
    };
  }

  /** @param isLast whether nothing follows a piece */
  async *#generate<Piece extends ModelPiece | ManyPiece>(
    prompt: string | readonly string[],
    { signal, ...options }: { readonly signal?: AbortSignal | undefined },
    isLast: (piece: Piece) => boolean,
  ): AsyncGenerator<Piece, void, undefined> {
    if (this.dead !== undefined) throw this.dead;
    if (signal?.aborted === true) throw abortedError();
    this.#lastCall += 1;
    const call = this.#lastCall;
    const unread: Piece[] = [];
    let failure: SpellError | undefined;
    let taken = 0;
    let wake: () => void = () => undefined;
    const fail = (error: SpellError): void => {
      failure ??= error;
      wake();
    };
    this.#generations.set(call, {
      fail,
      push: (piece) => {
        unread.push(piece as Piece);
        wake();
      },
    });
    const onAbort = (): void => fail(abortedError());
    signal?.addEventListener("abort", onAbort, { once: true });
    let ended = false;
    try {
      this.#send({ type: "generate", call, prompt, options });
      for (;;) {
        // An abort is answered at once, even with pieces unread; after a crash they are still worth showing.
        if (failure !== undefined && (unread.length === 0 || failure.code === "run-aborted" || failure.code === "run-closed"))
          throw failure;
        const piece = unread.shift();
        if (piece === undefined) {
          await this.#wait<void>(call, undefined, this.#options.pieceTimeoutMs ?? 900_000, "go on", (resolve) => {
            wake = resolve;
          });
          continue;
        }
        taken += 1;
        if (taken % creditStep === 0) this.#send({ type: "credit", call, pieces: creditStep });
        ended = isLast(piece);
        yield piece;
        if (ended) return;
      }
    } catch (error) {
      ended ||= this.dead !== undefined;
      throw error;
    } finally {
      signal?.removeEventListener("abort", onAbort);
      this.#generations.delete(call);
      // The engine finishes its step; the queue over there lets the next call wait for that.
      if (!ended) this.#send({ type: "cancel", call });
    }
  }

  /**
   * Waits for an answer: listens for silence, and gives up after a time.
   * @param start receives the function that ends the waiting well
   */
  #wait<T>(
    call: number,
    signal: AbortSignal | undefined,
    timeoutMs: number,
    what: string,
    start: (resolve: (value: T) => void) => void,
  ): Promise<T> {
    return new Promise((resolve, reject) => {
      if (this.dead !== undefined) {
        reject(this.dead);
        return;
      }
      const finish = (): void => {
        clearTimeout(timer);
        signal?.removeEventListener("abort", onAbort);
        this.#pending.delete(call);
        this.#hold();
      };
      const fail = (error: SpellError): void => {
        finish();
        reject(error);
      };
      const onAbort = (): void => fail(abortedError());
      // Timers hold 31 bits; a longer wait is not supported.
      const timer = setTimeout(
        () => void this.end(this.#crash(`did not ${what} within ${Math.round(timeoutMs / 1000)} s and was ended`, { timeoutMs })),
        Math.min(timeoutMs, 2 ** 31 - 1),
      );
      signal?.addEventListener("abort", onAbort, { once: true });
      this.#pending.set(call, { fail });
      this.#hold();
      start((value) => {
        finish();
        resolve(value);
      });
    });
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
        this.#onProbed(message.probe);
        return;
      case "opened":
        this.#started = true;
        this.#device = message.handle.device.chosen;
        this.#onOpened(message.handle);
        return;
      case "failed":
        this.#failed(message.call, SpellError.fromJSON(message.error));
        return;
      case "piece":
        this.#generations.get(message.call)?.push(message.piece);
        return;
      case "read":
        void this.#read(message);
        return;
      default:
        message satisfies never;
    }
  }

  #failed(call: number, error: SpellError): void {
    (this.#generations.get(call) ?? this.#pending.get(call))?.fail(error);
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
    // A driver that falls takes the process it lives in: to who waits for an answer, the card is gone.
    if (isGpu(this.#device)) {
      return new SpellError("device-lost", `${this.#device} is gone: the ${place} of ${engine} ${what}`, { details: all });
    }
    if (this.#started) return new SpellError("run-crash", `the ${place} of ${engine} ${what}`, { details: all });
    return new SpellError("device-unavailable", `${engine} does not start here: its ${place} ${what}`, { details: all });
  }

  /** Settles everything that waits. The first reason stays. */
  #die(error: SpellError): void {
    if (this.dead !== undefined) return;
    this.dead = error;
    this.#files = [];
    clearInterval(this.#heartbeat);
    for (const { fail } of [...this.#generations.values(), ...this.#pending.values()]) fail(error);
  }

  /** Ends the other side at once; resolves when it is gone. */
  async end(error: SpellError): Promise<void> {
    this.#die(error);
    await this.#transport.end();
  }

  /** Silence counts only while a caller waits. */
  #hold(): void {
    const busy = this.#pending.size > 0 && this.dead === undefined;
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

const endsEngine: ReadonlySet<string> = new Set(["run-crash", "run-nan", "device-lost", "internal-error"]);
