/** JavaScript's loop, which lives outside the engine: run jobs, deliver what arrives, until the script has ended and nothing is open. */
import { limits } from "../../limits.ts";
import type { ScriptFault } from "../protocol.ts";
import { stopMark } from "./channel.ts";
import { jsPrelude } from "./preludes.generated.ts";
import { createRealm, type Exception, evalFlags, type Realm, type Value } from "./quickjs.ts";
import { type Guest, type GuestParts, plainSource } from "./run.ts";

/** What the prelude returns. */
const controlNames = [
  "configure",
  "begin",
  "deliver",
  "early",
  "open",
  "settle",
  "show",
  "failed",
  "denied",
  "late",
  "outcome",
  "keys",
] as const;
type Controls = Readonly<Record<(typeof controlNames)[number], Value>>;

const fail = (e: ScriptFault): string => JSON.stringify({ t: "fail", e });

export async function javascriptGuest({ module, memoryBytes, channel }: GuestParts): Promise<Guest> {
  let controls: Controls | undefined;
  let serial = 0;
  let importsFiles = false;
  /** What arrived while a module was waited for. */
  const early: string[] = [];

  /** The loader asks the host as any other call does. */
  const ask = (f: string, a: readonly unknown[]): string | Promise<string> => {
    serial += 1;
    const id = `m${serial}`;
    channel.post(JSON.stringify({ t: "call", id, f, a }));
    const look = (text: string): string | Promise<string> => {
      const message = JSON.parse(text) as { id?: unknown; t?: unknown; e?: unknown; v?: unknown };
      if (message.id === id) {
        if (message.t === "err") throw message.e;
        return String(message.v);
      }
      early.push(text);
      return next();
    };
    const next = (): string | Promise<string> => {
      const got = channel.receive();
      return typeof got === "string" ? look(got) : got.then(look);
    };
    return next();
  };
  const realm: Realm = createRealm(module, memoryBytes, channel, {
    normalize: (base, name) => {
      if (!importsFiles) throw denied(`import "${name}": scripts may import only with engines.javascript.stdlib = "All"`);
      return resolveModule(base, name);
    },
    load: (name) => ask("module.load", [name]),
    fault(error) {
      const e = isFault(error) ? error : { code: "script-error", message: "the module could not be loaded" };
      const text = realm.string(JSON.stringify(e));
      const value = controls === undefined ? text : realm.callNow(controls.denied, text);
      if (value !== text) realm.free(text);
      return value;
    },
  });
  const made = await realm.evaluate(jsPrelude, "llmspell", evalFlags.strict);
  if (made === 0) throw new Error(`the prelude failed: ${realm.exception().message}`);
  const taken = (value: Value): string => {
    const text = realm.text(value);
    realm.free(value);
    return text;
  };
  const own = Object.fromEntries(controlNames.map((name) => [name, realm.get(made, name)])) as Controls;
  controls = own;

  return {
    async configure(settings) {
      importsFiles = settings.stdlib === "All";
      if ((await realm.ask(own.configure, JSON.stringify(settings))) === undefined) throw new Error(realm.exception().message);
    },
    async run({ source, name, args, isShell = false, isKeys = false }) {
      const text = plainSource(source);
      const failed = async (): Promise<string> => {
        const e = realm.exception();
        if (isShell && e.name === "SyntaxError" && isUnfinished(e, text)) return '{"t":"more"}';
        if (e.isFatal && channel.forgive()) return fail({ code: "script-time", message: "a function computed for too long", isLate: true });
        if (e.isFatal) return channel.overtime() === stopMark ? fail({ code: "run-aborted", message: "stopped" }) : fatal(e);
        const told = await realm.call(own.failed, e.value);
        realm.free(e.value);
        return told === 0 ? fatal(realm.exception()) : taken(told);
      };
      /** What was delivered was the call of a function that is late: it has ended, and nothing of the script below it. */
      const passedLate = async (): Promise<boolean> => {
        if (!channel.forgive()) return false;
        realm.free(realm.exception().value);
        return (await realm.ask(own.late)) !== undefined;
      };
      if (isKeys) return (await realm.ask(own.keys, source)) ?? failed();
      await realm.ask(own.begin, args === undefined ? "" : JSON.stringify(args));
      const value = await realm.evaluate(text, name, isShell ? evalFlags.shell : evalFlags.module);
      if (value === 0) return failed();
      const settled = await realm.call(isShell ? own.show : own.settle, value);
      realm.free(value);
      if (settled === 0) return failed();
      realm.free(settled);
      for (;;) {
        if (!(await realm.jobs())) return failed();
        const kept = early.shift();
        if (kept !== undefined) {
          if ((await realm.ask(own.deliver, kept)) === undefined && !(await passedLate())) return failed();
          continue;
        }
        const inside = await realm.ask(own.early);
        if (inside === undefined) return failed();
        if (inside !== "") continue;
        const outcome = (await realm.ask(own.outcome)) ?? "";
        const open = await realm.ask(own.open);
        if (outcome !== "" && (open === "0" || outcome.startsWith('{"t":"fail"') || isShell)) {
          const reason = outcome.startsWith('{"t":"fail"') ? undefined : realm.takeRejection();
          if (reason === undefined) return outcome;
          const told = await realm.call(own.failed, reason);
          realm.free(reason);
          return told === 0 ? failed() : taken(told);
        }
        if (open === "0" || open === "held")
          return fail({ code: "script-error", message: "the script waits for something that never happens" });
        if ((await realm.ask(own.deliver, await channel.receive())) === undefined && !(await passedLate())) return failed();
      }
    },
  };
}

/** A relative name never leaves the folder of the script; the host looks again. */
export function resolveModule(base: string, name: string): string {
  if (!/^\.\.?\//.test(name)) throw denied(`import "${name}": expected a file beside the script, such as "./name.js"`);
  const parts = base.split("/").slice(0, -1);
  for (const part of name.split("/")) {
    if (part === "..") {
      if (parts.pop() === undefined) throw denied(`import "${name}": expected a file in the folder of the script, got one above it`);
    } else if (part !== ".") parts.push(part);
  }
  return parts.join("/");
}

function denied(message: string): ScriptFault {
  return { code: "script-denied", message: message.slice(0, 300) };
}

function isFault(error: unknown): error is ScriptFault {
  return typeof error === "object" && error !== null && typeof (error as { code?: unknown }).code === "string";
}

/** What cannot be caught inside cannot be described there either. */
function fatal({ message, stack }: Exception): string {
  const trace = stack?.slice(0, limits.scriptTraceText);
  if (/out of memory/.test(message)) return fail({ code: "script-memory", message: "out of memory" });
  if (/call stack|stack overflow/.test(message)) return fail({ code: "script-stack", message, trace });
  return fail({ code: "script-time", message: "the script computed for too long", trace });
}

/** QuickJS has no word for it: then the fault lies behind the last character. */
function isUnfinished({ message, stack = "" }: Exception, source: string): boolean {
  const at = /:(\d+):(\d+)\s*$/.exec(stack.trim());
  const lines = source.trimEnd().split("\n");
  const isBehind = at !== null && Number(at[1]) === lines.length && Number(at[2]) > (lines.at(-1) ?? "").length;
  return isBehind || /: ''$|unterminated|unexpected end/.test(message);
}
