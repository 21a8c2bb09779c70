/** `llmspell repl`: one state of one engine, an input each. On a terminal an input may have several lines; a pipe ends with the first that fails. */
import { basename, dirname, resolve } from "node:path";
import { abortedError, SpellError, toSpellError } from "../../core/errors.ts";
import type { OpenScript, ScriptOptions } from "../../core/scripts/open.ts";
import type { ScriptArguments } from "../../core/scripts/protocol.ts";
import { commandsOf } from "./advice.ts";
import { flagText } from "./args.ts";
import { type ChatInput, type Complete, pipeInput, terminalInput } from "./chat-input.ts";
import type { Context } from "./context.ts";
import { type History, openHistory } from "./history.ts";
import { completeInput, type ReplHost, runReplCommand } from "./repl-commands.ts";
import { open } from "./script.ts";

/** How long an input has to stop after Ctrl-C before its engine is ended, and its variables with it. */
const patienceMs = 1500;

/** @throws SpellError of flags and configuration; where standard input is no terminal also of inputs */
export async function repl(context: Context): Promise<number> {
  const { flags, screen, interrupt, stdin } = context;
  const file = flagText(flags, "history");
  const history = openHistory(
    flags.has("no-history") ? undefined : basename(file ?? "repl"),
    file === undefined ? undefined : dirname(resolve(file)),
  );
  let complete: Complete = async () => undefined;
  const input =
    stdin === undefined
      ? terminalInput(screen, interrupt, history, (before) => complete(before))
      : pipeInput(stdin, interrupt.signal, screen);
  try {
    return await shell(context, input, history, (by) => {
      complete = by;
    });
  } finally {
    input.close();
  }
}

async function shell(context: Context, input: ChatInput, history: History, completeBy: (complete: Complete) => void): Promise<number> {
  const { screen, interrupt, argv } = context;
  const options: ScriptOptions = {
    onOutput: (text) => screen.write(text),
    timeoutSeconds: 0,
    commandsOf: (error) => commandsOf(error, argv),
  };
  let script: OpenScript = await open(context, options);
  const { engine } = script;
  if (input.isTerminal) screen.aside(`${engine === "lua" ? "Lua 5.4" : "JavaScript"}; .help lists the commands, Ctrl-D leaves.\n`);
  let running: { readonly stop: AbortController; readonly kill: AbortController } | undefined;
  let begun = "";
  /** Of the Tab key: an input waits for it. */
  let completing: Promise<unknown> = Promise.resolve();
  interrupt.take(() => {
    if (running === undefined) return input.cancel();
    const { stop, kill } = running;
    stop.abort();
    setTimeout(() => kill.abort(), patienceMs);
    return true;
  });

  /** @returns whether more of the input is needed */
  const run = async (source: string, name: string, args?: ScriptArguments): Promise<boolean> => {
    if (script.isOver) script = await open(context, { ...options, engine });
    const [stop, kill] = [new AbortController(), new AbortController()];
    running = { stop, kill };
    try {
      const end = await script.run(source, { name, args, isShell: name === "repl", stop: stop.signal, signal: kill.signal });
      screen.endLine();
      if (end.exitCode !== undefined) throw new Leave(end.exitCode);
      return end.isUnfinished === true;
    } finally {
      running = undefined;
    }
  };
  const evaluate = async (source: string): Promise<void> => void (await script.run(source, { name: "repl" }));
  const inputs: string[] = [];
  const known = new Set((await script.members([])).keys());
  const host: ReplHost = {
    engine,
    known,
    inputs,
    history: history.entries,
    clearHistory: history.clear,
    evaluate,
    get script() {
      return script;
    },
    run: async (source, name, args) => void (await run(source, name, args)),
    async reset() {
      await script.close();
      script = await open(context, { ...options, engine });
    },
  };

  completeBy((before) => {
    const found = completing.then(() => completeInput(host, before));
    completing = found.catch(() => undefined);
    return found;
  });

  try {
    for (;;) {
      const next = await input.next(begun === "" ? `${engine}> ` : "... ");
      if (next.type === "end") break;
      await completing;
      if (next.type === "cancel") {
        if (begun === "" && next.emptyLine) screen.aside("Ctrl-D leaves.\n");
        begun = "";
        continue;
      }
      try {
        if (begun === "" && /^\.[a-z]/i.test(next.text)) {
          const answer = await runReplCommand(host, next.text);
          if (answer.leaves) break;
          if (answer.clears === true && screen.errIsTerminal && screen.settings.escapes) screen.echo("\u001b[H\u001b[2J");
          screen.aside(answer.text);
          continue;
        }
        const source = begun === "" ? next.text : `${begun}\n${next.text}`;
        begun = source.trim() !== "" && (await run(source, "repl")) ? source : "";
        if (begun === "") inputs.push(source);
      } catch (error) {
        if (error instanceof Leave) return error.status;
        begun = "";
        const known = toSpellError(error);
        if (!input.isTerminal || interrupt.signal.aborted) throw known;
        if (known.code === "run-aborted" && !script.isOver) screen.aside("stopped\n");
        else screen.complain(known);
        if (script.isOver) screen.note("the engine was ended; variables are gone");
      }
    }
    if (begun !== "") throw new SpellError("script-syntax", "the last input is unfinished", { where: "repl" });
    if (interrupt.signal.aborted) throw abortedError();
    return 0;
  } finally {
    interrupt.take(undefined);
    await script.close();
  }
}

/** exit(n) of a script leaves the shell. */
class Leave extends Error {
  readonly status: number;
  constructor(status: number) {
    super("the script left");
    this.status = status;
  }
}
