/** How an input ends: a value, an exit status, or an error with its place in the script. */
import { codeFrameAt } from "../config/problem.ts";
import { abortedError, type ErrorCode, errorTable, SpellError } from "../errors.ts";
import { isObject } from "../json.ts";
import { limits } from "../limits.ts";
import type { CallLimit } from "./arguments.ts";
import type { ScriptEngine, ScriptFault, ScriptInput } from "./protocol.ts";

/** What ends a script from inside or outside, each with the key of the configuration that moves it. */
export interface ScriptLimits {
  /** bytes */
  readonly memoryBytes: number;
  /** that the script itself computes */
  readonly timeoutMs: number;
  /** bytes of printed text; Infinity: none */
  readonly outputBytes: number;
  /** of the whole run, untimed calls left out; 0: none */
  readonly runMs: number;
}

const memoryKey = { lua: "max_memory_bytes", javascript: "max_heap_size_bytes" } as const;

/** A function that computes for too long, and could not be ended without the script. */
export function lateError(limit: CallLimit): SpellError {
  return callError(`expected a function that computes for at most ${limit.ms} ms, got more`, limit);
}

/** What a function waits for comes too late for it. */
export function overError(limit: CallLimit): SpellError {
  return callError(`expected a function that ends within ${limit.ms} ms, got one that waits for longer`, limit);
}

function callError(message: string, { name, key }: CallLimit): SpellError {
  return new SpellError("script-time", `${name}: ${message}`, {
    hint: `Let it do less, or raise ${key}.`,
    actions: [{ kind: "show-config", section: key.split(".")[0] ?? key }],
    details: { limit: "call" },
  });
}

/** The error of a limit that was reached, with the key to change. */
export function limitError(
  limit: "time" | "memory" | "output" | "calls" | "run",
  engine: ScriptEngine,
  { memoryBytes, timeoutMs, outputBytes, runMs }: ScriptLimits,
): SpellError {
  const key = (name: string) => `Let it do less, or raise engines.${engine}.${name}.`;
  // Lua's stack is part of its memory
  const why = engine === "lua" ? "A function that calls itself without an end takes all there is. Else let" : "Let";
  const memoryHint = `${why} the script hold less at once, or raise engines.${engine}.${memoryKey[engine]}.`;
  const show = { kind: "show-config", section: "engines" } as const;
  const say = (code: ErrorCode, message: string, hint: string, section: typeof show | { kind: "show-config"; section: string } = show) =>
    new SpellError(code, message, { hint, actions: [section], details: { limit } });
  switch (limit) {
    case "time":
      return say("script-time", `expected a script that computes for at most ${timeoutMs} ms, got more`, key("timeout_ms"));
    case "memory":
      return say("script-memory", `expected a script that needs at most ${memoryBytes} bytes of memory, got more`, memoryHint);
    case "output":
      return say("script-output", `expected a script that prints at most ${outputBytes} bytes, got more`, key("max_output_bytes"));
    case "calls":
      return new SpellError("script-time", `expected at most ${limits.scriptCallsPerSecond} host calls a second, got more`, {
        hint: "Let the loop do more with each call.",
        details: { limit },
      });
    case "run":
      return say(
        "script-time",
        `expected a script that ends after at most ${runMs / 1000} s, got more`,
        "Let it do less, or raise runtime.script_timeout_seconds.",
        { kind: "show-config", section: "runtime" },
      );
  }
}

export interface FaultContext {
  readonly engine: ScriptEngine;
  readonly limits: ScriptLimits;
  readonly isDebug: boolean;
  readonly input: ScriptInput;
  readonly isStopped: boolean;
  /** of the function that it computed for */
  readonly late?: CallLimit | undefined;
  /** The host's own errors by their numbers. */
  readonly known: (ref: number) => SpellError | undefined;
}

/** What a guest may say by its own word; every other code is the host's. */
const guestCodes = ["script-syntax", "script-error", "script-argument", "script-json", "script-stack", "script-denied"] as const;

