/**
 * A runtime over a child process that holds the engine: one child per loaded model, killed when the model is disposed.
 * An assert, a bad instruction, a bad file or a hang takes the child; here it becomes one typed error for each call that waited.
 * What the child does is in engine-child.ts; which engine to take is decided in gguf.ts and seq2seq.ts.
 */
import { type ChildProcess, fork } from "node:child_process";
import { isGpu } from "../core/devices.ts";
import { abortedError, type ErrorCode, SpellError, toSpellError } from "../core/errors.ts";
import type { ByteSource } from "../core/formats/byte-source.ts";
import type { Device, DeviceChoice, DeviceProbe, ManyPiece, ModelHandle, ModelPiece } from "../core/spec/runtime.ts";
import { builtFile } from "./built-file.ts";
import {
  blockingSilenceMs,
  creditStep,
  type EngineName,
  type OpenedHandle,
  probeMs,
  silenceMs,
  type ToChild,
  type ToParent,
} from "./engine-protocol.ts";
import { homeFolder } from "./home.ts";

export interface ChildRuntimeOptions {
  readonly engine: EngineName;
  /** Variables for the child beside those it gets from this process. */
  readonly env?: Readonly<Record<string, string>>;
  /** Longest load; default two minutes, and one more for each GiB, as a slow disk needs it. */
  readonly loadTimeoutMs?: number;
  /** Longest wait for the next piece, a prompt of any length included; default 15 minutes: beyond patience, short of for ever. */
  readonly pieceTimeoutMs?: number;
  /** Silence after which a child counts as dead while a call waits; default 10 s. Beats come each second. */
  readonly silenceMs?: number;
  /** Told the id of each child process as it starts. */
  readonly onSpawn?: (pid: number) => void;
}

/** A prepared child that nobody opens a model in ends after this: the file was refused, or the person changed their mind. */
const spareMs = 20_000;
/** How much of the child's last words an error carries. */
const stderrCharacters = 4000;

/**
 * Variables that engines and the libraries under them need to start and to find drivers. Everything else, secrets above all, stays here.
 * Windows cannot start programs without SystemRoot; drivers look for their folders and caches.
 */
const passedVariables =
  /^(PATH|SystemRoot|windir|TEMP|TMP|TMPDIR|HOME|USERPROFILE|LOCALAPPDATA|LANG|LC_ALL|LD_LIBRARY_PATH|DYLD_LIBRARY_PATH|XDG_RUNTIME_DIR|(CUDA|HIP|ROCR|NVIDIA|VK|GGML|MESA)_\w+)$/i;

/** Errors after which the engine's state is unknown. */
const finalCodes: ReadonlySet<ErrorCode> = new Set<ErrorCode>(["run-crash", "run-nan", "device-lost", "internal-error"]);

/** What open() of every runtime takes, beside options of its own. */
interface CommonOpenOptions {
  readonly onProgress?: (share: number) => void;
  readonly signal?: AbortSignal;
}

/** A GgufRuntime or a Seq2SeqRuntime, by its options. */
export interface ChildRuntime<OpenOptions, CallOptions> {
  readonly name: string;
  prepare(device?: DeviceChoice): void;
  /** Looks at a graphics card in the child that may open the next model. A driver that takes its process down is an answer too. */
  probe(device: Device): Promise<DeviceProbe>;
  open(files: readonly ByteSource[], options: OpenOptions): Promise<ModelHandle<CallOptions>>;
}

/**
 * @returns a runtime whose open() forks a child. `prepare()` starts the next child early: the engine loads while the caller reads the file's header.
 * Children hold the process open only while a call waits for them.
 */
export function childRuntime<OpenOptions extends CommonOpenOptions, CallOptions extends { readonly signal?: AbortSignal }>(
  options: ChildRuntimeOptions,
): ChildRuntime<OpenOptions, CallOptions> {
  let spare: EngineChild | undefined;
  let spareTimer: NodeJS.Timeout | undefined;

  const takeChild = (): EngineChild => {
    const child = spare?.dead === undefined ? spare : undefined;
    clearTimeout(spareTimer);
    spare = undefined;
    return child ?? new EngineChild(options);
  };

  const keepSpare = (child: EngineChild): void => {
    clearTimeout(spareTimer);
    if (spare !== undefined && spare !== child) void spare.end(new SpellError("run-closed", "another one is as good"));
    spare = child;
    spareTimer = setTimeout(() => {
      if (spare !== child) return;
      spare = undefined;
      void child.end(new SpellError("run-closed", "nobody needed it"));
    }, spareMs);
    spareTimer.unref();
  };

  return {
    name: options.engine,
    prepare() {
      if (spare !== undefined && spare.dead === undefined) return;
      try {
        keepSpare(new EngineChild(options));
      } catch {
        // open() meets the same obstacle and reports it
      }
    },
    async probe(device) {
      const child = takeChild();
      const answer = await child.probe(device);
      // It has the driver loaded already; a card that is not there leaves it as good for the processor.
      if (child.dead === undefined) keepSpare(child);
      return answer;
    },
    async open(files, openOptions) {
      if (openOptions.signal?.aborted === true) throw abortedError();
      return takeChild().open(files, openOptions);
    },
  };
}

