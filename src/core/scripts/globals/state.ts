/** `State`: values that a script keeps. */
import type { Events } from "../../events/events.ts";
import type { State } from "../../state/state.ts";
import { data, text } from "../arguments.ts";
import { now, type ScriptFunctions } from "../bind.ts";

/** @param events told of changes, without their values; absent: `events.emit_state_events` is off */
export function stateGlobal(state: State, events?: Pick<Events, "publish">): ScriptFunctions {
  const [scope, key] = [text("scope"), text("key")];
  return {
    save: now([scope, key, data("value")], async (inScope, name, value) => {
      await state.save(inScope, name, value);
      events?.publish("state.saved", { scope: inScope, key: name });
    }),
    load: now([scope, key], (inScope, name) => state.load(inScope, name)),
    delete: now([scope, key], async (inScope, name) => {
      const wasThere = await state.delete(inScope, name);
      if (wasThere) events?.publish("state.deleted", { scope: inScope, key: name });
      return wasThere;
    }),
    list_keys: now([scope], (given) => state.listKeys(given)),
    list_scopes: now([], () => state.listScopes()),
    clear: now([scope], async (given) => {
      const count = await state.clear(given);
      if (count > 0) events?.publish("state.cleared", { scope: given, count });
      return count;
    }),
  };
}
