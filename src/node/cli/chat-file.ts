/** Conversations as files: what /save writes and /load and --load read. */
import { readFile, stat } from "node:fs/promises";
import { SpellError } from "../../core/errors.ts";
import { limits } from "../../core/limits.ts";
import type { GenerateOptions, Message, Role } from "../../core/spec/generate.ts";
import { findParameterProblem, findStopProblem, parameterRules, presets } from "../../core/text/parameters.ts";
import { writeWhole } from "../write-whole.ts";

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
 * Writes a conversation. A file that is there already is replaced only when it holds a conversation too.
 * @throws SpellError store-denied, usage-value
 */
export async function saveChat(path: string, { model, system, options, messages }: SavedChat): Promise<void> {
  const there = await stat(path).catch(() => undefined);
  if (there !== undefined) {
    await readChat(path).catch(() => {
      throw new SpellError("usage-value", `${path} is there already and holds no conversation; it was left alone`, {
        where: path,
        hint: "Choose another name.",
      });
    });
  }
  const { numbers, stop, preset } = splitOptions(options);
  const parameters = { ...numbers, ...(stop === undefined ? {} : { stop }), ...(preset === undefined ? {} : { preset }) };
  const text = JSON.stringify({ format, model, system: system ?? null, parameters, messages }, undefined, 2);
  // 0600: what people say to a model is nobody else's business
  await writeWhole(path, `${text}\n`, 0o600).catch((cause: NodeJS.ErrnoException) => {
    throw new SpellError("store-denied", `${path} cannot be written (${cause.code ?? cause.message})`, {
      where: path,
      hint: "Check the folder and its permissions.",
      cause,
    });
  });
}

/** @throws SpellError usage-value (no such file, not a conversation), store-denied */
export async function readChat(path: string): Promise<SavedChat> {
  const wrong = (problem: string, cause?: unknown): SpellError =>
    new SpellError("usage-value", `${path}: ${problem}`, { where: path, hint: "Give a file that /save wrote.", cause });
  let text: string;
  try {
    const facts = await stat(path);
    if (!facts.isFile()) throw wrong("wanted a regular file");
    if (facts.size > fileBytes) throw wrong(`wanted at most ${fileBytes} bytes; got ${facts.size}`);
    text = await readFile(path, "utf8");
  } catch (cause) {
    if (cause instanceof SpellError) throw cause;
    const code = (cause as NodeJS.ErrnoException).code;
    if (code === "ENOENT") throw wrong("no such file", cause);
    throw new SpellError("store-denied", `${path} cannot be read (${code ?? "unknown error"})`, {
      where: path,
      hint: "Check its permissions.",
      cause,
    });
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw wrong("it is not JSON", cause);
  }
  const {
    format: found,
    model,
    system,
    parameters,
    messages,
  } = (typeof value === "object" && value !== null ? value : {}) as Record<string, unknown>;
  if (found !== format) throw wrong(`wanted the format ${format}`);
  if (typeof model !== "string") throw wrong("model: wanted a text");
  if (system !== null && typeof system !== "string") throw wrong("system: wanted a text or null");
  return { model, system: system ?? undefined, options: readParameters(parameters, wrong), messages: readMessages(messages, wrong) };
}

type Wrong = (problem: string) => SpellError;

const roles: ReadonlySet<string> = new Set<Role>(["system", "user", "assistant"]);

function readMessages(value: unknown, wrong: Wrong): readonly Message[] {
  if (!Array.isArray(value)) throw wrong("messages: wanted an array");
  return value.map((entry: unknown, i) => {
    const { role, content } = (typeof entry === "object" && entry !== null ? entry : {}) as Record<string, unknown>;
    if (typeof content !== "string" || typeof role !== "string" || !roles.has(role)) throw wrong(`messages[${i}]: wanted role and content`);
    return { role: role as Role, content };
  });
}

function readParameters(value: unknown, wrong: Wrong): GenerateOptions {
  if (value === undefined) return {};
  if (typeof value !== "object" || value === null) throw wrong("parameters: wanted an object");
  const result: Record<string, unknown> = {};
  for (const [key, entry] of Object.entries(value)) {
    const rule = parameterRules.find(({ snakeName }) => snakeName === key);
    const problem =
      rule !== undefined
        ? findParameterProblem(rule, entry)
        : key === "stop"
          ? findStopProblem(entry)
          : key === "preset"
            ? typeof entry === "string" && Object.hasOwn(presets, entry)
              ? undefined
              : `wanted ${Object.keys(presets).join(", ")}`
            : "no such parameter";
    if (problem !== undefined) throw wrong(`parameters.${key}: ${problem}`);
    result[rule?.name ?? key] = entry;
  }
  return result;
}

/** Options with the names users see. */
export function splitOptions(options: GenerateOptions): {
  readonly numbers: Readonly<Record<string, number>>;
  readonly stop: readonly string[] | undefined;
  readonly preset: string | undefined;
} {
  const numbers: Record<string, number> = {};
  for (const { name, snakeName } of parameterRules) {
    const value = options[name];
    if (value !== undefined) numbers[snakeName] = value;
  }
  const { stop, preset } = options;
  return { numbers, stop: typeof stop === "string" ? [stop] : stop, preset };
}
