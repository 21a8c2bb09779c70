/** Scripts beside an engine on some host, with a few functions of ours: what the tests of engines and of escapes share. */
import { afterEach } from "vitest";
import { SpellError } from "../../src/core/errors.ts";
import type { ScriptRuntime } from "../../src/core/platform.ts";
import { any, type CallKept, callback, instance, integer, type KeptFunction, kept, text } from "../../src/core/scripts/arguments.ts";
import { type Bound, bind, now, waits } from "../../src/core/scripts/bind.ts";
import type { ScriptLimits } from "../../src/core/scripts/outcome.ts";
import type { ScriptEngine, ScriptInput, Stdlib } from "../../src/core/scripts/protocol.ts";
import { openSession, type ScriptEnd, type ScriptSession, type SessionParts } from "../../src/core/scripts/session.ts";

class Counter {
  count = 0;
}

/** `T`: functions of a host as scripts see them. */
function hostFunctions(signal: AbortSignal): Bound {
  const state = new Map<string, unknown>();
  let own: KeptFunction | undefined;
  /** Calls what was kept, as hooks are called. */
  const within = async (ms: number, call: CallKept): Promise<unknown> => {
    const limited = own?.within({ ms, name: "hook 1 of BeforeTest", key: "hooks.timeout_ms" });
    return limited && (await call(limited, "data").catch((error: SpellError) => `passed over: ${error.message}`));
  };
  return bind({
    globals: {
      State: {
        save: now([text("scope"), text("key"), any("value")], (scope, key, value) => void state.set(`${scope}/${key}`, value)),
        load: now([text("scope"), text("key")], (scope, key) => state.get(`${scope}/${key}`)),
      },
      T: {
        nop: now([], () => undefined),
        echo: now([any("value")], (value) => value),
        add_one: now([integer("n")], (n) => n + 1),
        slow: waits([integer("ms")], (ms) => new Promise((resolve) => setTimeout(resolve, ms, ms))),
        never: waits([], () => new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)))),
        each: waits([integer("n"), callback("f")], async (n, f) => {
          for (let i = 1; i <= n; i++) if ((await f(i, `piece ${i}`)) === false) return i;
          return n;
        }),
        keep: now(
          [kept("f")],
          (f) => {
            own = f;
          },
          { keeps: true },
        ),
        within: waits([integer("ms")], within),
        within_now: now([integer("ms")], within),
        boom: now([], () => {
          throw new TypeError("secret at /private/place/key.txt");
        }),
        deny: now([], () => {
          throw new SpellError("script-denied", "cannot read /home/someone/secret.txt; not allowed", {
            where: "/home/someone/secret.txt",
            actions: [{ kind: "show-config", section: "runtime" }],
            details: { key: "runtime.security.allow_file_access" },
          });
        }),
        counter: now([], () => new Counter()),
        whole: waits([], () => new Promise((resolve) => setTimeout(resolve, 400, "done")), { isUntimed: true }),
      },
    },
    classes: {
      Counter: {
        kind: Counter,
        methods: {
          add: now([instance("counter", Counter, "Counter"), integer("by")], (counter, by) => {
            counter.count += by;
            return counter;
          }),
          count_of: waits([instance("counter", Counter, "Counter")], async (counter) => counter.count),
        },
      },
    },
  });
}

export interface OpenOptions extends Partial<ScriptLimits>, Partial<Pick<SessionParts, "readLine" | "files" | "commandsOf">> {
  readonly stdlib?: Stdlib | undefined;
  readonly isDebug?: boolean | undefined;
  readonly hasConsole?: boolean | undefined;
}

export interface OpenScript {
  readonly session: ScriptSession;
  /** all that was printed */
  output(): string;
  readonly logged: string[];
  run(source: string, more?: Partial<ScriptInput>): Promise<ScriptEnd>;
  /** The error of a script that must fail. */
  fails(source: string, more?: Partial<ScriptInput>): Promise<SpellError>;
}

export type Open = (engine: ScriptEngine, options?: OpenOptions) => Promise<OpenScript>;

/** What a test of one host opens scripts with; they are closed after each test. */
export function opener(runtime: ScriptRuntime): Open {
  const opened: ScriptSession[] = [];
  afterEach(async () => {
    await Promise.all(opened.splice(0).map((session) => session.close()));
  });
  return async (engine, options = {}) => {
    const { stdlib = "Standard", isDebug = false, hasConsole = true, readLine, files, commandsOf, ...given } = options;
    const limits = { memoryBytes: 64 * 1024 * 1024, timeoutMs: 10_000, outputBytes: 1_048_576, runMs: 60_000, ...given };
    const logged: string[] = [];
    let output = "";
    const session = openSession(
      {
        engine,
        wire: await runtime.start(engine, limits.memoryBytes),
        settings: { stdlib, isDebug, hasConsole, hasFiles: files !== undefined },
        limits,
        now: () => performance.now(),
        onOutput: (piece) => {
          output += piece;
        },
        onLog: (level, message) => void logged.push(`${level}: ${message}`),
        readLine,
        files,
        commandsOf,
      },
      hostFunctions,
    );
    opened.push(session);
    const name = engine === "lua" ? "main.lua" : "main.js";
    const run = (source: string, more: Partial<ScriptInput> = {}): Promise<ScriptEnd> => session.run({ source, name, ...more });
    return {
      session,
      output: () => output,
      logged,
      run,
      async fails(source, more) {
        const end = await run(source, more).then(
          (value) => `it ended with ${JSON.stringify(value)}`,
          (error: unknown) => error,
        );
        if (end instanceof SpellError) return end;
        throw new Error(String(end));
      },
    };
  };
}