interface Pending {
  readonly fail: (error: SpellError) => void;
}

/** One generation: pieces that came and were not taken yet, and who waits for the next. */
interface Generation extends Pending {
  readonly push: (piece: ModelPiece | ManyPiece) => void;
}

class EngineChild {
  /** Why it is gone; undefined while it lives. */
  dead: SpellError | undefined;
  readonly #engine: EngineName;
  readonly #options: ChildRuntimeOptions;
  readonly #process: ChildProcess;
  readonly #exited: Promise<void>;
  /** Calls that wait for an answer; 0 is the open. Whatever ends the child settles all of them. */
  readonly #pending = new Map<number, Pending>();
  readonly #generations = new Map<number, Generation>();
  readonly #kill = (): void => void this.#process.kill("SIGKILL");
  #files: readonly ByteSource[] = [];
  #onProgress: (share: number) => void = () => undefined;
  #onOpened: (handle: OpenedHandle) => void = () => undefined;
  #onProbed: (probe: DeviceProbe) => void = () => undefined;
  /** where the opened model computes */
  #device: Device = "cpu";
  #started = false;
  #lastWord = performance.now();
  #lastTick = performance.now();
  #heartbeat: NodeJS.Timeout | undefined;
  #lastCall = 0;
  #stderr = "";

