/** `spell.tools`; the toolbox is imported with its first use. */
import type { Toolbox, ToolboxHost } from "../toolbox/toolbox.ts";
import { once } from "../values.ts";

/** The built-in tools, by the rules of the configuration. */
export type Tools = Omit<Toolbox, "has">;

export function lazyTools(host: ToolboxHost): Tools {
  const open = once(async () => (await import("../toolbox/toolbox.ts")).createToolbox(host));
  return {
    list: async () => (await open()).list(),
    info: async (name) => (await open()).info(name),
    get: async (name) => (await open()).get(name),
    execute: async (...call) => (await open()).execute(...call),
    categories: async () => (await open()).categories(),
    discover: async (filter) => (await open()).discover(filter),
  };
}
