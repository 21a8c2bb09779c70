/**
 * `llmspell chat`: a conversation, line by line. On a terminal it goes on after errors. A pipe ends with the first turn that fails; a command that fails
 * there changes nothing, the conversation goes on, and the exit status tells of it.
 */

import { basename } from "node:path";
import { SpellError, toSpellError } from "../../core/errors.ts";
import type { GenerateOptions, Message } from "../../core/spec/generate.ts";
import { inWords } from "../../core/text/option-words.ts";
import { definedOnly } from "../../core/values.ts";
import { flagWord, shell } from "./advice.ts";
import { readAnswerForm } from "./answer-form.ts";
import { flagText } from "./args.ts";
import { type ChatAnswer, isChatCommand, runChatCommand } from "./chat-commands.ts";
import { readChat, type SavedChat } from "./chat-file.ts";
import { type ChatInput, pipeInput, terminalInput } from "./chat-input.ts";
import { type KeptChat, openKeptChat } from "./chat-keep.ts";
import { chooseChatModel } from "./chat-model.ts";
import type { Context } from "./context.ts";
import { type Conversation, createConversation, lastTurn, takeTurn } from "./conversation.ts";
import { plural } from "./format.ts";
import { openHistory } from "./history.ts";
import { whenAborted } from "./interrupt.ts";
import {
  deviceOf,
  disposeSoon,
  explain,
  isSpent,
  lengthNote,
  loadModel,
  missingTemplateNote,
  readGenerateOptions,
  readLoadOptions,
  statisticsText,
  usageFields,
} from "./session.ts";

/** @throws SpellError of flags, --load, the model; where standard input is no terminal also of turns and commands */
export async function chat(given: Context): Promise<number> {
  const { flags, screen, interrupt, stdin } = given;
  const options = { ...readGenerateOptions(flags), ...readAnswerForm(flags) };
  const [load, keep] = [flagText(flags, "load"), flagText(flags, "keep")];
  if (load !== undefined && keep !== undefined) {
    const hint = "Load it with /load in the conversation that is kept.";
    throw new SpellError("usage-value", "--load and --keep exclude each other: both say how the conversation begins", {
      hint,
      where: "--load",
    });
  }
  const saved = load === undefined ? undefined : await readChat(load);
  const kept = keep === undefined ? undefined : await openKeptChat(keep, (note) => screen.note(note));
  // From here on the keyboard is held: what is typed while a model loads waits for the prompt.
  const input =
    stdin === undefined
      ? terminalInput(screen, interrupt, openHistory(flags.has("no-history") ? undefined : "chat"))
      : pipeInput(stdin, interrupt.signal, screen);
  try {
    return await converse({ ...given, stdin, ask: input.ask }, input, options, saved ?? kept?.saved, kept);
  } finally {
    input.close();
  }
}

