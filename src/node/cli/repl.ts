/** `llmspell repl`: one state of one engine, an input each. On a terminal an input may have several lines; a pipe ends with the first that fails. */
import { basename, dirname, resolve } from "node:path";
import { abortedError, SpellError, toSpellError } from "../../core/errors.ts";
import type { OpenScript, ScriptOptions } from "../../core/scripts/open.ts";
import type { ScriptArguments } from "../../core/scripts/protocol.ts";
import { commandsOf } from "./advice.ts";
import { flagText } from "./args.ts";
import { type ChatInput, pipeInput, terminalInput } from "./chat-input.ts";
import type { Context } from "./context.ts";
import { type History, openHistory } from "./history.ts";
import { listVariables, type ReplHost, runReplCommand } from "./repl-commands.ts";
import { open } from "./script.ts";

/** How long a call has to stop after Ctrl-C before its engine is ended. */
const patienceMs = 1000;

/** @throws SpellError of flags and configuration; where standard input is no terminal also of inputs */
export async function repl(context: Context): Promise<number> {
  const { flags, screen, interrupt, stdin } = context;
  const file = flagText(flags, "history");
  const history = openHistory(
    flags.has("no-history") ? undefined : basename(file ?? "repl"),
    file === undefined ? undefined : dirname(resolve(file)),
  );
  const input = stdin === undefined ? terminalInput(screen, interrupt, history) : pipeInput(stdin, interrupt.signal, screen);
  try {
    return await shell(context, input, history);
  } finally {
    input.close();
  }
}

async function shell(context: Context, input: ChatInput, history: History): Promise<number> {
  const { screen, interrupt, argv } = context;
  const options: ScriptOptions = {
    onOutput: (text) => screen.write(text),
    timeoutSeconds: 0,
    commandsOf: (error) => commandsOf(error, argv),
  };
  let script: OpenScript = await open(context, options);
  const { engine } = script;
  if (input.isTerminal) screen.aside(`${engine === "lua" ? "Lua 5.4" : "JavaScript"}; .help lists the commands, Ctrl-D leaves.\n`);
  let kill: AbortController | undefined;
  let begun = "";
  interrupt.take(() => {
    if (kill === undefined) return input.cancel();
    script.interrupt();
    setTimeout((running) => running.abort(), patienceMs, kill);
    return true;
  });

  /** @returns whether more of the input is needed */
  const run = async (source: string, name: string, args?: ScriptArguments): Promise<boolean> => {
    if (script.isOver) script = await open(context, { ...options, engine });
    const running = new AbortController();
    kill = running;
    try {
      const end = await script.run(source, { name, args, isShell: name === "repl", signal: running.signal });
      screen.endLine();
      if (end.exitCode !== undefined) throw new Leave(end.exitCode);
      return end.isUnfinished === true;
    } finally {
      kill = undefined;
    }
  };
  const evaluate = async (source: string): Promise<unknown> => (await script.run(source, { name: "repl" })).value;
  const inputs: string[] = [];
  const known = new Set(((await evaluate(listVariables(engine))) as readonly (readonly [string])[]).map(([name]) => name));
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

  try {
    for (;;) {
      const next = await input.next(begun === "" ? `${engine}> ` : "... ");
      if (next.type === "end") break;
      if (next.type === "cancel") {
        if (begun === "" && next.emptyLine) screen.aside("Ctrl-D leaves.\n");
        begun = "";
        continue;
      }
      try {
        if (begun === "" && /^\.[a-z]/i.test(next.text)) {
          const answer = await runReplCommand(host, next.text);
          if (answer.leaves) break;
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
        screen.complain(known);
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