/** Hints of all codes of scripts: errors that a guest raises, and a script catches, have them as those of the host do. */
export function guestHints(): Readonly<Record<string, string>> {
  return Object.fromEntries(errorTable().flatMap(({ code, hint }) => (code.startsWith("script-") ? [[code, hint]] : [])));
}

/**
 * What a guest reported as an error. An error of the host that the script did not catch is that error again, with the script's line.
 * The rest is the guest's word: cut short, of a known code, `where` a line of the script.
 */
export function faultError(fault: ScriptFault, context: FaultContext): SpellError {
  const { engine, isDebug, input } = context;
  const trace = traceOf(fault.trace);
  const where = placeOf(fault.where) ?? trace.map(placeIn).find((place) => place !== undefined);
  const details = {
    ...(where === undefined ? {} : { script: where, ...frameOf(where, input) }),
    ...(isDebug && trace.length > 0 ? { trace: trace.join("\n") } : {}),
  };
  const own = fault.ref === undefined ? undefined : context.known(fault.ref);
  if (own?.code === fault.code) return own.with({ where, details });
  const message = fault.message.slice(0, limits.scriptErrorText);
  if (fault.code === "run-aborted" && context.isStopped) return abortedError().with({ where, details });
  if (fault.code === "script-time" && context.late !== undefined) return lateError(context.late).with({ where, details });
  if (fault.code === "script-time") return limitError("time", engine, context.limits).with({ where, details });
  if (fault.code === "script-memory") return limitError("memory", engine, context.limits).with({ where, details });
  const code = guestCodes.find((each) => each === fault.code) ?? "script-error";
  const inner = isObject(fault.details) ? { ...fault.details } : undefined;
  const said = typeof fault.hint === "string" ? fault.hint.slice(0, limits.scriptErrorText) : undefined;
  const hint = said ?? (where === undefined && code === "script-error" ? "Correct the script, or catch the error in it." : undefined);
  return new SpellError(code, message, { hint, where, details: { ...inner, ...details } });
}

/** Lines of a trace, without those of our own preludes and of the engine's error functions. */
function traceOf(trace: unknown): readonly string[] {
  if (typeof trace !== "string") return [];
  return trace
    .slice(0, limits.scriptTraceText)
    .split("\n")
    .map((line) => line.trim().replace(/^at /, ""))
    .filter((line) => line !== "" && !/\bllmspell:/.test(line) && !/^\[C\]: in \w+ 'error'$|^\(\.{3}tail calls\.{3}\)$/.test(line));
}

/** "main.lua:3", as a guest of ours says it. */
function placeOf(where: unknown): string | undefined {
  return typeof where === "string" && where.length < 300 && /:\d+(:\d+)?$/.test(where) ? where : undefined;
}

/** Of a line of a trace: `f (main.js:3:5)`, `main.js:3:5`, `main.lua:3: in function 'f'`. */
function placeIn(line: string): string | undefined {
  const found = /(?:^|\()([^\s():]+:\d+(?::\d+)?)(?:\)|:|$)/.exec(line);
  return placeOf(found?.[1]);
}

/** The line itself, where it is one of this input. */
function frameOf(where: string, { source, name }: ScriptInput): { readonly frame?: string } {
  const found = /^(.*?):(\d+)(?::(\d+))?$/.exec(where);
  if (found === null || found[1] !== name) return {};
  const lines = source.split("\n", Number(found[2]));
  const line = lines.at(-1);
  if (line === undefined || lines.length < Number(found[2])) return {};
  const start = source.length === 0 ? 0 : lines.slice(0, -1).reduce((sum, each) => sum + each.length + 1, 0);
  const column = found[3] === undefined ? line.length - line.trimStart().length : Number(found[3]) - 1;
  return { frame: codeFrameAt(source, start + Math.min(column, Math.max(0, line.length - 1))) };
}
