/** `llmspell tool list`, `info` and `invoke`: the built-in tools and those of servers, by the rules of the configuration. */
import { SpellError } from "../../core/errors.ts";
import { isObject, parseWholeJson } from "../../core/json.ts";
import { didYouMean, nearest } from "../../core/nearest.ts";
import { scriptArguments } from "../../core/scripts/script-args.ts";
import type { ToolFacts } from "../../core/toolbox/types.ts";
import { shell } from "./advice.ts";
import { flagText } from "./args.ts";
import type { Context } from "./context.ts";
import { readAll } from "./input.ts";
import { quoteShort } from "./problems.ts";
import { shellQuote } from "./shell-quote.ts";
import { table } from "./table.ts";

export async function toolList({ flags, screen, openSpell }: Context): Promise<number> {
  const { tools } = await openSpell();
  const [category, tag] = [flagText(flags, "category"), flagText(flags, "tag")];
  const found = await tools.discover({ category, tag });
  if (found.length === 0) {
    const all = await tools.list();
    if (category !== undefined) checkWord("category", category, ["mcp", ...all.map((tool) => tool.category)]);
    if (tag !== undefined)
      checkWord(
        "tag",
        tag,
        all.flatMap(({ tags }) => tags),
      );
  }
  screen.document({
    status: "ok",
    tools: found.map(({ name, description, category, version, tags }) => ({ name, description, category, version, tags })),
  });
  const rows = found.map(({ name, category, description }) => [screen.clean(name), category, screen.clean(description)]);
  screen.writeOwn(table(screen, ["NAME", "CATEGORY", "WHAT IT DOES"], rows, { drops: ["CATEGORY"], isProse: true }));
  return 0;
}

/** @throws SpellError usage-value with the words that there are */
function checkWord(flag: string, asked: string, words: readonly string[]): void {
  const known = [...new Set(words)].sort();
  if (known.includes(asked)) return;
  const meant = didYouMean(nearest(asked, known));
  throw new SpellError("usage-value", `--${flag}: expected one of ${known.join(", ")}; got ${quoteShort(asked)}${meant}`, {
    where: `--${flag}`,
    actions: shell("llmspell tool list"),
  });
}

/** @throws SpellError tool-unknown */
export async function toolInfo(context: Context): Promise<number> {
  const { screen } = context;
  const facts = await factsOf(context);
  screen.document({ status: "ok", ...facts });
  const members = (schema: ToolFacts["parameters"]) => {
    const { properties, required } = schema as { readonly properties?: unknown; readonly required?: readonly string[] };
    return Object.entries(isObject(properties) ? properties : {}).map(([name, member]) => {
      const { type = "any", enum: words, description = "" } = isObject(member) ? member : {};
      const kind = [Array.isArray(words) ? words : type]
        .flat()
        .map((each) => (typeof each === "string" ? each : JSON.stringify(each)))
        .join(", ");
      const shown = screen.clean(name);
      return [required?.includes(name) === true ? shown : `[${shown}]`, screen.clean(kind), screen.clean(String(description))];
    });
  };
  screen.writeOwn(`${facts.name} ${screen.clean(facts.version)}, ${facts.category}\n${screen.clean(facts.description)}\n\n`);
  screen.writeOwn(table(screen, ["TAKES", "TYPE", ""], members(facts.parameters), { isProse: true }));
  screen.writeOwn("\n");
  screen.writeOwn(table(screen, ["GIVES", "TYPE", ""], members(facts.output), { isProse: true }));
  return 0;
}

/** @throws SpellError usage-value, tool-*, script-denied, net-* */
export async function toolInvoke(context: Context): Promise<number> {
  const { screen, interrupt, openSpell } = context;
  const facts = await factsOf(context);
  const input = await inputOf(context, facts);
  const { tools } = await openSpell();
  const started = performance.now();
  const output = await tools.execute(facts.name, input, { signal: interrupt.signal });
  screen.document({ status: "ok", tool: facts.name, duration_ms: Math.round(performance.now() - started), output }, ["output"]);
  const { result, problems, matches } = output;
  const text = typeof result === "string" ? result : JSON.stringify(result, null, 2);
  screen.write(text.endsWith("\n") ? text : `${text}\n`);
  // what changes the meaning of a result is not for JSON alone
  if (typeof matches === "boolean") screen.aside(matches ? "matches the expected one\n" : "does not match the expected one\n");
  for (const problem of Array.isArray(problems) ? problems : []) screen.note(String(problem));
  return 0;
}

async function factsOf({ operands, openSpell }: Context): Promise<ToolFacts> {
  const [name = ""] = operands;
  const { tools } = await openSpell();
  const facts = await tools.info(name);
  // not there: running it says so
  if (facts === undefined) await tools.execute(name, {});
  return facts as ToolFacts;
}

/** @throws SpellError usage-value */
async function inputOf(
  { operands, rest, behind = [], stdin, interrupt, screen }: Context,
  { name, parameters }: ToolFacts,
): Promise<unknown> {
  const [, json] = operands;
  const { properties } = parameters as { readonly properties?: unknown };
  const schemas = isObject(properties) ? properties : {};
  const shared = behind.find((flag) => Object.hasOwn(schemas, flag) || Object.hasOwn(schemas, flag.replaceAll("-", "_")));
  if (shared !== undefined)
    throw new SpellError("usage-value", `tool invoke ${name}: expected to know whose --${shared} is: llmspell and ${name} both have it`, {
      hint: `That of ${name} stands after --, or in JSON; that of llmspell stands before ${name}.`,
      where: `--${shared}`,
      actions: shell(`llmspell tool invoke ${shellQuote(name)} -- --${shared} …`, `llmspell tool invoke --${shared} … ${shellQuote(name)}`),
    });
  if (json === undefined) {
    const { positional, named } = scriptArguments("", [], rest);
    const [stray] = positional;
    if (stray !== undefined) throw new SpellError("usage-value", `tool invoke ${name}: expected --key value, got ${quoteShort(stray)}`);
    return Object.fromEntries(
      Object.entries(named).map(([key, text]) => {
        const own = Object.hasOwn(schemas, key) ? key : key.replaceAll("-", "_");
        return [own, readValue(text, Object.hasOwn(schemas, own) ? schemas[own] : undefined)];
      }),
    );
  }
  if (rest.length > 0) throw new SpellError("usage-value", `tool invoke ${name}: expected JSON or flags, got both`);
  const text = json === "-" && stdin !== undefined ? await readAll(stdin, interrupt.signal, screen) : json;
  const wrong = (cause?: unknown): SpellError =>
    new SpellError("usage-value", `tool invoke ${name}: expected a JSON object, such as '{"name": "value"}', got ${quoteShort(text)}`, {
      where: "JSON",
      cause,
    });
  let input: unknown;
  try {
    input = parseWholeJson(text);
  } catch (cause) {
    throw wrong(cause);
  }
  if (!isObject(input)) throw wrong();
  return input;
}

/** A flag's text as the schema has it: texts as they are, the rest as JSON. */
function readValue(text: string, schema: unknown): unknown {
  if (isObject(schema) && schema["type"] === "string") return text;
  try {
    return parseWholeJson(text);
  } catch {
    return text;
  }
}
