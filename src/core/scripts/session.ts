/**
 * The host's side of a script: answers its calls, shows its output, and ends it when a limit is passed. The guest keeps its limits by itself; what stands here
 * holds also where it cannot, or will not.
 */
import { abortedError, SpellError, throwIfAborted, toSpellError } from "../errors.ts";
import { isCount } from "../json.ts";
import { limits } from "../limits.ts";
import type { ScriptFiles, ScriptWire } from "../platform.ts";
import type { CallKept, CallLimit } from "./arguments.ts";
import type { Bound } from "./bind.ts";
import { faultError, guestHints, lateError, limitError, overError, type ScriptLimits } from "./outcome.ts";
import { countedFromOne } from "./places.ts";
import {
  type GuestLogLevel,
  type GuestMessage,
  type GuestSettings,
  type HostMessage,
  readGuestMessage,
  type ScriptEngine,
  type ScriptFault,
  type ScriptInput,
} from "./protocol.ts";
import { inward, outward, scriptObjects, withoutPaths } from "./values.ts";

export interface SessionParts {
  readonly engine: ScriptEngine;
  /** of a guest that was started and has heard nothing */
  readonly wire: ScriptWire;
  readonly bound: Bound;
  readonly settings: Pick<GuestSettings, "stdlib" | "isDebug" | "hasConsole" | "hasFiles">;
  readonly limits: ScriptLimits;
  /** milliseconds, monotonic */
  readonly now: () => number;
  readonly onOutput: (text: string) => void;
  readonly onLog: (level: GuestLogLevel, text: string) => void;
  /** A line of standard input with its line end; undefined at its end. Absent: there is none. */
  readonly readLine?: (() => Promise<string | undefined>) | undefined;
  /** Files beside the script, and those that the configuration allows. */
  readonly files?: ScriptFiles | undefined;
  /** An error's actions as a host words them. */
  readonly commandsOf?: ((error: SpellError) => readonly string[]) | undefined;
}

/** `isUnfinished`: of a shell, more input is needed. */
export interface ScriptEnd {
  readonly value?: unknown;
  /** 0–255, where the script chose one; the session is over */
  readonly exitCode?: number | undefined;
  readonly isUnfinished?: boolean | undefined;
}

export interface ScriptSession {
  /**
   * One input after the other.
   * @param signal ends the guest
   * @param stop asks this input to end, and leaves the guest: calls that it waits for fail, and where it can be asked (Node) it computes no longer
   * @throws SpellError script-*, run-aborted, and of a host call that the script did not catch
   */
  run(input: ScriptInput, signal?: AbortSignal, stop?: AbortSignal): Promise<ScriptEnd>;
  /** After a kill nothing runs any more, and all that a script had set is lost. */
  readonly isOver: boolean;
  /** Ends calls under way and the guest. */
  close(): Promise<void>;
}

interface Timed {
  readonly limit: CallLimit;
  /** milliseconds of the input's computing */
  readonly until: number;
  /** aborted when its time is over, waiting included */
  readonly over: AbortSignal;
}

/** Who waits for what a function of the script gives. */
interface Back {
  readonly timed?: Timed | undefined;
  resolve(value: unknown): void;
  reject(error: unknown): void;
}

/** Errors that a script may hold: of more than these an uncaught one is told without its cause. */
const keptErrors = 100;

