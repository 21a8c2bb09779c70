/** What a line that begins with / does in a conversation. Each command changes the conversation and answers with a text. */

import { SpellError } from "../../core/errors.ts";
import { nearest } from "../../core/nearest.ts";
import { deviceChoices } from "../../core/spec/devices.ts";
import type { LanguageModel } from "../../core/spec/language-model.ts";
import { parameterRules } from "../../core/text/parameters.ts";
import { flagWord } from "./advice.ts";
import { parameterProblem, parametersOf, readChat, saveChat } from "./chat-file.ts";
import { type Conversation, lastTurn } from "./conversation.ts";
import { plural } from "./format.ts";
import { parameterProblem as numberProblem, quoteShort } from "./problems.ts";
import { describeDevice } from "./session.ts";

export interface ChatCommandHost {
  readonly conversation: Conversation;
  /** Loads another model; the caller of the command replaces and frees the old one. @throws SpellError */
  readonly loadModel: (spec: string) => Promise<LanguageModel>;
}

/** `leave`: the conversation is over. `retry`: the latest question is to be answered once more. */
export type ChatAnswer = { readonly text: string; readonly leave?: boolean | undefined; readonly retry?: boolean | undefined };

interface ChatCommand {
  readonly usage: string;
  readonly summary: string;
  readonly run: (host: ChatCommandHost, rest: string) => ChatAnswer | Promise<ChatAnswer>;
}

const chatCommands: ReadonlyMap<string, ChatCommand> = new Map<string, ChatCommand>([
  ["help", { usage: "/help", summary: "this list", run: () => ({ text: helpLines() }) }],
  ["set", { usage: "/set PARAM VALUE", summary: "a generation parameter; VALUE default resets it", run: setParameter }],
  ["show", { usage: "/show", summary: "model, device, settings", run: ({ conversation }) => ({ text: describe(conversation) }) }],
  ["system", { usage: "/system TEXT", summary: "system prompt; without TEXT: none", run: setSystem }],
  ["retry", { usage: "/retry", summary: "answer the last message again, in place of its answer", run: retry }],
  ["clear", { usage: "/clear", summary: "clear the messages", run: clear }],
  ["save", { usage: "/save FILE", summary: "save the conversation to a file", run: save }],
  ["load", { usage: "/load FILE", summary: "continue a saved conversation", run: load }],
  ["model", { usage: "/model SPEC", summary: "change the model, keep the conversation", run: changeModel }],
  ["bye", { usage: "/bye", summary: "leave", run: () => ({ text: "", leave: true }) }],
]);

/** A command is a slash and letters; "/etc/hosts is …" is a text like any other. */
const commandForm = /^\/([a-z]+)(?:\s+(.*))?$/is;

/** Several lines are a message, but for a system prompt. */
export function isChatCommand(text: string): boolean {
  const [, name] = commandForm.exec(text.trimEnd()) ?? [];
  return name !== undefined && (!text.trimEnd().includes("\n") || name.toLowerCase() === "system");
}

/** @throws SpellError usage-unknown, usage-value, and those of the command */
export async function runChatCommand(host: ChatCommandHost, line: string): Promise<ChatAnswer> {
  const [, name = "", rest = ""] = commandForm.exec(line.trimEnd()) ?? [];
  const word = name.toLowerCase();
  const command = chatCommands.get(word === "exit" || word === "quit" ? "bye" : word);
  if (command !== undefined) return command.run(host, rest.trim());
  const meant = nearest(word, chatCommands.keys());
  const message = `no command /${name.slice(0, 40)}${meant === undefined ? "" : `; did you mean /${meant}?`}`;
  throw new SpellError("usage-unknown", message, { hint: "/help lists the commands; a text that begins with / goes after a space." });
}

function helpLines(): string {
  const rows = [
    ...chatCommands.values(),
    { usage: '"""', summary: "begins and ends a text of several lines" },
    { usage: "Alt-Enter, or \\", summary: "a new line in it; \\ at the end of the line, before Enter" },
    { usage: "Ctrl-C", summary: "stops an answer and keeps its text" },
    { usage: "Ctrl-D", summary: "leaves" },
  ];
  return `${rows.map((row) => `  ${row.usage.padEnd(18)}${row.summary}\n`).join("")}Parameters: ${parameterNames.join(", ")}\n`;
}

const parameterNames: readonly string[] = [...parameterRules.map(({ snakeName }) => snakeName), "stop", "preset", "device"];

