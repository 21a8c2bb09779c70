/** Tools of a call, as programs hand them in. */
import { SpellError } from "../errors.ts";
import { isObject } from "../json.ts";
import type { GenerateOptions, Tool } from "../spec/generate.ts";
import { wrongOption } from "./check-call.ts";

const mostTools = 128;
const descriptionLength = 100_000;
const fields = ["name", "description", "inputSchema"];

/** @throws SpellError run-option */
export function checkTools({ tools, toolChoice, parallelToolCalls, reasoning, ...others }: GenerateOptions): void {
  if (reasoning !== undefined && reasoning !== "auto" && reasoning !== "off") throw wrongOption("reasoning", "auto, off", reasoning);
  if (parallelToolCalls !== undefined && typeof parallelToolCalls !== "boolean")
    throw wrongOption("parallelToolCalls", "true or false", parallelToolCalls);
  if (tools !== undefined) checkList(tools);
  if (toolChoice === undefined) return;
  const named = isObject(toolChoice) ? toolChoice["name"] : undefined;
  if (!["auto", "none", "required"].includes(String(toolChoice)) && typeof named !== "string")
    throw wrongOption("toolChoice", 'auto, none, required, or { name: "…" }', toolChoice);
  const forces = toolChoice !== "auto" && toolChoice !== "none";
  if (!forces) return;
  if (tools === undefined || tools.length === 0) throw wrongOption("tools", "at least one beside toolChoice", tools ?? "none");
  if (named !== undefined && !tools.some(({ name }) => name === named))
    throw wrongOption("toolChoice", tools.map(({ name }) => name).join(", "), named);
  const held = heldForm(others);
  if (held !== undefined) throw new SpellError("run-option", `${held}: expected none where a tool has to be called`, { where: held });
}

function heldForm(options: GenerateOptions): string | undefined {
  return (["jsonSchema", "choices", "regex", "grammar"] as const).find((name) => options[name] !== undefined);
}

/** For what holds every answer to a form, so that no call could come. @throws SpellError run-option */
export function refuseForms(options: GenerateOptions): void {
  const held = heldForm(options);
  if (held === undefined) return;
  const message = `${held}: expected none beside tools that may be called; ask for it in a call of its own`;
  throw new SpellError("run-option", message, { where: held });
}

function checkList(tools: readonly Tool[]): void {
  if (!Array.isArray(tools)) throw wrongOption("tools", "a list of { name, description, inputSchema }", tools);
  if (tools.length > mostTools) throw wrongOption("tools", `at most ${mostTools}`, tools.length);
  const names = new Set<string>();
  for (const [i, tool] of (tools as readonly unknown[]).entries()) {
    const where = `tools[${i}]`;
    if (!isObject(tool)) throw wrongOption(where, "{ name, description, inputSchema }", tool);
    const unknown = Object.keys(tool).find((key) => !fields.includes(key) && tool[key] !== undefined);
    if (unknown === "execute")
      throw new SpellError("run-option", `${where}: expected no execute, which a model does not run; got one`, {
        where,
        hint: "generate() of a spell runs tools, and so do agents.",
      });
    if (unknown !== undefined) throw wrongOption(where, fields.join(", "), unknown);
    const { name, description } = tool;
    if (!isToolName(name)) throw wrongOption(`${where}.name`, "1–64 letters, digits, _ and -", name);
    if (names.has(name)) throw wrongOption(`${where}.name`, "a name of its own", name);
    names.add(name);
    if (description !== undefined && (typeof description !== "string" || description.length > descriptionLength))
      throw wrongOption(`${where}.description`, `text of at most ${descriptionLength} characters`, description);
  }
}

export function isToolName(value: unknown): value is string {
  return typeof value === "string" && /^[A-Za-z0-9_-]{1,64}$/.test(value);
}

/** For what has no form for tools: those that may not be called are passed over. @throws SpellError run-option */
export function refuseTools({ tools, toolChoice }: GenerateOptions, why: string): void {
  if (tools !== undefined && tools.length > 0 && toolChoice !== "none")
    throw new SpellError("run-option", `tools: expected none, got ${tools.length}; ${why}`, { where: "tools" });
}