/** @param begin makes the globals; its signal is aborted when the session is over */
export function openSession(parts: Omit<SessionParts, "bound">, begin: (signal: AbortSignal) => Bound): ScriptSession {
  const { engine, wire, settings, now, onOutput, onLog, readLine, files, commandsOf } = parts;
  const bounds = parts.limits;
  const over = new AbortController();
  const bound = begin(over.signal);
  const objects = scriptObjects(bound.classes);
  const errors = new Map<number, SpellError>();
  const backs = new Map<number, Back>();
  const timers = new Map<string | number, ReturnType<typeof setTimeout>>();
  let serial = 0;
  let errorSerial = 0;
  let sent = 0;
  let isReady = false;
  let isIdle = true;
  let since = 0;
  let spentMs = 0;
  let printed = 0;
  let ended: Promise<void> | undefined;
  let running:
    | { readonly input: ScriptInput; readonly stop?: AbortSignal | undefined; resolve(end: ScriptEnd): void; reject(error: unknown): void }
    | undefined;

  // --- Clocks: of computing, of the start, of the whole run, of calls ---
  let computing: ReturnType<typeof setTimeout> | undefined;
  const starting = setTimeout(() => {
    void finish(new SpellError("script-error", `expected an engine within ${limits.scriptStartMs} ms, got none`));
  }, limits.scriptStartMs);
  /** @param again what it may compute has changed */
  const busy = (again = false): void => {
    if (!isReady || !(isIdle || again) || running === undefined) return;
    if (isIdle) since = now();
    isIdle = false;
    clearTimeout(computing);
    const first = soonest();
    const until = first?.until ?? bounds.timeoutMs;
    const error = first === undefined ? limitError("time", engine, bounds) : lateError(first.limit);
    computing = setTimeout(() => void finish(error), Math.max(0, until - spentSoFar() + limits.scriptGraceMs));
  };
  /** The function of the script that is late before the script is. In JavaScript others may compute while one waits: there the guest's word counts. */
  const soonest = (): Timed | undefined => {
    const timed = [...backs.values()].flatMap(({ timed }) => timed ?? []).filter(({ until }) => until < bounds.timeoutMs);
    return engine === "lua" ? timed.sort((a, b) => a.until - b.until)[0] : undefined;
  };
  /**
   * In Lua a call that begins while such a function runs is made by it, and holds up all that come behind: it waits no longer than the function may.
   * The first runs; others are waiting for it to end.
   */
  const runsWithin = (): Timed | undefined => (engine === "lua" ? [...backs.values()].find(({ timed }) => timed)?.timed : undefined);
  const spentSoFar = (): number => spentMs + (isIdle ? 0 : now() - since);
  const rest = (computedMs: number): void => {
    if (isIdle) return;
    isIdle = true;
    spentMs = computedMs;
    clearTimeout(computing);
  };
  let untimed = 0;
  let runLeft = 0;
  let runSince = 0;
  let runTimer: ReturnType<typeof setTimeout> | undefined;
  const holdRun = (): void => {
    if (runTimer === undefined) return;
    clearTimeout(runTimer);
    runTimer = undefined;
    runLeft -= now() - runSince;
  };
  const countRun = (): void => {
    if (bounds.runMs === 0 || untimed > 0 || running === undefined || runTimer !== undefined) return;
    runSince = now();
    runTimer = setTimeout(() => void finish(limitError("run", engine, bounds)), Math.max(0, runLeft));
  };
  let callsLeft = limits.scriptCallBurst as number;
  let callsAt = now();
  const mayCall = (): boolean => {
    const at = now();
    callsLeft = Math.min(limits.scriptCallBurst, callsLeft + ((at - callsAt) * limits.scriptCallsPerSecond) / 1000) - 1;
    callsAt = at;
    return callsLeft >= 0;
  };

  /** @param result an error ends the guest too, unless `keeps` */
  async function finish(result: ScriptEnd | SpellError, keeps = false): Promise<void> {
    const waiting = running;
    running = undefined;
    rest(spentMs + now() - since);
    holdRun();
    if (!keeps) await close();
    if (result instanceof Error) waiting?.reject(result);
    else waiting?.resolve(result);
  }
  async function close(): Promise<void> {
    if (ended === undefined) {
      clearTimeout(starting);
      clearTimeout(computing);
      for (const timer of timers.values()) clearTimeout(timer);
      over.abort(abortedError());
      for (const back of backs.values()) back.reject(abortedError());
      backs.clear();
      ended = wire.kill();
      if (running !== undefined) await finish(abortedError());
    }
    await ended;
  }

  const post = (message: HostMessage): void => {
    if (ended !== undefined) return;
    sent += 1;
    wire.post(JSON.stringify(message));
    busy();
  };

  // --- Calls ---
  const ownFunctions: Readonly<Record<string, (a: readonly unknown[], id: string | number) => unknown>> = {
    timer: ([ms], id) =>
      new Promise<void>((resolve) => {
        timers.set(id, setTimeout(resolve, Number(ms)));
      }).finally(() => timers.delete(id)),
    "go.on": ([computedMs]) => {
      // waiting for this answer is not the script's time
      if (isCount(computedMs)) rest(computedMs);
      return running?.stop?.aborted !== true;
    },
    "io.line": () => readLine?.(),
    "module.load": ([path]) => fileHost().module(String(path)),
    "file.read": ([path]) => fileHost().read(String(path)),
    "file.write": ([path, text, append]) => fileHost().write(String(path), String(text), append === true),
  };
  const clear = (id: number): void => {
    clearTimeout(timers.get(id));
    timers.delete(id);
  };
  const fileHost = (): ScriptFiles => {
    if (files === undefined) throw new SpellError("script-denied", "this script has no files beside it");
    return files;
  };
  async function answer(id: string | number, f: string, a: readonly unknown[]): Promise<void> {
    const isUntimed = bound.find(f)?.isUntimed === true;
    const within = runsWithin();
    if (isUntimed) {
      untimed += 1;
      holdRun();
    }
    try {
      const callback =
        (fn: number, limit?: CallLimit) =>
        (...values: readonly unknown[]): Promise<unknown> =>
          new Promise((resolve, reject) => {
            serial += 1;
            backs.set(serial, {
              resolve,
              reject,
              timed: limit && { limit, until: spentSoFar() + limit.ms, over: AbortSignal.timeout(limit.ms) },
            });
            post({ t: "cb", id, n: serial, fn, a: values.map((value) => outward(value, objects) ?? null), ms: limit?.ms });
            if (limit !== undefined) busy(true);
          });
      const given = a.map((value) => inward(value, objects, callback));
      const own = Object.hasOwn(ownFunctions, f) ? ownFunctions[f] : undefined;
      const callKept: CallKept = (kept, ...values) => callback(-kept.index, kept.limit)(...values);
      if (within?.over.aborted === true) throw overError(within.limit);
      const work = own === undefined ? bound.call(f, given, callKept) : own(given, id);
      const value = outward(await unlessOver(unlessStopped(work, running?.stop), within), objects);
      const message: HostMessage = value === undefined ? { t: "ret", id } : { t: "ret", id, v: value };
      if (JSON.stringify(message).length > limits.scriptMessageBytes)
        throw new SpellError("script-memory", `${f}: expected an answer of at most ${limits.scriptMessageBytes} bytes, got more`);
      post(message);
    } catch (error) {
      post({ t: "err", id, e: isCallbackFailure(error) ? { code: "callback", message: "" } : crossing(error) });
    } finally {
      if (isUntimed) {
        untimed -= 1;
        countRun();
      }
    }
  }
  /** Ours go as they are, without paths of this machine; the message of others may hold anything. */
  function crossing(error: unknown): ScriptFault {
    const known = error instanceof SpellError ? error : undefined;
    if (known === undefined) onLog("error", toSpellError(error).message);
    const unforeseen = (): SpellError => new SpellError("internal-error", "something unforeseen happened in the host", { cause: error });
    const told = known === undefined ? unforeseen() : engine === "lua" ? countedFromOne(known) : known;
    errorSerial += 1;
    errors.set(errorSerial, told);
    errors.delete(errorSerial - keptErrors);
    const commands = commandsOf?.(told);
    return {
      code: told.code,
      message: withoutPaths(told.message),
      hint: withoutPaths(told.hint),
      ...(commands === undefined || commands.length === 0 ? {} : { commands }),
      retryable: told.retryable,
      ...(told.details === undefined ? {} : { details: plainDetails(told.details) }),
      ref: errorSerial,
    };
  }

  // --- Messages ---
  wire.listen(
    (text) => {
      if (ended !== undefined) return;
      const message = readGuestMessage(text);
      if (message === undefined) void finish(new SpellError("script-error", "the engine said what it never says; it was ended"));
      else hear(message);
    },
    (reason) => {
      const isMemory = /memory|SIGABRT|134/i.test(reason);
      void finish(isMemory ? limitError("memory", engine, bounds) : new SpellError("script-error", `the engine ended: ${reason}`));
    },
  );
  function hear(message: GuestMessage): void {
    switch (message.t) {
      case "idle":
        if (!isReady) {
          isReady = true;
          clearTimeout(starting);
          if (sent > 0) busy();
        } else if (message.received === sent) rest(message.computedMs);
        return;
      case "call":
        if (!mayCall()) void finish(limitError("calls", engine, bounds));
        else if (message.f === "timer.clear") clear(message.a[0] as number);
        else void answer(message.id, message.f, message.a);
        return;
      case "back": {
        const back = backs.get(message.n);
        backs.delete(message.n);
        if (back?.timed !== undefined && !isIdle) busy(true);
        if (message.ok) back?.resolve(message.v);
        else back?.reject(callbackFailure(message.v));
        return;
      }
      case "out":
        printed += message.s.length;
        // a slow reader of the output is not the script's time
        if (!isIdle) {
          rest(message.c);
          busy();
        }
        if (printed > bounds.outputBytes) void finish(limitError("output", engine, bounds));
        else
          try {
            onOutput(message.s);
          } catch (error) {
            void finish(toSpellError(error));
          }
        return;
      case "log":
        onLog(message.l, message.s.slice(0, limits.scriptErrorText));
        return;
      case "end":
        void finish({ value: message.v, exitCode: message.exit }, message.exit === undefined);
        return;
      case "more":
        void finish({ isUnfinished: true }, true);
        return;
      case "fail": {
        const { isDebug } = settings;
        if (running === undefined) return;
        const known = (ref: number): SpellError | undefined => errors.get(ref);
        const { input, stop } = running;
        const isStopped = stop?.aborted === true;
        // what was passed over before it may still be there
        const late = message.e.isLate === true ? [...backs.values()].findLast(({ timed }) => timed)?.timed?.limit : undefined;
        void finish(faultError(message.e, { engine, limits: bounds, isDebug, input, isStopped, late, known }), true);
      }
    }
  }
  post({
    t: "init",
    manifest: bound.manifest,
    memoryBytes: bounds.memoryBytes,
    timeoutMs: bounds.timeoutMs,
    hints: guestHints(),
    ...settings,
  });

  return {
    get isOver() {
      return ended !== undefined;
    },
    async run(input, signal, stop) {
      if (ended !== undefined) throw new SpellError("script-error", "the script's engine was ended; start another");
      if (running !== undefined) throw new SpellError("run-busy", "the script's engine computes; one input runs at a time");
      if (new TextEncoder().encode(input.source).length > limits.scriptBytes)
        throw new SpellError("script-syntax", `${input.name}: expected a script of at most ${limits.scriptBytes} bytes, got more`);
      throwIfAborted(signal);
      const abort = (): void => void finish(endedBy(signal));
      signal?.addEventListener("abort", abort, { once: true });
      try {
        return await new Promise<ScriptEnd>((resolve, reject) => {
          running = { input, stop, resolve, reject };
          spentMs = 0;
          runLeft = bounds.runMs;
          countRun();
          post({ t: "run", ...input, ...(stop === undefined ? {} : { asks: true }) });
        });
      } finally {
        signal?.removeEventListener("abort", abort);
      }
    },
    close,
  };
}

