/** Scripts as programs run them. Types only. */
import type { DeviceReport } from "./runtime.ts";

export type ScriptEngine = "lua" | "javascript";

export interface ScriptOptions {
  /** default: by the ending of `name` (.lua, .js, .mjs), else `default_engine` of the configuration; `js` is javascript */
  readonly engine?: ScriptEngine | "js" | undefined;
  /** What positions in errors call the script; default "script.lua" or "script.js". */
  readonly name?: string | undefined;
  /** `ARGS`: `ARGS[1]` and so on, or both kinds: `ARGS.name` finds those of `named` */
  readonly args?:
    | readonly string[]
    | { readonly positional?: readonly string[] | undefined; readonly named?: Readonly<Record<string, string>> | undefined }
    | undefined;
  /**
   * What the script prints, as it prints it; without this it is in the result. At most `max_output_bytes` of its engine.
   * What this throws, or its promise is rejected with, ends the script and is what run() rejects with; the script does not wait for a promise, run() does.
   */
  readonly onOutput?: ((text: string) => unknown) | undefined;
  /** Ends the script. */
  readonly signal?: AbortSignal | undefined;
  /** Most seconds of the whole run, 0: none; default `runtime.script_timeout_seconds`. */
  readonly timeoutSeconds?: number | undefined;
  /** The folder of the script, for its modules and files, where the host has folders; default: none. */
  readonly folder?: string | undefined;
}

export interface ScriptResult {
  readonly engine: ScriptEngine;
  /** All that was printed; absent with `onOutput`. */
  readonly output?: string | undefined;
  /** Plain data: what a Lua script returns, the default export of a module; null for nothing. */
  readonly result: unknown;
  /** 0 to 255, where the script chose it with `os.exit(n)` or `exit(n)` */
  readonly exitCode?: number | undefined;
  /** milliseconds */
  readonly durationMs: number;
  /** Of the models that agents used. */
  readonly devices: readonly DeviceReport[];
}

export interface Scripts {
  /**
   * Runs a script in Lua 5.4 or JavaScript beside an engine of its own, with the globals of docs/scripts.md and nothing else of this host. When this settles the
   * script is gone, whatever it did.
   * @param source at most 1 MiB as UTF-8
   * @throws SpellError script-*, run-option, usage-value, usage-not-available, run-aborted, those of Spell.config(), and of a call that the script did not catch
   */
  run(source: string, options?: ScriptOptions): Promise<ScriptResult>;
}
