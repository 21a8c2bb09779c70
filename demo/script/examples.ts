/** The scripts of examples/ that make sense in a page: those that need a folder of their own, or jq, are left out. */
import type { ScriptEngine } from "../../src/browser/index.ts";

const files = import.meta.glob<string>(
  [
    "../../examples/scripts/*/*.{lua,js}",
    "!../../examples/scripts/cookbook/translate-folder.*",
    "!../../examples/scripts/features/tools.*",
  ],
  {
    query: "?raw",
    import: "default",
    eager: true,
  },
);

export interface Example {
  /** "getting-started/03-stream" */
  readonly name: string;
  readonly group: string;
  /** its first line: what it shows */
  readonly title: string;
  readonly texts: Readonly<Record<ScriptEngine, string>>;
  /** words of the command in its second line, behind the script */
  readonly args: string;
}

const groups = ["getting-started", "features", "cookbook"];

export const examples: readonly Example[] = Object.keys(files)
  .filter((path) => path.endsWith(".lua"))
  .map((path) => {
    const name = path.replace("../../examples/scripts/", "").replace(/\.lua$/, "");
    const [group = ""] = name.split("/");
    const lua = files[path] ?? "";
    const [first = "", command = ""] = lua.split("\n");
    return {
      name,
      group,
      title: first.replace(/^-- /, "").replace(/\.$/, ""),
      texts: { lua, javascript: files[path.replace(/lua$/, "js")] ?? "" },
      args: (/\.lua ([^<|]+)$/.exec(command)?.[1] ?? "").replace(/(^|\s)-- /, "$1").trim(),
    };
  })
  .sort((a, b) => groups.indexOf(a.group) - groups.indexOf(b.group) || a.name.localeCompare(b.name));

/** The one whose text this is. */
export const exampleOf = (text: string): Example | undefined =>
  examples.find(({ texts }) => texts.lua === text || texts.javascript === text);
