/** `State`: values that a script keeps. */
import type { State } from "../../state/state.ts";
import { data, text } from "../arguments.ts";
import { now, type ScriptFunctions } from "../bind.ts";

export function stateGlobal(state: State): ScriptFunctions {
  const [scope, key] = [text("scope"), text("key")];
  return {
    save: now([scope, key, data("value")], (...given) => state.save(...given)),
    load: now([scope, key], (...given) => state.load(...given)),
    delete: now([scope, key], (...given) => state.delete(...given)),
    list_keys: now([scope], (given) => state.listKeys(given)),
    list_scopes: now([], () => state.listScopes()),
    clear: now([scope], (given) => state.clear(given)),
  };
}
