/** `Tool`: the built-in tools, by the rules of the configuration. */

import type { Watch } from "../../events/watch.ts";
import type { Toolbox } from "../../toolbox/toolbox.ts";
import { any, optional, options, text } from "../arguments.ts";
import { now, type ScriptFunctions, waits } from "../bind.ts";

export function toolGlobal(toolbox: Toolbox, watch: Watch): ScriptFunctions {
  return {
    list: now([], () => toolbox.list()),
    get: now([text("name")], (name) => toolbox.info(name)),
    execute: waits([text("name"), optional(any("params"))], (name, params = {}, context) =>
      watch({ kind: "tool", name, input: params, context, redirect: (target, input) => toolbox.execute(target, input) }, (input) =>
        toolbox.execute(name, input),
      ),
    ),
    exists: now([text("name")], (name) => toolbox.has(name)),
    categories: now([], () => toolbox.categories()),
    discover: now([optional(options("filter", [optional(text("category")), optional(text("tag"))]))], (filter) =>
      toolbox.discover(filter ?? {}),
    ),
  };
}
