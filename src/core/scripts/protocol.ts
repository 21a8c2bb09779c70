/**
 * What host and guest say to each other: texts, JSON but for two. The guest is not trusted: its messages are checked by hand, and a wrong one ends the script.
 *
 * guest → host: `idle N C` (it waits; it has received N messages and computed C ms in this input), and GuestMessage.
 * Inside the guest only: `>text` is printed text on its way to the buffer; `<MS` says that a function begins which may compute so long, `<` that it has ended.
 */
import { isCount, isObject } from "../json.ts";
import { limits } from "../limits.ts";
import type { Manifest } from "./bind.ts";

export type { ScriptEngine } from "../spec/scripts.ts";

/** What a script has of its language's library; each level has what the ones before it have. */
export type Stdlib = "None" | "Basic" | "Standard" | "All";

/** The first message. */
export interface GuestSettings {
  readonly t: "init";
  readonly manifest: Manifest;
  /** bytes; QuickJS has it from its start */
  readonly memoryBytes: number;
  /** of one input, waiting for the host left out */
  readonly timeoutMs: number;
  readonly stdlib: Stdlib;
  readonly isDebug: boolean;
  readonly hasConsole: boolean;
  /** What to do about an error of a code that the guest raises itself. */
  readonly hints: Readonly<Record<string, string>>;
  /** `io.open` and `io.lines` in Lua's level All */
  readonly hasFiles: boolean;
}

export interface ScriptArguments {
  /** `ARGS[0]` */
  readonly script: string;
  readonly positional: readonly string[];
  readonly named: Readonly<Record<string, string>>;
}

/** One input. Several may follow each other in one state. */
export interface ScriptInput {
  readonly source: string;
  /** in positions of errors: "main.lua" */
  readonly name: string;
  readonly args?: ScriptArguments | undefined;
  /** Shows the value of an expression, and may answer that the input is unfinished. */
  readonly isShell?: boolean | undefined;
  /** Nothing is run: the source is `{path, declared}` as JSON, and the result the members of what lies there, as [name, type]. */
  readonly isKeys?: boolean | undefined;
  /** While it computes, it asks from time to time whether it may go on; where its stack is suspended to wait, it cannot. */
  readonly asks?: boolean | undefined;
}

export type HostMessage =
  | GuestSettings
  | ({ readonly t: "run" } & ScriptInput)
  | { readonly t: "ret"; readonly id: string | number; readonly v?: unknown }
  | { readonly t: "err"; readonly id: string | number; readonly e: ScriptFault }
  | {
      readonly t: "cb";
      readonly id: string | number;
      readonly n: number;
      readonly fn: number;
      readonly a: readonly unknown[];
      /** that it may compute */
      readonly ms?: number | undefined;
    };

/** An error as it crosses, in either direction. */
export interface ScriptFault {
  readonly code: string;
  readonly message: string;
  readonly hint?: string | undefined;
  readonly commands?: readonly string[] | undefined;
  readonly retryable?: boolean | undefined;
  readonly details?: unknown;
  /** Number of the host's own error. */
  readonly ref?: number | undefined;
  /** "main.lua:3" */
  readonly where?: string | undefined;
  readonly trace?: string | undefined;
  /** Of script-time: it was a function with a time of its own. */
  readonly isLate?: boolean | undefined;
}

/** What a guest prints beside its output: to the log. */
export type GuestLogLevel = "info" | "warn" | "error";

export type GuestMessage =
  | { readonly t: "idle"; readonly received: number; readonly computedMs: number }
  | { readonly t: "call"; readonly id: string | number; readonly f: string; readonly a: readonly unknown[] }
  | { readonly t: "back"; readonly id: string | number; readonly n: number; readonly ok: boolean; readonly v: unknown }
  | { readonly t: "out"; readonly s: string; readonly c: number }
  | { readonly t: "log"; readonly l: GuestLogLevel; readonly s: string }
  | { readonly t: "end"; readonly v?: unknown; readonly exit?: number | undefined }
  | { readonly t: "more" }
  | { readonly t: "fail"; readonly e: ScriptFault };

/** @returns undefined for what is no message of a guest of ours */
export function readGuestMessage(text: string): GuestMessage | undefined {
  if (text.length > limits.scriptMessageBytes + 100) return undefined;
  const idle = /^idle (\d{1,15}) (\d{1,15})$/.exec(text);
  if (idle !== null) return { t: "idle", received: Number(idle[1]), computedMs: Number(idle[2]) };
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  return isGuestMessage(value) ? value : undefined;
}

function isGuestMessage(value: unknown): value is GuestMessage {
  if (!isObject(value)) return false;
  const { t, id, n, f, a, ok, s, c, l, exit, e } = value;
  const hasId = typeof id === "number" || (typeof id === "string" && id.length < 20);
  switch (t) {
    case "call":
      return hasId && typeof f === "string" && Array.isArray(a);
    case "back":
      return hasId && isCount(n) && typeof ok === "boolean";
    case "out":
      return typeof s === "string" && isCount(c);
    case "log":
      return typeof s === "string" && (l === "info" || l === "warn" || l === "error");
    case "end":
      return exit === undefined || (isCount(exit) && exit <= 255);
    case "more":
      return true;
    case "fail":
      return isObject(e) && typeof e["code"] === "string" && typeof e["message"] === "string";
    default:
      return false;
  }
}
