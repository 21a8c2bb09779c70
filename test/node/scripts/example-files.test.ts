/** Every script of examples/ by the command in its head: it ends well, and both languages say the same. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { root } from "../../support.ts";
import { cli } from "../cli/support.ts";

const folder = "examples/scripts";
const names = readdirSync(join(root, folder), { recursive: true, encoding: "utf8" })
  .filter((name) => name.endsWith(".lua"))
  .map((name) => name.slice(0, -4).replaceAll("\\", "/"))
  .sort();

/** The second line: variables, the command, and what is piped to it, which tests leave out. */
function commandOf(path: string): { readonly args: readonly string[]; readonly env: Readonly<Record<string, string>> } {
  const line = readFileSync(join(root, path), "utf8").split("\n")[1] ?? "";
  const [, variables = "", words = ""] = /^(?:--|\/\/) {3}(?:.*\| )?((?:[A-Z_]+=\S+ )*)llmspell ([^<|]+)/.exec(line) ?? [];
  const args = [...words.matchAll(/'([^']*)'|(\S+)/g)].map(([, quoted, plain]) => quoted ?? plain ?? "");
  return {
    args,
    env: Object.fromEntries(
      variables
        .trim()
        .split(" ")
        .filter((each) => each !== "")
        .map((each) => each.split("=") as [string, string]),
    ),
  };
}

describe("examples of scripts", () => {
  it("are there in both languages", () => {
    expect(names.length).toBeGreaterThanOrEqual(20);
    for (const name of names) expect(commandOf(`${folder}/${name}.js`).args).toContain(`${folder}/${name}.js`);
  });

  it.each(names)("%s says the same in Lua and JavaScript", async (name) => {
    const said: string[] = [];
    for (const ending of ["lua", "js"]) {
      const { args, env } = commandOf(`${folder}/${name}.${ending}`);
      const { stdout, stderr, status } = await cli(args, { env, cwd: root, input: "" });
      expect({ status, stderr: status === 0 ? "" : stderr }).toEqual({ status: 0, stderr: "" });
      said.push(
        stdout
          .replace(/\s+/g, " ")
          .replace(/^false /, "")
          .trim(),
      );
    }
    expect(said[0]).not.toBe("");
    expect(said[1]).toBe(said[0]);
  });
});