/** Who ended a run: the spell that was disposed says so, another signal is the caller's. */
function endedBy(signal: AbortSignal | undefined): SpellError {
  return signal?.reason instanceof SpellError ? signal.reason : abortedError();
}

/** What a call gives, or run-aborted some time after the signal: models first say what they have. */
function unlessStopped(work: unknown, stop: AbortSignal | undefined): unknown {
  if (stop === undefined || !(work instanceof Promise)) return work;
  return new Promise((resolve, reject) => {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const wait = (): void => {
      timer = setTimeout(() => reject(abortedError()), limits.scriptStopMs);
    };
    if (stop.aborted) wait();
    else stop.addEventListener("abort", wait, { once: true });
    void work.then(resolve, reject).finally(() => {
      clearTimeout(timer);
      stop.removeEventListener("abort", wait);
    });
  });
}

/** What a call gives, or script-time when the function that made it has had its time. What was begun goes on, and nobody waits for it. */
function unlessOver(work: unknown, within: Timed | undefined): unknown {
  if (within === undefined || !(work instanceof Promise)) return work;
  const { limit, over } = within;
  return new Promise((resolve, reject) => {
    const end = (): void => reject(overError(limit));
    over.addEventListener("abort", end, { once: true });
    void work.then(resolve, reject).finally(() => over.removeEventListener("abort", end));
  });
}

const callbackFailures = new WeakSet<object>();

/** Told to the host function whose callback failed; the script gets back what it threw itself. @param said its message */
function callbackFailure(said: unknown): SpellError {
  const message = typeof said === "string" && said !== "" ? said.slice(0, limits.scriptErrorText) : "a callback of the script failed";
  const failure = new SpellError("script-error", message);
  callbackFailures.add(failure);
  return failure;
}

function isCallbackFailure(error: unknown): boolean {
  return typeof error === "object" && error !== null && callbackFailures.has(error);
}

/** Numbers, words and lists of them. */
function plainDetails(details: Readonly<Record<string, unknown>>): unknown {
  const text = JSON.stringify(details, (_key, value: unknown) => (typeof value === "string" ? withoutPaths(value).slice(0, 500) : value));
  return text.length > limits.scriptErrorText * 4 ? undefined : (JSON.parse(text) as unknown);
}
