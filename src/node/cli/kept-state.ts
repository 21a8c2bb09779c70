/** `llmspell state get|set|list|clear`: what scripts keep with State. */
import { SpellError } from "../../core/errors.ts";
import { parseWholeJson } from "../../core/json.ts";
import { createState, type State } from "../../core/state/state.ts";
import { checkText } from "./args.ts";
import { confirm } from "./ask.ts";
import type { Context } from "./context.ts";
import { plural } from "./format.ts";
import { needKept } from "./kept.ts";

/** @throws SpellError state-disabled where nothing is kept; whatever `work` throws */
async function withState<T>({ config, openSpell }: Context, work: (state: State) => Promise<T>): Promise<T> {
  const { config: values } = await config();
  const { state_persistence: settings } = values.runtime;
  needKept("state-disabled", "runtime.state_persistence", settings.enabled, "backend_type", settings.backend_type);
  const state = createState(values, (await openSpell()).platform);
  try {
    return await work(state);
  } finally {
    await state.close();
  }
}

/** @throws SpellError state-unknown where there is none */
export function stateGet(context: Context): Promise<number> {
  const { operands, screen } = context;
  const [scope = "", key = ""] = operands;
  return withState(context, async (state) => {
    const value = await state.load(scope, key);
    if (value === undefined) {
      throw new SpellError("state-unknown", `no value ${key} in scope ${scope}`, {
        where: key,
        hint: "See what there is with state list.",
      });
    }
    screen.document({ status: "ok", scope, key, value });
    screen.writeOwn(`${screen.whole(typeof value === "string" ? value : JSON.stringify(value, undefined, 2))}\n`);
    return 0;
  });
}

/** @throws SpellError usage-value for an empty scope or key: a variable of a shell that holds nothing */
export function stateSet(context: Context): Promise<number> {
  const [scope = "", key = "", text = ""] = context.operands;
  checkText(scope, "SCOPE");
  checkText(key, "KEY");
  return withState(context, async (state) => {
    const value = readValue(text);
    await state.save(scope, key, value);
    context.screen.document({ status: "ok", scope, key, value });
    return 0;
  });
}

export function stateList(context: Context): Promise<number> {
  const { operands, screen } = context;
  const [scope] = operands;
  return withState(context, async (state) => {
    const names = scope === undefined ? await state.listScopes() : await state.listKeys(scope);
    screen.document(scope === undefined ? { status: "ok", scopes: names } : { status: "ok", scope, keys: names });
    screen.writeOwn(names.map((name) => `${screen.clean(lineOf(name))}\n`).join(""));
    return 0;
  });
}

/** One name, one line: what a line cannot hold is written as in JSON. */
function lineOf(name: string): string {
  return name === "" || /[\p{Cc}\u2028\u2029]/u.test(name) ? JSON.stringify(name) : name;
}

/** @throws SpellError usage-confirm */
export function stateClear(context: Context): Promise<number> {
  const { operands, flags, screen } = context;
  const [scope = ""] = operands;
  return withState(context, async (state) => {
    const count = (await state.listKeys(scope)).length;
    if (count > 0 && !flags.has("yes")) await confirm(context, `Forget ${plural(count, "value")} of ${scope}?`, "nothing was forgotten");
    const cleared = await state.clear(scope);
    screen.document({ status: "ok", scope, cleared });
    screen.writeOwn(`${plural(cleared, "value")} forgotten\n`);
    return 0;
  });
}

/** JSON, else the text itself. As in scripts, a number that a double cannot hold stays a text of all its digits. */
function readValue(text: string): unknown {
  try {
    return parseWholeJson(text);
  } catch {
    return text;
  }
}
