/** `{{path}}` in data, and conditions. Paths lead through own members alone; nothing is computed. Other words in braces, as of the tool `template`, stay. */
import { SpellError } from "../errors.ts";
import { isObject } from "../json.ts";
import { limits } from "../limits.ts";
import { wrong } from "./read.ts";
import { comparisons, type WorkflowScope } from "./types.ts";

const path = /\{\{\s*((?:input|steps|previous|item|index)(?:\.[^{}]{0,490}?)?)\s*\}\}/g;
const wholePath = new RegExp(`^${path.source}$`);

/** The value of a path; undefined where it leads nowhere. */
function lookUp(words: string, scope: WorkflowScope): unknown {
  let at: unknown = scope;
  for (const word of words.split(".")) {
    if (typeof at !== "object" || at === null || !Object.hasOwn(at, word)) return undefined;
    at = (at as Readonly<Record<string, unknown>>)[word];
  }
  return at;
}

/**
 * Data with its paths filled in: a text that is one path becomes its value, in longer texts values become text.
 * @throws SpellError workflow-failed for a path that leads nowhere
 */
export function fillIn(data: unknown, scope: WorkflowScope, depth = 0): unknown {
  if (depth > limits.scriptDepth)
    throw new SpellError("workflow-failed", `expected an input nested at most ${limits.scriptDepth} deep, got more`);
  if (Array.isArray(data)) return data.map((item) => fillIn(item, scope, depth + 1));
  if (isObject(data) && Object.getPrototypeOf(data) === Object.prototype)
    return Object.fromEntries(Object.entries(data).map(([name, inner]) => [name, fillIn(inner, scope, depth + 1)]));
  if (typeof data !== "string") return data;
  const whole = wholePath.exec(data)?.[1];
  if (whole !== undefined) return there(whole, scope);
  const filled = data.replace(path, (_, words: string) => {
    const value = there(words, scope);
    return typeof value === "string" ? value : JSON.stringify(value);
  });
  if (filled.length > limits.toolInputCharacters)
    throw new SpellError("workflow-limit", `expected an input of at most ${limits.toolInputCharacters} characters, got ${filled.length}`);
  return filled;
}

function there(words: string, scope: WorkflowScope): unknown {
  const value = lookUp(words, scope);
  if (value === undefined) throw new SpellError("workflow-failed", `expected a value at {{${words}}}, got none`, { where: words });
  return value;
}

/** @param call runs a function of the program or script @throws SpellError workflow-option, workflow-failed; of the function */
export async function holds(
  condition: unknown,
  scope: WorkflowScope,
  call: (own: unknown) => Promise<unknown> | undefined,
): Promise<boolean> {
  const called = call(condition);
  if (called !== undefined) return isTrue(await called);
  if (typeof condition === "boolean") return condition;
  if (typeof condition === "string") return isTrue(readValue(condition, scope));
  if (!isObject(condition) || !Object.hasOwn(condition, "value"))
    throw wrong("condition", "a function, true, false, a {{path}}, or a table with value, is and to", condition);
  const { is = "equals" } = condition;
  const value = typeof condition["value"] === "string" ? readValue(condition["value"], scope) : condition["value"];
  const to = fillIn(condition["to"], scope);
  switch (is) {
    case "exists":
      return value !== undefined && value !== null;
    case "equals":
      return isSame(value, to);
    case "not_equals":
      return !isSame(value, to);
    case "greater":
    case "less": {
      if (typeof value !== typeof to || (typeof value !== "number" && typeof value !== "string"))
        throw new SpellError("workflow-failed", `condition: expected two numbers or two texts for ${is}, got others`, {
          where: "condition",
        });
      return is === "greater" ? value > (to as typeof value) : value < (to as typeof value);
    }
    case "contains":
      if (typeof value === "string") return value.includes(String(to));
      return Array.isArray(value) && value.some((item) => isSame(item, to));
    default:
      throw wrong("condition.is", comparisons.join(", "), is);
  }
}

/** A lone path may lead nowhere: that is what a condition asks. */
function readValue(said: string, scope: WorkflowScope): unknown {
  const whole = /^\{\{\s*([^{}]{1,500}?)\s*\}\}$/.exec(said)?.[1];
  return whole === undefined ? fillIn(said, scope) : lookUp(whole, scope);
}

/** As scripts have it in both languages: nothing and false are not. */
function isTrue(value: unknown): boolean {
  return value !== undefined && value !== null && value !== false;
}

function isSame(a: unknown, b: unknown): boolean {
  return a === b || (typeof a === "object" && typeof b === "object" && JSON.stringify(a) === JSON.stringify(b));
}
