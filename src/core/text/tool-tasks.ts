/** Work of built-in tools that strangers can make endless or endlessly large. Each piece runs where it can be ended from outside. */
import { messageOf, SpellError } from "../errors.ts";
import { isObject, parseWholeJson, shown } from "../json.ts";
import { jsonFault } from "../json-fault.ts";
import { limits } from "../limits.ts";

/** Only jq answers later: its package has no other way. */
export type IsolatedTask = (payload: unknown) => unknown;

/** jq's own module; a host that has it brings it, since it is a megabyte. */
export type JqModule = () => Promise<{ readonly default: () => Promise<unknown> }>;

/** Imports what a task stands on. */
export async function loadToolTask(task: "regex" | "template" | "jq", load?: JqModule): Promise<IsolatedTask> {
  if (task === "regex") return (payload) => runRegex(payload as RegexInput);
  if (task === "template") {
    const { default: mustache } = await import("mustache");
    return (payload) => fillTemplate(mustache, payload as TemplateInput);
  }
  if (load === undefined)
    throw new SpellError("tool-denied", "json-processor does not run here: this host does not bring jq", { where: "json-processor" });
  const { default: start } = await load();
  const jq = (await start()) as Jq;
  return (payload) => runJq(jq, payload as JqInput);
}

/** Characters of a result: one message to a script has room for it. */
const mostCharacters = 2_000_000;

interface RegexInput {
  readonly operation?: "test" | "match" | "replace" | "split";
  readonly pattern: string;
  readonly text: string;
  readonly flags?: string;
  readonly replacement?: string;
  readonly limit?: number;
}

/** @throws SpellError tool-failed, tool-limit */
function runRegex(input: RegexInput) {
  const { operation = "match", pattern, text, flags = "", replacement = "", limit = 1000 } = input;
  const expression = compiled(pattern, operation === "test" ? flags : `${flags.replaceAll("g", "")}g`);
  if (operation === "test") return { result: expression.test(text) };
  if (operation === "split") {
    const parts = text.split(expression, limit).map((part) => part ?? "");
    return { result: parts, count: parts.length };
  }
  if (operation === "replace") {
    let count = 0;
    text.replace(expression, (whole) => {
      count += 1;
      return whole;
    });
    return { result: bounded("regex", text.replace(expression, replacement)), count };
  }
  const result = [];
  let size = 0;
  for (const found of text.matchAll(expression)) {
    const groups = found.slice(1).map((group) => group ?? null);
    size += found.reduce((sum, group) => sum + (group?.length ?? 0), 40);
    if (size > mostCharacters) throw tooLong("regex");
    result.push({ text: found[0], index: found.index, groups, ...(found.groups !== undefined && { names: { ...found.groups } }) });
    if (result.length === limit) break;
  }
  return { result, count: result.length };
}

function compiled(pattern: string, flags: string): RegExp {
  try {
    return new RegExp(pattern, flags);
  } catch (cause) {
    const message = cause instanceof Error ? cause.message : "it cannot be read";
    throw new SpellError("tool-failed", `regex: expected a regular expression, got another text: ${message.slice(0, 300)}`, {
      where: "pattern",
    });
  }
}

interface TemplateInput {
  readonly template: string;
  readonly values: unknown;
  readonly escape?: string;
}

interface Mustache {
  render(template: string, view: unknown, partials: undefined, config: { readonly escape: (value: unknown) => string }): string;
}

/** @throws SpellError tool-failed, tool-limit */
function fillTemplate(mustache: Mustache, input: TemplateInput): string {
  const { escape: way = "none" } = input;
  try {
    return bounded("template", mustache.render(input.template, own(input.values), undefined, { escape: escapes[way] ?? String }));
  } catch (cause) {
    if (cause instanceof SpellError) throw cause;
    const message = cause instanceof Error ? cause.message : "it cannot be read";
    throw new SpellError("tool-failed", `template: expected a Mustache template, got another text: ${message.slice(0, 300)}`, {
      where: "template",
    });
  }
}

