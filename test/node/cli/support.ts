/** Runs the built bin as a child, or a command in this process with a screen that keeps what it shows. */
import { spawn, spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll } from "vitest";
import { createSpell, type Spell } from "../../../src/core/api/spell.ts";
import { type ResolvedConfig, resolveSource } from "../../../src/core/config/resolve.ts";
import type { GgufRuntime } from "../../../src/core/spec/runtime.ts";
import { memoryPlatform, type ScriptedRuntimeOptions, scriptedRuntime } from "../../../src/core/testing/index.ts";
import { envBelowFlags } from "../../../src/node/cli/config-source.ts";
import type { Context } from "../../../src/node/cli/context.ts";
import type { Interrupt } from "../../../src/node/cli/interrupt.ts";
import { createScreen, type Screen, type ScreenSettings } from "../../../src/node/cli/render.ts";
import type { OutputStream } from "../../../src/node/cli/terminal.ts";
import { onlyWhere } from "../../support/only-where.ts";
import { root } from "../../support.ts";

export const bin = join(root, "dist/node/cli/main.js");
if (!existsSync(bin)) throw new Error(`${bin} is missing: run npm run build before the tests`);

/** One home for a file of tests: threads are measured once in it. */
export const home = mkdtempSync(join(tmpdir(), "llmspell-cli-"));
afterAll(() => rmSync(home, { recursive: true, force: true }));

/** The variables a run depends on, and none of the developer's own. */
export const cleanEnv: Readonly<Record<string, string>> = {
  PATH: process.env["PATH"] ?? "",
  HOME: home,
  LLMSPELL_HOME: join(home, "llmspell"),
  TERM: "xterm-256color",
  LANG: "C.UTF-8",
  // nobody listens there: no test may depend on a server of the developer's, or on the net
  OLLAMA_HOST: "127.0.0.1:9",
  HF_ENDPOINT: "http://127.0.0.1:9",
};

export interface Outcome {
  readonly status: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface CliOptions {
  /** Standard input; empty by default. */
  readonly input?: string | Uint8Array;
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly cwd?: string;
  /** Called with the child once it says something on standard output. */
  readonly onFirstText?: (child: { kill(signal: NodeJS.Signals): boolean; readonly pid?: number | undefined }) => void;
}

/** Spawns the bin and waits for its end. */
export function cli(args: readonly string[], options: CliOptions = {}): Promise<Outcome> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [bin, ...args], {
      cwd: options.cwd ?? root,
      env: { ...cleanEnv, ...options.env } as NodeJS.ProcessEnv,
    });
    let stdout = "";
    let stderr = "";
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      if (stdout === "") options.onFirstText?.(child);
      stdout += text;
    });
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      stderr += text;
    });
    child.stdin.on("error", () => undefined); // it may end before it has read everything
    child.stdin.end(options.input ?? "");
    child.on("error", reject);
    child.on("close", (status, signal) => resolve({ status, signal, stdout, stderr }));
  });
}

/** Opens a pseudo terminal for a shell line; part of util-linux. */
export const scriptProgram = "script";

/** For tests on a pseudo terminal, which script(1) opens on most systems with util-linux. */
export const withTerminal = onlyWhere(
  spawnSync(scriptProgram, ["-qec", "true", "/dev/null"], { stdio: "ignore" }).status === 0
    ? undefined
    : "script(1) of util-linux is not here",
);

/** Runs a shell line on a pseudo terminal; both outputs come mixed, as a person sees them. */
export function onTerminal(
  line: string,
  env: Readonly<Record<string, string>> = {},
): { readonly status: number | null; readonly shown: string } {
  const { status, stdout } = spawnSync(scriptProgram, ["-qec", line, "/dev/null"], {
    env: { ...cleanEnv, ...env },
    encoding: "utf8",
    input: "",
  });
  return { status, shown: stdout };
}

export interface Shown {
  readonly screen: Screen;
  readonly out: () => string;
  readonly err: () => string;
}

/** A screen over streams that keep what is written. */
export function keptScreen(
  settings: Partial<ScreenSettings> = {},
  terminal: {
    readonly out?: boolean;
    readonly err?: boolean;
    readonly columns?: number;
    readonly lineAfterMs?: number;
    readonly fd?: number;
  } = {},
  argv: readonly string[] = [],
): Shown {
  const kept = { out: "", err: "" };
  const stream = (name: "out" | "err"): OutputStream => ({
    isTTY: terminal[name] === true,
    ...(terminal.columns === undefined ? {} : { columns: terminal.columns }),
    ...(terminal.fd === undefined ? {} : { fd: terminal.fd }),
    write(text, done) {
      kept[name] += text;
      done?.();
      return true;
    },
    on: () => undefined,
  });
  const screen = createScreen({
    settings: { format: "text", trace: "warn", quiet: false, color: true, escapes: true, unicode: true, ...settings },
    argv,
    stdout: stream("out"),
    stderr: stream("err"),
    onOutputLost: (error) => {
      throw error;
    },
    // on a busy machine every load is long enough for a line
    lineAfterMs: terminal.lineAfterMs ?? 2 ** 31 - 1,
  });
  return { screen, out: () => kept.out, err: () => kept.err };
}

export function quietInterrupt(): Interrupt & { readonly controller: AbortController } {
  const controller = new AbortController();
  return {
    controller,
    signal: controller.signal,
    deadline: new Promise(() => undefined),
    press: () => controller.abort(),
    allow: () => undefined,
    take: () => undefined,
  };
}

export async function* chunks(...parts: readonly (string | Uint8Array)[]): AsyncGenerator<Uint8Array, void, undefined> {
  for (const part of parts) yield typeof part === "string" ? new TextEncoder().encode(part) : part;
}

/** A context over the scripted runtime and files in memory. */
export function scriptedContext(
  shown: Shown,
  more: Partial<Omit<Context, "stdin">> & {
    readonly stdin?: AsyncIterable<Uint8Array>;
    readonly files: Readonly<Record<string, Uint8Array>>;
    readonly script?: ScriptedRuntimeOptions;
    readonly runtime?: GgufRuntime;
  },
): Context {
  const { files, script, runtime = scriptedRuntime(script), stdin, ...rest } = more;
  let resolved: Promise<ResolvedConfig> | undefined;
  const config = (): Promise<ResolvedConfig> => {
    resolved ??= resolveSource({ kind: "defaults" }, { env: envBelowFlags(more.flags ?? new Map(), more.env ?? {}) });
    return resolved;
  };
  let spell: Spell | undefined;
  return {
    operands: [],
    rest: [],
    flags: new Map(),
    env: {},
    screen: shown.screen,
    interrupt: quietInterrupt(),
    argv: [],
    config,
    openSpell: async () => {
      spell ??= createSpell({ platform: memoryPlatform({ files, gguf: runtime }), config: await config() });
      return spell;
    },
    ...rest,
    stdin: stdin === undefined ? undefined : Object.assign(stdin, { destroy: () => undefined }),
  };
}
