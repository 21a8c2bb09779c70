/** A run from its arguments to its exit status: parse, run, map errors. Commands are imported when they are called; help must not wait for them. */
import { isatty } from "node:tty";
import type { Spell } from "../../core/api/spell.ts";
import type { ResolvedConfig } from "../../core/config/resolve.ts";
import { abortedError, SpellError } from "../../core/errors.ts";
import type { DeviceChoice } from "../../core/spec/runtime.ts";
import { once } from "../../core/values.ts";
import { shell } from "./advice.ts";
import { parseArguments, type Request, scanGlobalFlags } from "./args.ts";
import type { Context, Run } from "./context.ts";
import { createInterrupt } from "./interrupt.ts";
import { createScreen, type Screen } from "./render.ts";
import { secretsOf } from "./secrets.ts";
import { checkEnvironment, isTraceGiven, readSettings } from "./settings.ts";

/** By the names in commands.ts. */
const runs: Readonly<Record<string, () => Promise<Run>>> = {
  generate: async () => (await import("./generate.ts")).generate,
  chat: async () => (await import("./chat.ts")).chat,
  embed: async () => (await import("./embed.ts")).embed,
  similar: async () => (await import("./embed.ts")).similar,
  serve: async () => (await import("./serve.ts")).serve,
  "model list": async () => (await import("./model-list.ts")).modelList,
  "model available": async () => (await import("./model-list.ts")).modelAvailable,
  "model status": async () => (await import("./model-list.ts")).modelStatus,
  "model pull": async () => (await import("./model-pull.ts")).modelPull,
  "model info": async () => (await import("./model.ts")).modelInfo,
  "session list": async () => (await import("./kept-sessions.ts")).sessionList,
  "session show": async () => (await import("./kept-sessions.ts")).sessionShow,
  "session replay": async () => (await import("./kept-sessions.ts")).sessionReplay,
  "session remove": async () => (await import("./kept-sessions.ts")).sessionRemove,
  "state get": async () => (await import("./kept-state.ts")).stateGet,
  "state set": async () => (await import("./kept-state.ts")).stateSet,
  "state list": async () => (await import("./kept-state.ts")).stateList,
  "state clear": async () => (await import("./kept-state.ts")).stateClear,
  "config show": async () => (await import("./config.ts")).configShow,
  "config list-profiles": async () => (await import("./config.ts")).listProfiles,
  "config validate": async () => (await import("./config.ts")).configValidate,
  "config init": async () => (await import("./config.ts")).configInit,
  "config set": async () => (await import("./config-set.ts")).configSet,
  "config get": async () => (await import("./config-set.ts")).configGet,
  "config unset": async () => (await import("./config-set.ts")).configUnset,
  "config path": async () => (await import("./config.ts")).configPath,
  "model remove": async () => (await import("./model-keep.ts")).modelRemove,
  "model verify": async () => (await import("./model-keep.ts")).modelVerify,
  "model prune": async () => (await import("./model-keep.ts")).modelPrune,
  "tool list": async () => (await import("./tool.ts")).toolList,
  "tool info": async () => (await import("./tool.ts")).toolInfo,
  "tool invoke": async () => (await import("./tool.ts")).toolInvoke,
  "rag ingest": async () => (await import("./rag.ts")).ragIngest,
  "rag search": async () => (await import("./rag.ts")).ragSearch,
  "rag ask": async () => (await import("./rag-ask.ts")).ragAsk,
  "rag stats": async () => (await import("./rag.ts")).ragStats,
  "rag remove": async () => (await import("./rag.ts")).ragRemove,
  "rag export": async () => (await import("./rag.ts")).ragExport,
  run: async () => (await import("./script.ts")).run,
  exec: async () => (await import("./script.ts")).exec,
  repl: async () => (await import("./repl.ts")).repl,
  ps: async () => (await import("./ps.ts")).ps,
  doctor: async () => (await import("./doctor.ts")).doctor,
  version: async () => (await import("./version.ts")).showVersion,
  completion: async () => (await import("./completion.ts")).completion,
};

