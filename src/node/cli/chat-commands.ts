/** What a line that begins with / does in a conversation. Each command changes the conversation and answers with a text. */

import { SpellError } from "../../core/errors.ts";
import { nearest } from "../../core/nearest.ts";
import { deviceChoices } from "../../core/spec/devices.ts";
import type { GenerateOptions } from "../../core/spec/generate.ts";
import type { LanguageModel } from "../../core/spec/language-model.ts";
import { findStopProblem, type NumberParameter, parameterRules, presets } from "../../core/text/parameters.ts";
import { readChat, saveChat, splitOptions } from "./chat-file.ts";
import { parameterProblem } from "./commands.ts";
import type { Conversation } from "./conversation.ts";
import { plural } from "./format.ts";
import { describeDevice } from "./session.ts";

export interface ChatCommandHost {
  readonly conversation: Conversation;
  /** Loads another model; the caller of the command replaces and frees the old one. @throws SpellError */
  readonly loadModel: (spec: string) => Promise<LanguageModel>;
}

/** `leave`: the conversation is over. */
export type ChatAnswer = { readonly text: string; readonly leave?: boolean | undefined };

interface ChatCommand {
  readonly usage: string;
  readonly summary: string;
  readonly run: (host: ChatCommandHost, rest: string) => ChatAnswer | Promise<ChatAnswer>;
}

const chatCommands: ReadonlyMap<string, ChatCommand> = new Map<string, ChatCommand>([
  ["help", { usage: "/help", summary: "this list", run: () => ({ text: helpLines() }) }],
  ["set", { usage: "/set PARAM VALUE", summary: "a generation parameter; VALUE default takes it back", run: setParameter }],
  ["show", { usage: "/show", summary: "model, device, settings", run: ({ conversation }) => ({ text: describe(conversation) }) }],
  ["system", { usage: "/system TEXT", summary: "system prompt; without TEXT there is none", run: setSystem }],
  ["clear", { usage: "/clear", summary: "forget what was said", run: clear }],
  ["save", { usage: "/save FILE", summary: "keep the conversation in a file", run: save }],
  ["load", { usage: "/load FILE", summary: "go on with a kept one", run: load }],
  ["model", { usage: "/model SPEC", summary: "another model, the same conversation", run: changeModel }],
  ["bye", { usage: "/bye", summary: "leave", run: () => ({ text: "", leave: true }) }],
]);

/** A command is a slash and letters; "/etc/hosts is …" is a text like any other. */
const commandForm = /^\/([a-z]+)(?:\s+(.*))?$/is;

export function isChatCommand(line: string): boolean {
  return commandForm.test(line.trimEnd());
}

/** @throws SpellError usage-unknown, usage-value, and those of the command */
export async function runChatCommand(host: ChatCommandHost, line: string): Promise<ChatAnswer> {
  const [, name = "", rest = ""] = commandForm.exec(line.trimEnd()) ?? [];
  const word = name.toLowerCase();
  const command = chatCommands.get(word === "exit" || word === "quit" ? "bye" : word);
  if (command !== undefined) return command.run(host, rest.trim());
  const meant = nearest(word, chatCommands.keys());
  throw new SpellError("usage-unknown", `no command /${name.slice(0, 40)}${meant === undefined ? "" : `; did you mean /${meant}?`}`, {
    hint: "/help lists them; a text that begins with / goes after a space.",
  });
}

function helpLines(): string {
  const rows = [...chatCommands.values()].map(({ usage, summary }) => [usage, summary] as const);
  const all = [
    ...rows,
    ['"""', "begins and ends several lines"],
    ["Ctrl-C", "stops an answer and keeps its text"],
    ["Ctrl-D", "leaves"],
  ] as const;
  return `${all.map(([usage, summary]) => `  ${usage.padEnd(18)}${summary}\n`).join("")}Parameters: ${parameterNames().join(", ")}\n`;
}

function parameterNames(): readonly string[] {
  return [...parameterRules.map(({ snakeName }) => snakeName), "stop", "preset", "device"];
}

