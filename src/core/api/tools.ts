/** `spell.tools`; the toolbox is imported with its first use. */
import type { Toolbox, ToolboxHost } from "../toolbox/toolbox.ts";

/** The built-in tools, by the rules of the configuration. */
export type Tools = Omit<Toolbox, "has" | "close">;

/** @returns `close` ends the servers that were opened */
export function lazyTools(host: ToolboxHost): { readonly tools: Tools; readonly close: () => Promise<void> } {
  let opened: Promise<Toolbox> | undefined;
  const open = (): Promise<Toolbox> => {
    opened ??= import("../toolbox/toolbox.ts").then(({ createToolbox }) => createToolbox(host));
    return opened;
  };
  const tools: Tools = {
    connect: async (target) => (await open()).connect(target),
    list: async () => (await open()).list(),
    info: async (name) => (await open()).info(name),
    get: async (name) => (await open()).get(name),
    execute: async (...call) => (await open()).execute(...call),
    categories: async () => (await open()).categories(),
    discover: async (filter) => (await open()).discover(filter),
  };
  return { tools, close: async () => (await opened)?.close() };
}
