/** What requests of Ollama's own API say beside their texts. Source: docs/api.md of Ollama 0.6.5, and what its server takes. */
import type { GenerateOptions } from "../spec/generate.ts";
import type { JsonSchema } from "../spec/schema.ts";
import { type ParameterRule, parameterRules } from "../text/parameters.ts";
import { Fields, ignored, type Note } from "./fields.ts";
import { leastShare, readMaxTokens, readSampling } from "./options.ts";

/** Programs add `:latest` to a name without a tag; a name of a server's model has its own. */
export function nameOf(fields: Fields): string {
  const [model, older] = [fields.text("model"), fields.text("name")];
  return (model || older || fields.needed("model")).replace(/:latest$/, "");
}

/** `options`, `format` and `think`. */
export function readOptions(fields: Fields, notes: Note[]): GenerateOptions {
  const given = new Fields(inRange(fields.json("options") ?? {}, notes), "options");
  const length = given.raw("num_predict");
  if (length !== undefined && typeof length !== "number")
    throw given.wrong("num_predict", "a number of tokens, 0 or less for as many as the context holds");
  const maxTokens = readMaxTokens(given, "num_predict");
  const sampling = readSampling(given);
  given.raw("num_ctx"); // what it is here is known with the model
  notes.push(...given.unread(false));
  const format = fields.raw("format");
  const jsonSchema = format === "json" ? { type: "object" } : format === "" ? undefined : format;
  if (typeof jsonSchema === "string") throw fields.wrong("format", "json or a JSON schema");
  const thinks = fields.raw("think");
  if (thinks !== undefined && typeof thinks !== "boolean") {
    fields.one("think", ["low", "medium", "high"]);
    notes.push(ignored("think: the model decides by itself how long it thinks; only false has an effect"));
  }
  return {
    ...sampling,
    ...(maxTokens !== undefined && { maxTokens }),
    ...(jsonSchema !== undefined && { jsonSchema: jsonSchema as JsonSchema }),
    ...(thinks === false && { reasoning: "off" as const }),
  };
}

type Options = Readonly<Record<string, unknown>>;

const most = Number.MAX_VALUE;
const { max: mostTokens } = ruleOf("num_predict") ?? { max: 0 };

function ruleOf(name: string): ParameterRule | undefined {
  return parameterRules.find(({ snakeName }) => snakeName === (name === "num_predict" ? "max_tokens" : name));
}

/** Ollama takes every number: one beyond the range here is the nearest of it, and is told where that is another answer. */
function inRange(options: Options, notes: Note[]): Options {
  const read = Object.entries(options).map(([name, value]): [string, unknown] => {
    const rule = ruleOf(name);
    if (rule === undefined || typeof value !== "number") return [name, value];
    const number = rule.integer ? Math.trunc(value) : value;
    // a random one, and one of 32 bits
    if (name === "seed") return [name, number < 0 ? undefined : number % 2 ** 32];
    // until the context is full
    if (name === "num_predict" && number <= 0) return [name, mostTokens];
    const least = rule.above === true ? leastShare : rule.min;
    const taken = Math.min(Math.max(number, least), rule.max);
    if (taken !== number && !(same.get(name)?.(number) ?? false))
      notes.push(ignored(`options.${name}: ${value} is beyond its range here; ${taken} is taken`));
    return [name, taken];
  });
  return Object.fromEntries(read);
}

/** Where the nearest number is the same answer: all tokens, none but the likeliest, and so on. */
const same: ReadonlyMap<string, (given: number) => boolean> = new Map<string, (given: number) => boolean>([
  ["temperature", (given) => given < 0],
  ["top_p", () => true],
  ["top_k", () => true],
  ["min_p", () => true],
]);

/** Less than one asks for none of its own. */
export function readContextSize(options: Options = {}): number | undefined {
  const size = new Fields(options, "options").number("num_ctx", -most, most);
  return size === undefined || size < 1 ? undefined : Math.trunc(size);
}

/** @returns seconds, or a negative number: for ever. As Go writes times: `5m`, `1h30m`, `-1s` */
export function readKeepAlive(fields: Fields): number | undefined {
  const given = fields.raw("keep_alive");
  if (given === undefined || typeof given === "number") return given;
  const [, sign = "", times = ""] =
    (typeof given === "string" &&
      given.length <= 64 &&
      /^([-+]?)((?:(?:\d+(?:\.\d*)?|\.\d+)(?:ns|us|\u00b5s|\u03bcs|ms|s|m|h))+|0)$/.exec(given)) ||
    [];
  if (times === "") throw fields.wrong("keep_alive", 'seconds, or a time such as "5m"');
  const seconds = [...times.matchAll(/([\d.]+)([a-z\u00b5\u03bc]+)/g)].reduce(
    (sum, [, count, unit = ""]) => sum + Number(count) * (units[unit] ?? 0),
    0,
  );
  return sign === "-" ? -seconds : seconds;
}

const units: Readonly<Record<string, number>> = { ns: 1e-9, us: 1e-6, "\u00b5s": 1e-6, "\u03bcs": 1e-6, ms: 1e-3, s: 1, m: 60, h: 3600 };