async function converse(
  context: Context,
  input: ChatInput,
  options: GenerateOptions,
  saved: SavedChat | undefined,
  kept: KeptChat | undefined,
): Promise<number> {
  const { flags, screen, interrupt } = context;
  const usesSaved = saved !== undefined && !flags.has("model") && !flags.has("quantization");
  const loadOptions = readLoadOptions(flags);
  const isNamed = usesSaved || ["model", "quantization", "raw"].some((flag) => flags.has(flag));
  const chosen = isNamed ? {} : await chooseChatModel(context, await deviceOf(context, loadOptions));

  const model = await loadModel(context, usesSaved ? saved.model : (chosen.model ?? flagText(flags, "model")), loadOptions);
  const conversation = createConversation(model, options);
  if (saved !== undefined) {
    conversation.messages = saved.messages;
    conversation.system ??= saved.system;
    conversation.options = { ...saved.options, ...definedOnly(conversation.options) };
  }
  if (kept !== undefined) conversation.save = `chat ${kept.name}`;
  if (kept?.saved !== undefined) screen.note(goesOn(kept.name, conversation));
  if (!model.hasChatTemplate && !model.isSeq2Seq && options.raw !== true) {
    if (chosen.command === undefined) screen.note(missingTemplateNote(model));
    else screen.note(`${missingTemplateNote(model)}; for a conversation:`, shell(chosen.command));
  }

  const host = { conversation, loadModel: (spec: string) => loadModel(context, spec, loadOptions) };
  let turn: AbortController | undefined;
  /** The first command of a pipe that failed. */
  let failed: SpellError | undefined;
  /** Of these one is enough in a conversation. */
  const told = new Set<string>();

  const command = async (line: string): Promise<ChatAnswer> => {
    try {
      const answer = await runChatCommand(host, line);
      if (answer.text !== "") screen.aside(answer.text);
      await kept?.keep(conversation);
      return answer;
    } catch (error) {
      const known = toSpellError(error);
      if (interrupt.signal.aborted) throw known;
      screen.complain(known);
      if (!input.isTerminal) failed ??= known;
      return { text: "" };
    }
  };

  const say = async (content: string, before?: readonly Message[]): Promise<void> => {
    turn = new AbortController();
    const answering = turn;
    const progress = screen.progress("reading");
    let answer = "";
    const warnings: { readonly code: string }[] = [];
    const streams = !flags.has("no-stream");
    try {
      for await (const part of takeTurn(conversation, content, AbortSignal.any([interrupt.signal, answering.signal]), before)) {
        if (part.type === "warning") warnings.push(part);
        if (part.type === "warning" && !told.has(part.message)) screen.note(inWords(part, flagWord));
        if (part.type === "warning" && part.code === "state-note") told.add(part.message);
        if (part.type === "reasoning-delta") {
          progress.end();
          screen.think(part.text);
        }
        if (part.type === "text-delta") {
          if (answer === "" && streams) progress.end();
          answer += part.text;
          if (streams) screen.write(part.text);
        }
        if (part.type !== "stream-end") continue;
        progress.end();
        if (!streams) screen.write(answer);
        screen.endLine();
        if (isSpent(part, warnings)) screen.note(lengthNote(part, conversation.model, chatParameter));
        if (flags.has("stats")) screen.aside(statisticsText(part, conversation.model.device));
      }
    } catch (error) {
      progress.end();
      if (!streams) screen.write(answer);
      screen.endLine();
      if (answering.signal.aborted && !interrupt.signal.aborted) screen.aside(answer !== "" ? "stopped; the text is kept\n" : "stopped\n");
      else {
        // On a terminal a failure is told and the conversation goes on.
        const known = toSpellError(withAdvice(error, conversation.model.id));
        if (interrupt.signal.aborted) throw known.with({ message: "stopped" });
        if (!input.isTerminal) throw known;
        screen.complain(known);
      }
    } finally {
      turn = undefined;
      await kept?.keep(conversation);
    }
    if (input.isTerminal && screen.outIsTerminal) screen.echo("\n");
  };

  const talk = async (): Promise<number> => {
    /** Lines since an opening `"""`. */
    let block: string[] | undefined;
    let cancelled = false;
    const aborted = whenAborted(interrupt.signal, "stopped");
    for (;;) {
      const line = await Promise.race([input.next(block === undefined ? ">>> " : "... "), aborted]);
      if (line.type === "cancel") {
        if (cancelled) return 130;
        cancelled = line.emptyLine && block === undefined;
        if (cancelled) screen.aside("Ctrl-C again, Ctrl-D or /bye leaves.\n");
        block = undefined;
        continue;
      }
      cancelled = false;
      if (line.type === "end") {
        if (input.isTerminal) screen.echo("\n");
        if (block !== undefined && !input.isTerminal) await say(block.join("\n"));
        return 0;
      }
      const next = takeLine(block, line.text);
      block = next.block;
      if (next.content === undefined || next.content.trim() === "") continue;
      if (next.isBlock || !isChatCommand(next.content)) {
        await say(next.content);
        continue;
      }
      const { leave, retry } = await command(next.content);
      if (leave === true) return 0;
      const again = retry === true ? lastTurn(conversation) : undefined;
      if (again !== undefined) await say(again.content, again.before);
    }
  };

  if (input.isTerminal)
    interrupt.take(() => {
      if (turn === undefined) return input.cancel();
      if (turn.signal.aborted) return false; // the second one in a row: it did not stop
      turn.abort();
      return true;
    });
  try {
    if (input.isTerminal && !screen.settings.quiet)
      screen.aside(`Chat with ${basename(model.id)}. /help lists the commands, Ctrl-D leaves.\n`);
    const status = await talk();
    screen.document({
      ...(failed === undefined ? { status: "ok" } : { status: "error", error: screen.errorFields(failed) }),
      model: conversation.model.id,
      messages: withSystem(conversation),
      usage: usageFields(conversation.usage),
    });
    return failed?.exitCode ?? status;
  } finally {
    interrupt.take(undefined);
    await disposeSoon(conversation.model);
  }
}

/** Where a conversation stands that goes on. */
function goesOn(name: string, { messages }: Conversation): string {
  const last = messages.at(-1);
  const text = typeof last?.content === "string" ? last.content.replace(/\s+/g, " ").trim() : "";
  const shown = text === "" ? "" : `; the last: ${text.length <= 120 ? text : `${text.slice(0, 119)}…`}`;
  return `${name} goes on after ${plural(messages.length, "message")}${shown}`;
}

function withSystem({ system, messages }: Conversation): readonly unknown[] {
  return system === undefined ? messages : [{ role: "system", content: system }, ...messages];
}

/** What one more line makes of an open or new block of lines between `"""`. */
function takeLine(
  block: readonly string[] | undefined,
  line: string,
): { readonly block: string[] | undefined; readonly content?: string | undefined; readonly isBlock: boolean } {
  const mark = '"""';
  const opens = block === undefined && line.trimStart().startsWith(mark);
  if (block === undefined && !opens) return { block: undefined, content: line, isBlock: false };
  const text = opens ? line.trimStart().slice(mark.length) : line;
  const closes = text.trimEnd().endsWith(mark);
  const rest = closes ? text.trimEnd().slice(0, -mark.length) : text;
  const lines = [...(block ?? []), ...(rest === "" && (opens || closes) ? [] : [rest])];
  return closes ? { block: undefined, content: lines.join("\n"), isBlock: true } : { block: lines, isBlock: true };
}

function chatParameter(name: string): string {
  return name === "context_size" ? "--context-size" : `/set ${name}`;
}

/** A conversation that outgrew the context has its own way out. */
function withAdvice(error: unknown, modelId: string): unknown {
  if (!(error instanceof SpellError) || error.code !== "run-context") return explain(error, modelId);
  return error.with({ hint: "/clear clears the messages; --context-size makes room at the start.", actions: [] });
}
