/** A script over a spell: its engine with the limits of the configuration, its globals, its agents. */
import type { Spell } from "../api/spell.ts";
import type { ResolvedConfig } from "../config/resolve.ts";
import { SpellError } from "../errors.ts";
import { isObject } from "../json.ts";
import { limits } from "../limits.ts";
import type { ScriptFiles } from "../platform.ts";
import type { DeviceReport } from "../spec/runtime.ts";
import { bind } from "./bind.ts";
import { permittedFiles, type ScriptHost } from "./globals/host.ts";
import { scriptGlobals } from "./globals/index.ts";
import type { ScriptLimits } from "./outcome.ts";
import type { ScriptArguments, ScriptEngine } from "./protocol.ts";
import { openSession, type ScriptEnd, type SessionParts } from "./session.ts";

export interface ScriptOptions extends Partial<Pick<SessionParts, "onOutput" | "onLog" | "readLine" | "commandsOf">> {
  /** default: what the name ends in, else `default_engine` */
  readonly engine?: ScriptEngine | "js" | undefined;
  /** in positions of errors, and the ending of a file that says the engine; default "script.lua" or "script.js" */
  readonly name?: string | undefined;
  /** default runtime.script_timeout_seconds; 0: none */
  readonly timeoutSeconds?: number | undefined;
  /** Keeps printed text within `max_output_bytes`, for hosts that gather it. */
  readonly limitsOutput?: boolean | undefined;
  /** Files beside the script, and those that the configuration allows. */
  readonly files?: ScriptFiles | undefined;
  /** The folder of the script, where the host has folders, in place of `files`. */
  readonly folder?: string | undefined;
  /** every piece of every agent's answer */
  readonly onText?: ScriptHost["onText"];
}

export interface ScriptRunOptions {
  readonly name?: string | undefined;
  readonly args?: ScriptArguments | undefined;
  /** Shows the value of an expression, and may end as unfinished. */
  readonly isShell?: boolean | undefined;
  /** Ends the engine. */
  readonly signal?: AbortSignal | undefined;
  /** Ends this input and keeps the state: its calls fail with run-aborted, and in Node it computes no longer. */
  readonly stop?: AbortSignal | undefined;
}

/** One state of one engine: what an input sets is there for the next. */
export interface OpenScript {
  readonly engine: ScriptEngine;
  /** by their names in a script, both spellings */
  readonly globals: Readonly<Record<string, readonly string[]>>;
  /** of the models that answered so far */
  readonly devices: readonly DeviceReport[];
  readonly isOver: boolean;
  /**
   * What can be typed behind a path of names, with its type. No function of the script is called.
   * @param path empty: the variables
   * @param declared by `let`, `const` and `class`, which no engine lists
   */
  members(path: readonly string[], declared?: readonly string[]): Promise<ReadonlyMap<string, string>>;
  /** @throws SpellError script-*, run-aborted, and of a host call that the script did not catch */
  run(source: string, options?: ScriptRunOptions): Promise<ScriptEnd>;
  /** Ends the engine, the agents and what State held in memory. */
  close(): Promise<void>;
}

/** Files of which endings are in which language. */
const endings: Readonly<Record<string, ScriptEngine>> = { lua: "lua", js: "javascript", mjs: "javascript" };

/**
 * The language of a script: the one asked for, else what its name ends in. @returns undefined where neither says it
 * @throws SpellError usage-value for another language
 */
export function engineOf(asked: unknown, name: string | undefined): ScriptEngine | undefined {
  if (asked === "js") return "javascript";
  if (asked === "lua" || asked === "javascript") return asked;
  const about = { hint: "Scripts are in Lua or JavaScript; one whose name ends in anything but .lua, .js, .mjs needs its engine by name." };
  if (asked !== undefined)
    throw new SpellError("usage-value", `engine: expected lua or javascript, got ${String(asked).slice(0, 40)}`, {
      where: "engine",
      ...about,
    });
  const ending = /\.([A-Za-z0-9]+)$/.exec(name ?? "")?.[1]?.toLowerCase();
  if (ending === undefined || Object.hasOwn(endings, ending)) return ending === undefined ? undefined : endings[ending];
  throw new SpellError("usage-value", `${name}: expected a script in lua or javascript (.lua, .js, .mjs), got .${ending}`, {
    where: name,
    ...about,
  });
}