function setParameter({ conversation }: ChatCommandHost, rest: string): ChatAnswer {
  const [, typed = "", value = ""] = /^(\S*)\s*(.*)$/s.exec(rest) ?? [];
  const name = typed.toLowerCase().replaceAll("-", "_");
  if (name === "" || value === "")
    throw new SpellError("usage-value", "/set needs a parameter and a value", {
      hint: `For example: /set temperature 0.2. Parameters: ${parameterNames().join(", ")}`,
    });
  const reset = value.toLowerCase() === "default";
  const rule = parameterRules.find(({ snakeName }) => snakeName === name);
  if (rule !== undefined) {
    const problem = reset ? undefined : parameterProblem(rule, value);
    if (problem !== undefined) throw new SpellError("usage-value", `${name}: ${problem}`, { where: name });
    conversation.options = withOption(conversation.options, rule.name, reset ? undefined : Number(value));
  } else if (name === "stop") {
    const problem = reset ? undefined : findStopProblem(value);
    if (problem !== undefined) throw new SpellError("usage-value", `stop: ${problem}`, { where: name });
    conversation.options = withOption(conversation.options, "stop", reset ? undefined : [value]);
  } else if (name === "preset") {
    const preset = Object.keys(presets).find((key) => key === value.toLowerCase());
    if (preset === undefined && !reset)
      throw new SpellError("usage-value", `preset: wanted ${Object.keys(presets).join(", ")}; got ${JSON.stringify(value)}`, {
        where: name,
      });
    conversation.options = withOption(conversation.options, "preset", preset);
  } else if (name === "device") {
    const device = deviceChoices.find((choice) => choice === value.toLowerCase());
    if (device === undefined && !reset)
      throw new SpellError("usage-value", `device: wanted ${deviceChoices.join(", ")}; got ${JSON.stringify(value.slice(0, 40))}`, {
        where: name,
      });
    conversation.options = withOption(conversation.options, "device", reset ? undefined : device);
  } else {
    const loadTime = new Set(["context_size", "threads"]).has(name);
    const meant = nearest(name, parameterNames());
    throw new SpellError(
      "usage-value",
      loadTime
        ? `${name} is chosen when the model loads`
        : `no parameter ${name.slice(0, 40)}${meant === undefined ? "" : `; did you mean ${meant}?`}`,
      {
        hint: loadTime ? `Start again with --${name.replaceAll("_", "-")} ${value}.` : `Parameters: ${parameterNames().join(", ")}`,
      },
    );
  }
  return { text: reset ? `${name} is back to its default\n` : `${name} = ${value}\n` };
}

function withOption(options: GenerateOptions, name: NumberParameter | "stop" | "preset" | "device", value: unknown): GenerateOptions {
  const { [name]: _, ...others } = options;
  return value === undefined ? others : { ...others, [name]: value };
}

function setSystem({ conversation }: ChatCommandHost, rest: string): ChatAnswer {
  conversation.system = rest === "" ? undefined : rest;
  return { text: rest === "" ? "no system prompt\n" : "the system prompt holds from the next turn on\n" };
}

function clear({ conversation }: ChatCommandHost): ChatAnswer {
  conversation.messages = [];
  return { text: "forgotten\n" };
}

async function save({ conversation }: ChatCommandHost, rest: string): Promise<ChatAnswer> {
  if (rest === "") throw new SpellError("usage-value", "/save needs a file name", { hint: "For example: /save talk.json" });
  const { model, system, options, messages } = conversation;
  await saveChat(rest, { model: model.id, system, options, messages });
  return { text: `${plural(messages.length, "message")} saved to ${rest}\n` };
}

async function load({ conversation }: ChatCommandHost, rest: string): Promise<ChatAnswer> {
  if (rest === "") throw new SpellError("usage-value", "/load needs a file name", { hint: "For example: /load talk.json" });
  const saved = await readChat(rest);
  const { raw } = conversation.options;
  conversation.messages = saved.messages;
  conversation.system = saved.system;
  conversation.options = raw === undefined ? saved.options : { ...saved.options, raw };
  const other = saved.model === conversation.model.id ? "" : `; it was held with ${saved.model}, this is ${conversation.model.id}`;
  return { text: `${plural(saved.messages.length, "message")} loaded${other}\n` };
}

async function changeModel(host: ChatCommandHost, rest: string): Promise<ChatAnswer> {
  if (rest === "") throw new SpellError("usage-value", "/model needs a model", { hint: "For example: /model tiny-stories" });
  const { conversation } = host;
  const old = conversation.model;
  conversation.model = await host.loadModel(rest);
  await old.dispose();
  return { text: `${conversation.model.id} answers from now on\n` };
}

function describe({ model, system, options, messages }: Conversation): string {
  const { numbers, stop, preset } = splitOptions(options);
  const set = [
    ...(preset === undefined ? [] : [`preset ${preset}`]),
    ...Object.entries(numbers).map(([name, value]) => `${name} ${value}`),
    ...(stop === undefined ? [] : [`stop ${stop.map((text) => JSON.stringify(text)).join(", ")}`]),
  ];
  const rows: readonly (readonly [string, string])[] = [
    ["model", `${model.id} (${model.architecture})`],
    ["device", describeDevice(model.device)],
    ["context", plural(model.contextLength, "token")],
    [
      "template",
      model.hasChatTemplate
        ? "the model's own"
        : model.isSeq2Seq
          ? "none; every turn is answered by itself"
          : "none; the text is continued as it is",
    ],
    ["system", system ?? "none"],
    ["parameters", set.length === 0 ? "defaults" : set.join(", ")],
    ["messages", String(messages.length)],
  ];
  return rows.map(([name, value]) => `  ${name.padEnd(12)}${value}\n`).join("");
}
