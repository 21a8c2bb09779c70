/** `Tool`: the built-in tools and those of servers, by the rules of the configuration. */

import type { Watch } from "../../events/watch.ts";
import type { ServerTarget } from "../../toolbox/mcp/servers.ts";
import type { Toolbox } from "../../toolbox/toolbox.ts";
import { any, either, list, optional, options, text } from "../arguments.ts";
import { now, type ScriptFunctions, waits } from "../bind.ts";

const serverTarget = either(
  "server",
  text("name"),
  options("server", [optional(text("command")), optional(list("args", text("argument"))), optional(text("url"))]),
);

export function toolGlobal(toolbox: Toolbox, watch: Watch): ScriptFunctions {
  return {
    connect: waits([serverTarget], (target) => toolbox.connect(target as ServerTarget)),
    list: now([], () => toolbox.list()),
    get: now([text("name")], (name) => toolbox.info(name)),
    execute: waits([text("name"), optional(any("params"))], (name, params = {}, context) =>
      watch({ kind: "tool", name, input: params, context, redirect: (target, input) => toolbox.execute(target, input) }, (input) =>
        toolbox.execute(name, input),
      ),
    ),
    exists: now([text("name")], async (name) => toolbox.has(name) && (await toolbox.info(name)) !== undefined),
    categories: now([], () => toolbox.categories()),
    discover: now([optional(options("filter", [optional(text("category")), optional(text("tag"))]))], (filter) =>
      toolbox.discover(filter ?? {}),
    ),
  };
}