/** @throws SpellError usage-not-available (this host runs no scripts), usage-value, config-* */
export async function openScript(spell: Spell, options: ScriptOptions = {}): Promise<OpenScript> {
  const { platform } = spell;
  const { scripts } = platform;
  if (!scripts.available) throw new SpellError("usage-not-available", `scripts do not run here: ${scripts.reason}`);
  const known = engineOf(options.engine, options.name);
  if (known !== undefined) scripts.value.prepare?.(known);
  const resolved = await spell.config();
  const { state_persistence: kept, sessions } = resolved.config.runtime;
  if ((kept.enabled && kept.backend_type === "file") || (sessions.enabled && sessions.storage_backend === "file"))
    platform.prepareRecords?.();
  const engine = known ?? resolved.config.default_engine;
  const usualName = engine === "lua" ? "script.lua" : "script.js";
  const { folder } = options;
  const given =
    options.files ??
    (folder === undefined ? undefined : await scripts.value.files?.(folder, resolved.config.runtime.security.allowed_paths));
  const files = given === undefined ? undefined : permittedFiles(given, resolved);
  const { limits: bounds, settings } = settingsOf(engine, resolved, { ...options, files });
  const wire = await scripts.value.start(engine, bounds.memoryBytes);
  const devices = new Map<string, DeviceReport>();
  const over = new AbortController();
  let stopping: AbortSignal | undefined;
  const log = (level: "info" | "warn" | "error", message: string): void => platform.log({ level, message });
  const { readLine } = options;
  const globals = scriptGlobals({
    spell,
    wrap: (each) => interruptible(each, () => stopping),
    config: resolved,
    language: engine,
    signal: over.signal,
    files,
    folder,
    env: platform.config?.env,
    readInput: readLine === undefined ? undefined : () => readRest(readLine),
    log: platform.log,
    onText: options.onText,
    onDevice: (device) => void (device === undefined ? 0 : devices.set(JSON.stringify(device), device)),
  });
  const bound = bind(globals);
  const session = openSession(
    {
      engine,
      wire,
      settings,
      limits: bounds,
      now: platform.now,
      onOutput: options.onOutput ?? (() => undefined),
      onLog: options.onLog ?? log,
      readLine,
      files,
      commandsOf: options.commandsOf,
    },
    (signal) => {
      signal.addEventListener("abort", () => over.abort(signal.reason), { once: true });
      return bound;
    },
  );
  const { manifest } = bound;
  return {
    engine,
    globals: Object.fromEntries(Object.entries(manifest.globals).map(([name, members]) => [name, Object.keys(members)])),
    get devices() {
      return [...devices.values()];
    },
    get isOver() {
      return session.isOver;
    },
    run(source, { name = options.name ?? usualName, args, isShell, signal, stop } = {}) {
      stopping = stop;
      return session.run({ source, name, args, isShell }, signal, stop);
    },
    async members(path, declared = []) {
      const source = JSON.stringify({ path, declared });
      const { value } = await session.run({ source, name: "members", isKeys: true }, undefined, AbortSignal.timeout(limits.scriptStopMs));
      const list = isObject(value) ? Object.entries(value) : [];
      return new Map(list.flatMap(([name, type]) => (/^[A-Za-z_$][\w$]*$/.test(name) && typeof type === "string" ? [[name, type]] : [])));
    },
    async close() {
      await session.close();
      await globals.close();
    },
  };
}

async function readRest(readLine: () => Promise<string | undefined>): Promise<string> {
  let text = "";
  for (let line = await readLine(); line !== undefined; line = await readLine()) text += line;
  return text;
}

/** The same spell, whose long calls also end with a signal that changes. */
function interruptible(spell: Spell, signal: () => AbortSignal | undefined): Spell {
  const both = (own: AbortSignal | undefined): AbortSignal => AbortSignal.any([own, signal()].filter((each) => each !== undefined));
  return {
    ...spell,
    generate: (async (source, prompt, options) =>
      spell.generate(source, prompt, { ...options, signal: both(options?.signal) })) as Spell["generate"],
    models: { ...spell.models, pull: (source, options) => spell.models.pull(source, { ...options, signal: both(options?.signal) }) },
  };
}

function settingsOf(
  engine: ScriptEngine,
  { config }: ResolvedConfig,
  { timeoutSeconds, limitsOutput = false, files }: ScriptOptions,
): Pick<SessionParts, "settings"> & { readonly limits: ScriptLimits } {
  const { lua, javascript } = config.engines;
  const { stdlib, timeout_ms, max_output_bytes, enable_debug } = config.engines[engine];
  return {
    limits: {
      memoryBytes: engine === "lua" ? lua.max_memory_bytes : javascript.max_heap_size_bytes,
      timeoutMs: timeout_ms,
      outputBytes: limitsOutput ? max_output_bytes : Number.POSITIVE_INFINITY,
      runMs: 1000 * (timeoutSeconds ?? config.runtime.script_timeout_seconds),
    },
    settings: {
      stdlib,
      isDebug: enable_debug,
      hasConsole: javascript.enable_console,
      hasFiles: files !== undefined && stdlib === "All" && config.runtime.security.allow_file_access,
    },
  };
}