/** Runs a command line and ends the process with its status. */
export async function runProgram(argv: readonly string[]): Promise<never> {
  const parsed = parse(argv);
  const screen = createScreen({
    settings: readSettings(parsed instanceof SpellError ? scanGlobalFlags(argv) : parsed.flags, process.env),
    argv,
    stdout: process.stdout,
    stderr: process.stderr,
    onOutputLost: ({ message, code }: NodeJS.ErrnoException) => {
      if (readerLeft.has(code)) process.exit(0);
      const lost = new SpellError("store-denied", `standard output cannot be written: ${message}`, {
        where: "stdout",
        hint: "Check the disk or device behind it.",
      });
      process.exit(screen.fail(lost));
    },
  });
  screen.hide(secretsOf(process.env));
  // Node and libraries tell developers through these; a person reads them as notes, and not what is only experimental.
  process.removeAllListeners("warning").on("warning", ({ name, message }) => {
    if (name === "ExperimentalWarning") screen.log({ level: "debug", message });
    else screen.note(message);
  });
  process.on("uncaughtException", (error) => process.exit(screen.fail(explained(error))));
  let status: number;
  try {
    if (parsed instanceof SpellError) throw parsed;
    status = await run(parsed, argv, screen);
  } catch (error) {
    status = screen.fail(explained(error));
  }
  await screen.flush();
  // At once: engines and open pipes must not hold the process.
  return process.exit(status);
}

function parse(argv: readonly string[]): Request | SpellError {
  try {
    return parseArguments(argv);
  } catch (error) {
    return explained(error);
  }
}

async function run(request: Request, argv: readonly string[], screen: Screen): Promise<number> {
  if (request.kind === "help") {
    const { showHelp } = await import("./help.ts");
    return showHelp(request.topic, screen);
  }
  const command = request.kind === "version" ? "version" : request.command.name;
  const load = runs[command];
  if (load === undefined) throw new Error(`command ${command} is in the table and nowhere else`);
  const interrupt = createInterrupt((status) => process.exit(status));
  if (request.kind === "command") checkEnvironment(request.flags, process.env);
  const config = once(() => readConfig(request.flags, screen));
  let spell: Promise<Spell> | undefined;
  const context: Context = {
    operands: request.kind === "command" ? request.operands : [],
    rest: request.kind === "command" ? request.rest : [],
    flags: request.flags,
    behind: request.kind === "command" ? request.behind : [],
    env: process.env,
    argv,
    config,
    screen,
    interrupt,
    // Touching process.stdin opens it; only commands that read may do so.
    get stdin() {
      return isatty(0) ? undefined : process.stdin;
    },
    openSpell: (device) => {
      spell ??= openSpell(screen, config, device);
      return spell;
    },
  };
  const work = (await load())(context);
  return Promise.race([work, interrupt.deadline]);
}

/**
 * The engine's process takes longest to start, so it is asked for before the rest of the library is even read.
 * @param device a model is going to be loaded for it
 */
async function openSpell(screen: Screen, config: Context["config"], device: DeviceChoice | undefined): Promise<Spell> {
  const { ggufRuntime } = await import("../engines/devices.ts");
  const runtime = ggufRuntime();
  if (device !== undefined) runtime.prepare?.(device);
  const { createSpell, nodePlatform } = await import("../index.ts");
  return createSpell({
    config: await config(),
    platform: { ...nodePlatform({ log: (entry) => screen.log(entry) }), gguf: { available: true, value: runtime } },
  });
}

/** Reads the configuration; from here on the screen follows it. */
async function readConfig(flags: Request["flags"], screen: Screen): Promise<ResolvedConfig> {
  const { loadConfig } = await import("./config-source.ts");
  const resolved = await loadConfig(flags, process.env);
  screen.hide(resolved.secrets);
  if (!isTraceGiven(flags, process.env)) screen.trace(resolved.config.runtime.log_level);
  for (const { message } of resolved.warnings) screen.note(message);
  return resolved;
}

/** Other errors than SpellError are faults of this program, told without a stack. */
function explained(error: unknown): SpellError {
  // the caller is the person who stopped it
  if (error instanceof SpellError && error.code === "run-aborted" && error.message === abortedError().message)
    return error.with({ message: "stopped" });
  if (error instanceof SpellError) return error;
  const text = error instanceof Error ? error.message : String(error);
  return new SpellError("internal-error", `unforeseen: ${text}`, { actions: shell("llmspell --trace debug …"), cause: error });
}

/** Readers that leave early (`| head -1`) and terminals that go away are no failure. */
const readerLeft: ReadonlySet<string | undefined> = new Set(["EPIPE", "EOF", "EIO", "ECONNRESET", "ERR_STREAM_DESTROYED"]);
