/** `Debug`: entries that a script writes and can read again, times, and values as text. */
import type { LogLevel } from "../../platform.ts";
import { any, flag, instance, integer, oneOf, optional, text } from "../arguments.ts";
import { now, type ScriptClass, type ScriptFunctions } from "../bind.ts";
import { redacted, type ScriptRun } from "./host.ts";
import { isShown, levelChoices, levels, lineOf } from "./logger.ts";

export interface DebugEntry {
  readonly level: LogLevel;
  readonly message: string;
  readonly module?: string | undefined;
  readonly data?: unknown;
  /** milliseconds since the epoch */
  readonly timestamp: number;
}

/** Milliseconds. */
class DebugTimer {
  readonly #started: number;
  readonly #now: () => number;
  #last: number;
  #stopped: number | undefined;

  constructor(now: () => number) {
    this.#now = now;
    this.#started = now();
    this.#last = this.#started;
  }

  /** since the lap before */
  lap(): number {
    const at = this.#stopped ?? this.#now();
    const took = at - this.#last;
    this.#last = at;
    return took;
  }

  elapsed(): number {
    return (this.#stopped ?? this.#now()) - this.#started;
  }

  stop(): number {
    this.#stopped ??= this.#now();
    return this.elapsed();
  }
}

const timer = instance("timer", DebugTimer, "DebugTimer");

export const debugTimerClass: ScriptClass = {
  kind: DebugTimer,
  methods: {
    lap: now([timer], (self) => self.lap()),
    elapsed: now([timer], (self) => self.elapsed()),
    stop: now([timer], (self) => self.stop()),
  },
};

/** @param onEntry told of each entry */
export function debugGlobal(run: ScriptRun, onEntry?: (entry: DebugEntry) => void): ScriptFunctions {
  const { debug, engines } = run.config.config;
  let isOn = debug.enabled;
  let level: LogLevel | "off" = debug.level;
  let entries: DebugEntry[] = [];
  const write = (own: LogLevel, message: string, module?: string, data?: unknown): void => {
    if (!isOn || !isShown(own, level)) return;
    const entry: DebugEntry = { level: own, message, module, data, timestamp: Date.now() };
    entries.push(entry);
    onEntry?.(entry);
    if (entries.length > debug.max_entries) entries = entries.slice(-debug.max_entries);
    const from = module === undefined ? "" : `[${module}] `;
    run.log({ level: own, message: lineOf(from + message, data, run.config.secrets) });
  };
  const [message, module] = [text("message"), optional(text("module"))];
  const dump = (indent: number) => now([any("value")], (value) => JSON.stringify(redacted(value, run.config.secrets), undefined, indent));
  return {
    log: now([oneOf("level", levels), message, module], (own, said, from) => write(own, said, from)),
    ...Object.fromEntries(levels.map((own) => [own, now([message, module], (said, from) => write(own, said, from))])),
    log_with_data: now([oneOf("level", levels), message, any("data"), module], (own, said, data, from) => write(own, said, from, data)),
    timer: now([optional(text("name"))], () => new DebugTimer(run.spell.platform.now)),
    set_level: now([oneOf("level", levelChoices)], (given) => {
      level = given;
    }),
    get_level: now([], () => level),
    set_enabled: now([flag("enabled")], (given) => {
      isOn = given;
    }),
    is_enabled: now([], () => isOn),
    dump: dump(2),
    dump_compact: dump(0),
    dump_verbose: now([any("value")], (value) => {
      const kind = Array.isArray(value) ? `list of ${value.length}` : value === null ? "null" : typeof value;
      return `${kind}: ${JSON.stringify(redacted(value, run.config.secrets), undefined, 4)}`;
    }),
    memory_stats: now([], () => ({
      limit_bytes: run.language === "lua" ? engines.lua.max_memory_bytes : engines.javascript.max_heap_size_bytes,
      captured_entries: entries.length,
    })),
    get_captured_entries: now([optional(integer("count", 0))], (count) =>
      entries.slice(count === undefined ? 0 : Math.max(0, entries.length - count)),
    ),
    clear_captured: now([], () => {
      entries = [];
    }),
  };
}