function setParameter({ conversation }: ChatCommandHost, rest: string): ChatAnswer {
  const [, typed = "", value = ""] = /^(\S*)\s*(.*)$/s.exec(rest) ?? [];
  const name = typed.toLowerCase().replaceAll("-", "_");
  const list = `Parameters: ${parameterNames.join(", ")}`;
  if (name === "" || value === "") throw usage("/set needs a parameter and a value", `For example: /set temperature 0.2. ${list}`);
  if (name === "context_size" || name === "threads")
    throw usage(`${name} is chosen when the model loads`, `Start again with ${flagWord(name)} ${value}.`);
  if (!parameterNames.includes(name)) {
    const meant = nearest(name, parameterNames);
    throw usage(`no parameter ${name.slice(0, 40)}${meant === undefined ? "" : `; did you mean ${meant}?`}`, list);
  }
  const rule = parameterRules.find(({ snakeName }) => snakeName === name);
  const set = rule !== undefined ? Number(value) : name === "stop" ? [value] : value.toLowerCase();
  const isReset = value.toLowerCase() === "default";
  const problem = isReset
    ? undefined
    : rule !== undefined
      ? numberProblem(rule, value)
      : name === "device"
        ? deviceProblem(value)
        : parameterProblem(name, set);
  if (problem !== undefined) throw new SpellError("usage-value", `${name}: ${problem}`, { where: name });
  conversation.options = { ...conversation.options, [rule?.name ?? name]: isReset ? undefined : set };
  return { text: isReset ? `${name} is back to its default\n` : `${name} = ${value}\n` };
}

function deviceProblem(value: string): string | undefined {
  const isKnown = deviceChoices.some((choice) => choice === value.toLowerCase());
  return isKnown ? undefined : `expected ${deviceChoices.join(", ")}; got ${quoteShort(value)}`;
}

function usage(message: string, hint: string): SpellError {
  return new SpellError("usage-value", message, { hint });
}

function setSystem({ conversation }: ChatCommandHost, rest: string): ChatAnswer {
  conversation.system = rest === "" ? undefined : rest;
  return { text: rest === "" ? "no system prompt\n" : "system prompt set for the next turns\n" };
}

function clear({ conversation }: ChatCommandHost): ChatAnswer {
  conversation.messages = [];
  return { text: "messages cleared\n" };
}

function retry({ conversation }: ChatCommandHost): ChatAnswer {
  if (lastTurn(conversation) === undefined) throw usage("/retry has no message to answer again", "Write one first.");
  const isSame = conversation.options.seed !== undefined;
  return { text: isSame ? "the seed is set, so the answer is the same; /set seed default changes that\n" : "", retry: true };
}

async function save({ conversation }: ChatCommandHost, rest: string): Promise<ChatAnswer> {
  if (rest === "") throw usage("/save needs a file name", "For example: /save talk.json");
  const { model, system, options, messages } = conversation;
  await saveChat(rest, { model: model.id, system, options, messages });
  return { text: `${plural(messages.length, "message")} saved to ${rest}\n` };
}

async function load({ conversation }: ChatCommandHost, rest: string): Promise<ChatAnswer> {
  if (rest === "") throw usage("/load needs a file name", "For example: /load talk.json");
  const saved = await readChat(rest);
  conversation.messages = saved.messages;
  conversation.system = saved.system;
  const { raw, reasoning, jsonSchema, choices, regex, grammar } = conversation.options;
  conversation.options = { ...saved.options, raw, reasoning, jsonSchema, choices, regex, grammar };
  const other = saved.model === conversation.model.id ? "" : `; saved with ${saved.model}, continued with ${conversation.model.id}`;
  return { text: `${plural(saved.messages.length, "message")} loaded${other}\n` };
}

async function changeModel(host: ChatCommandHost, rest: string): Promise<ChatAnswer> {
  if (rest === "") throw usage("/model needs a model", "For example: /model tiny-stories");
  const { conversation } = host;
  const old = conversation.model;
  conversation.model = await host.loadModel(rest);
  await old.dispose();
  return { text: `the model is now ${conversation.model.id}\n` };
}

const formNames = ["jsonSchema", "choices", "regex", "grammar"] as const;

function describe({ model, system, options, messages }: Conversation): string {
  const set = Object.entries(parametersOf(options)).map(
    ([name, value]) => `${name} ${Array.isArray(value) ? value.map((text) => JSON.stringify(text)).join(", ") : value}`,
  );
  const form = formNames.find((name) => options[name] !== undefined);
  const noTemplate = model.isSeq2Seq ? "none; every turn is answered by itself" : "none; the text is continued as it is";
  const rows: readonly (readonly [string, string])[] = [
    ["model", `${model.id} (${model.architecture})`],
    ["device", describeDevice(model.device)],
    ["context", model.contextLength === undefined ? "the server's" : plural(model.contextLength, "token")],
    ["template", model.hasChatTemplate ? "the model's own" : noTemplate],
    ["system", system ?? "none"],
    ["parameters", set.length === 0 ? "defaults" : set.join(", ")],
    ...(form === undefined ? [] : [["form", form] as const]),
    ["messages", String(messages.length)],
  ];
  return rows.map(([name, value]) => `  ${name.padEnd(12)}${value}\n`).join("");
}