  constructor(options: ChildRuntimeOptions) {
    this.#engine = options.engine;
    this.#options = options;
    const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => passedVariables.test(name)));
    const child = fork(builtFile("engine-child"), [options.engine], {
      env: { ...env, ...options.env, LLMSPELL_HOME: homeFolder() },
      // not the parent's: --inspect would fight for its port, a test runner's loaders have no business there
      execArgv: [],
      serialization: "advanced",
      stdio: ["ignore", "ignore", "pipe", "ipc"],
      // Ctrl-C in a terminal goes to the whole group; this child ends with its parent's channel instead.
      detached: true,
    });
    this.#process = child;
    process.on("exit", this.#kill);
    child.on("message", (message) => this.#receive(message as ToParent));
    child.stderr?.setEncoding("utf8").on("data", (text: string) => {
      this.#stderr = (this.#stderr + text).slice(-stderrCharacters);
    });
    this.#exited = new Promise((resolve) => {
      let lateTimer: NodeJS.Timeout | undefined;
      const settle = (what: string, details: Readonly<Record<string, unknown>>): void => {
        clearTimeout(lateTimer);
        process.off("exit", this.#kill);
        this.#die(this.#crash(what, details));
        resolve();
      };
      const onEnd = (exitCode: number | null, signal: NodeJS.Signals | null): void =>
        settle(signal === null ? `ended with exit code ${exitCode}` : `was ended by ${signal}`, { exitCode, signal });
      // `close` comes when its last words are read too; should something else hold that pipe, `exit` has to do.
      child.on("close", onEnd);
      child.on("exit", (exitCode, signal) => {
        lateTimer = setTimeout(onEnd, 200, exitCode, signal);
      });
      child.on("error", (error) => {
        if (child.pid === undefined) settle(`cannot be started: ${error.message}`, {});
      });
    });
    this.#hold();
    if (child.pid !== undefined) options.onSpawn?.(child.pid);
  }

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

  async open<CallOptions extends { readonly signal?: AbortSignal }>(
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
      files: files.map(({ name, size, path, version }) => ({
        name,
        size,
        ...(path === undefined ? {} : { path }),
        ...(version === undefined ? {} : { version }),
      })),
      options,
    });
    try {
      return this.#toHandle(await opened);
    } catch (error) {
      // An engine that failed, or is still loading what nobody wants any more, holds memory.
      await this.end(toSpellError(error));
      throw error;
    }
  }

  #toHandle<CallOptions extends { readonly signal?: AbortSignal }>({ answersMany, ...opened }: OpenedHandle): ModelHandle<CallOptions> {
    const child = this;
    return {
      ...opened,
      get alive() {
        return child.dead === undefined;
      },
      generate: (prompt, options) => child.#generate<ModelPiece>(prompt, options, (piece) => piece.type === "end"),
      ...(answersMany
        ? {
            generateMany(prompts: readonly string[], options: CallOptions) {
              let open = prompts.length;
              return child.#generate<ManyPiece>(prompts, options, ({ piece }) => {
                if (piece.type === "end") open -= 1;
                return open === 0;
              });
            },
          }
        : {}),
      dispose: () => child.end(new SpellError("run-closed", "the model was disposed")),
    };
  }

  /** @param isLast whether nothing follows a piece */
  async *#generate<Piece extends ModelPiece | ManyPiece>(
    prompt: string | readonly string[],
    { signal, ...options }: { readonly signal?: AbortSignal },
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
      // The child finishes its step; its own queue lets the next call wait for that.
      if (!ended) this.#send({ type: "cancel", call });
    }
  }

  /**
   * Waits for an answer of the child: holds the process open, listens for silence, and gives up after a time.
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
      // Node's timers hold 31 bits; longer than three weeks nobody waits.
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

  #receive(message: ToParent): void {
    this.#lastWord = performance.now();
    switch (message.type) {
      case "beat":
        return;
      case "progress":
        this.#started = true;
        this.#onProgress(message.share);
        return;
      case "probed":
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
    // An engine that failed in a way nobody foresaw is not asked again: its state is unknown.
    if (finalCodes.has(error.code)) void this.end(error);
  }

  async #read({ read, file, offset, length }: Extract<ToParent, { type: "read" }>): Promise<void> {
    try {
      const source = this.#files[file];
      if (source === undefined) throw new SpellError("internal-error", `the engine asked for file ${file} of ${this.#files.length}`);
      this.#send({ type: "bytes", read, bytes: await source.read(offset, length) });
    } catch (error) {
      this.#send({ type: "no-bytes", read, error: toSpellError(error).toJSON() });
    }
  }

  #send(message: ToChild): void {
    // The callback takes the error of a child that is gone; `exit` says so to everybody who waits.
    if (this.dead === undefined && this.#process.connected) this.#process.send(message, () => undefined);
  }

  #crash(what: string, details: Readonly<Record<string, unknown>>): SpellError {
    const stderr = this.#stderr.trim();
    const all = { ...details, runtime: this.#engine, ...(stderr === "" ? {} : { stderr }) };
    // A driver that falls takes the process it lives in: to who waits for an answer, the card is gone.
    if (isGpu(this.#device)) {
      return new SpellError("device-lost", `${this.#device} is gone: the process of ${this.#engine} ${what}`, { details: all });
    }
    if (this.#started) return new SpellError("run-crash", `the process of ${this.#engine} ${what}`, { details: all });
    return new SpellError("device-unavailable", `${this.#engine} does not start here: its process ${what}`, { details: all });
  }

  /** Settles everything that waits. The first reason stays. */
  #die(error: SpellError): void {
    if (this.dead !== undefined) return;
    this.dead = error;
    this.#files = [];
    clearInterval(this.#heartbeat);
    for (const { fail } of [...this.#generations.values(), ...this.#pending.values()]) fail(error);
  }

  /** Kills the child at once; resolves when it is gone. */
  async end(error: SpellError): Promise<void> {
    this.#die(error);
    this.#process.ref();
    this.#kill();
    await this.#exited;
  }

  /** The child keeps this process alive while somebody waits for it, and only then is its silence counted. */
  #hold(): void {
    const busy = this.#pending.size > 0 && this.dead === undefined;
    const ends = [this.#process, this.#process.channel, this.#process.stderr] as ({ ref(): void; unref(): void } | null | undefined)[];
    for (const end of ends) {
      if (busy) end?.ref();
      else end?.unref();
    }
    if (!busy) {
      clearInterval(this.#heartbeat);
      this.#heartbeat = undefined;
      return;
    }
    if (this.#heartbeat !== undefined) return;
    this.#lastWord = performance.now();
    this.#lastTick = performance.now();
    this.#heartbeat = setInterval(() => this.#listen(), 500);
    this.#heartbeat.unref();
  }

  #listen(): void {
    const now = performance.now();
    // A program that blocked its own event loop, or slept with its machine, has heard nothing: that is no silence of the child's.
    if (now - this.#lastTick > 2000) this.#lastWord = now;
    this.#lastTick = now;
    const limitMs = this.#options.silenceMs ?? (this.#engine.startsWith("onnxruntime") ? blockingSilenceMs : silenceMs);
    if (now - this.#lastWord < limitMs) return;
    void this.end(this.#crash(`was silent for ${Math.round(limitMs / 1000)} s and was ended`, { silenceMs: limitMs }));
  }
}