const marks: Readonly<Record<string, string>> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;" };
const plain = (value: unknown): string => (typeof value === "object" && value !== null ? JSON.stringify(value) : String(value));
const escapes: Readonly<Record<string, (value: unknown) => string>> = {
  none: plain,
  html: (value) => plain(value).replace(/[&<>"']/g, (sign) => marks[sign] ?? sign),
  json: (value) => JSON.stringify(value),
};

/** Data without prototypes: Mustache finds, and calls, what is inherited. */
function own(value: unknown): unknown {
  if (Array.isArray(value)) return Object.setPrototypeOf(value.map(own), null);
  if (!isObject(value)) return value;
  const copy = Object.create(null) as Record<string, unknown>;
  for (const [name, inner] of Object.entries(value)) copy[name] = own(inner);
  return copy;
}

interface JqInput {
  readonly input: unknown;
  readonly query?: string;
  readonly is_text?: boolean;
}

interface Jq {
  /** @returns what jq writes; rejects with its message */
  raw(json: string, query: string, flags: readonly string[]): Promise<string>;
}

/** The input comes as an argument: what comes as a file is read letter by letter, each time with a copy of the rest. @throws SpellError tool-failed, tool-limit */
async function runJq(jq: Jq, { input, query = ".", is_text = false }: JqInput) {
  const json = is_text && typeof input === "string" ? input : JSON.stringify(input);
  const size = new TextEncoder().encode(json + query).length;
  if (size > limits.jqInputBytes)
    throw new SpellError("tool-limit", `json-processor: expected at most ${limits.jqInputBytes} bytes of JSON and query, got ${size}`, {
      where: "input",
    });
  // as a list: jq ends with the first error, and what it wrote before would hide that; without an environment: there is nothing of the caller's in it
  const program = `{} as $ENV|def env:{};[$input|(\n${query}\n)]`;
  const written = await jq.raw("", program, ["-n", "-c", "--argjson", "input", json]).catch((cause: unknown) => {
    if (/^Aborted\(|out of memory|cannot enlarge memory/i.test(messageOf(cause)))
      throw new SpellError("tool-limit", "json-processor: expected a program of jq that fits its memory, got one that takes more", {
        where: "query",
      });
    const fault = /invalid JSON text/i.test(messageOf(cause)) ? jsonFault(json) : undefined;
    if (fault !== undefined)
      throw new SpellError("tool-failed", `json-processor: input: expected JSON, got ${foundAt(json, fault)}`, { where: "input" });
    const said = messageOf(cause)
      .replace(/\nUse jq --help.*$/s, "")
      .replace(/^jq: |\njq: \d+ compile errors?\s*$| \(Unix shell quoting issues\?\)/g, "")
      .replace(/ at <top-level>, line (\d+)/g, (_, line: string) => ` at line ${Math.max(1, Number(line) - 1)}`)
      .slice(0, 500);
    throw new SpellError("tool-failed", `json-processor: expected JSON and a program of jq that fits it: ${said}`, { where: "query" });
  });
  if (written === "")
    throw new SpellError("tool-limit", "json-processor: expected a program of jq that gives values, got none", { where: "query" });
  const results = parseWholeJson(bounded("json-processor", written)) as readonly unknown[];
  return { result: results[0] ?? null, results, count: results.length };
}

/** What stands at a place, and which place that is. */
function foundAt(text: string, at: number): string {
  const before = text.slice(0, at).split("\n");
  const [first] = text.slice(at, at + 2);
  return `${first === undefined ? "its end" : shown(first)} at line ${before.length}, column ${(before.at(-1)?.length ?? 0) + 1}`;
}

function bounded(tool: string, text: string): string {
  if (text.length > mostCharacters) throw tooLong(tool);
  return text;
}

function tooLong(tool: string): SpellError {
  return new SpellError("tool-limit", `${tool}: expected a result of at most ${mostCharacters} characters, got a longer one`, {
    where: tool,
  });
}
