/** Conversations as files: what /save writes and /load and --load read. */
import { readFile, stat } from "node:fs/promises";
import { SpellError } from "../../core/errors.ts";
import { isObject } from "../../core/json.ts";
import { limits } from "../../core/limits.ts";
import type { GenerateOptions, Message, Role } from "../../core/spec/generate.ts";
import { findParameterProblem, findStopProblem, parameterRules, presets } from "../../core/text/parameters.ts";
import { definedOnly } from "../../core/values.ts";
import { writeError } from "../write-error.ts";
import { writeWhole } from "../write-whole.ts";
import { quoteShort } from "./problems.ts";

/** Says that a file is one of ours; the number changes when old programs could not read new files. */
const format = "llmspell-chat-1";
/** Characters of all messages, at most 4 bytes each, and as much again for escapes and names. */
const fileBytes = limits.promptCharacters * 8;

export interface SavedChat {
  readonly model: string;
  readonly system: string | undefined;
  readonly options: GenerateOptions;
  readonly messages: readonly Message[];
}

/**
 * Writes a conversation. An existing file is replaced only if it holds a conversation too.
 * @throws SpellError store-denied, store-full, usage-value
 */
export async function saveChat(path: string, { model, system, options, messages }: SavedChat): Promise<void> {
  const isThere = await stat(path).catch(() => undefined);
  if (isThere !== undefined) {
    await readChat(path).catch(() => {
      const message = `${path} exists and is not a saved conversation; it was left alone`;
      throw new SpellError("usage-value", message, { where: path, hint: "Choose another name." });
    });
  }
  const content = { format, model, system: system ?? null, parameters: parametersOf(options), messages };
  // 0600: a conversation is private
  await writeWhole(path, `${JSON.stringify(content, undefined, 2)}\n`, 0o600).catch((cause: NodeJS.ErrnoException) => {
    throw writeError(path, cause);
  });
}

function denied(path: string, problem: string, hint: string, cause: unknown): SpellError {
  return new SpellError("store-denied", `${path} ${problem}`, { where: path, hint, cause });
}

/** @param hint what to do where it is no conversation @throws SpellError usage-value (no such file, not a conversation), store-denied */
export async function readChat(path: string, hint = "Give a file that /save wrote."): Promise<SavedChat> {
  const wrong = (problem: string, cause?: unknown): SpellError =>
    new SpellError("usage-value", `${path}: ${problem}`, { where: path, hint, cause });
  let text: string;
  try {
    const facts = await stat(path);
    if (!facts.isFile()) throw wrong("expected a regular file");
    if (facts.size > fileBytes) throw wrong(`expected at most ${fileBytes} bytes; got ${facts.size}`);
    text = await readFile(path, "utf8");
  } catch (cause) {
    if (cause instanceof SpellError) throw cause;
    const { code = "unknown error" } = cause as NodeJS.ErrnoException;
    if (code === "ENOENT") throw wrong("no such file", cause);
    throw denied(path, `cannot be read (${code})`, "Check its permissions.", cause);
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw wrong("expected JSON", cause);
  }
  const { format: found, model, system, parameters, messages } = isObject(value) ? value : {};
  if (found !== format) throw wrong(`expected the format ${format}`);
  if (typeof model !== "string") throw wrong("model: expected a text");
  if (system !== null && typeof system !== "string") throw wrong("system: expected a text or null");
  return { model, system: system ?? undefined, options: readParameters(parameters, wrong), messages: readMessages(messages, wrong) };
}

type Wrong = (problem: string) => SpellError;

const roles: ReadonlySet<string> = new Set<Role>(["system", "user", "assistant"]);

function readMessages(value: unknown, wrong: Wrong): readonly Message[] {
  if (!Array.isArray(value)) throw wrong("messages: expected an array");
  return value.map((entry: unknown, i) => {
    const { role, content } = isObject(entry) ? entry : {};
    if (typeof content !== "string" || typeof role !== "string" || !roles.has(role))
      throw wrong(`messages[${i}]: expected role and content`);
    return { role: role as Role, content };
  });
}

function readParameters(value: unknown, wrong: Wrong): GenerateOptions {
  if (value === undefined) return {};
  if (!isObject(value)) throw wrong("parameters: expected an object");
  const entries = Object.entries(value).map(([key, entry]) => {
    const problem = parameterProblem(key, entry);
    if (problem !== undefined) throw wrong(`parameters.${key}: ${problem}`);
    return [parameterRules.find(({ snakeName }) => snakeName === key)?.name ?? key, entry] as const;
  });
  return Object.fromEntries(entries);
}

/** @param name as users write it @returns what is wrong with a parameter of a conversation, or undefined */
export function parameterProblem(name: string, value: unknown): string | undefined {
  const rule = parameterRules.find(({ snakeName }) => snakeName === name);
  if (rule !== undefined) return findParameterProblem(rule, value);
  if (name === "stop") return findStopProblem(value);
  if (name !== "preset") return "no such parameter";
  return typeof value === "string" && Object.hasOwn(presets, value)
    ? undefined
    : `expected ${Object.keys(presets).join(", ")}; got ${quoteShort(String(value))}`;
}

/** The parameters that are set, by the names users see. */
export function parametersOf(options: GenerateOptions): Readonly<Record<string, unknown>> {
  const { stop, preset } = options;
  const numbers = parameterRules.map(({ name, snakeName }) => [snakeName, options[name]] as const);
  return definedOnly({ preset, ...Object.fromEntries(numbers), stop: typeof stop === "string" ? [stop] : stop });
}
