/** Every script of the folders below with the arguments of the command in its head: it ends well, and both languages say the same. */
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { scriptArguments } from "../../../src/core/scripts/script-args.ts";
import { parseArguments } from "../../../src/node/cli/args.ts";
import { createSpell } from "../../../src/node/main.ts";
import { root } from "../../support.ts";

const folders = ["examples/mcp", "examples/rag", "examples/scripts", "examples/sessions"];
const names = folders
  .flatMap((folder) => readdirSync(join(root, folder), { recursive: true, encoding: "utf8" }).map((name) => `${folder}/${name}`))
  .filter((name) => name.endsWith(".lua"))
  .map((name) => name.slice(0, -4).replaceAll("\\", "/"))
  .sort();
/** What the commands in their heads set. */
const env = {
  LLMSPELL_RUNTIME_SECURITY_ALLOW_FILE_ACCESS: "true",
  LLMSPELL_RUNTIME_SESSIONS_ENABLED: "true",
  LLMSPELL_HOOKS_ENABLED: "true",
  LLMSPELL_RAG_ENABLED: "true",
  LLMSPELL_TOOLS_MCP_SERVERS: "garden = node examples/mcp/server.mjs",
};

/** The second line: variables, the command, and what is piped to it, which is left out here. */
function commandOf(source: string): readonly string[] {
  const [, words = ""] = /^(?:--|\/\/) {3}(?:.*\| )?(?:[A-Z_]+=\S+ )*llmspell ([^<|]+)/.exec(source.split("\n")[1] ?? "") ?? [];
  return [...words.matchAll(/'([^']*)'|(\S+)/g)].map(([, quoted, plain]) => quoted ?? plain ?? "");
}

describe("examples of scripts", () => {
  // models stay loaded from one script to the next
  const spell = createSpell({ profile: "candle", env });
  afterAll(() => spell.dispose());

  it("are many", () => expect(names.length).toBeGreaterThanOrEqual(20));

  it.each(names)("%s says the same in Lua and JavaScript", async (name) => {
    const said: string[] = [];
    for (const ending of ["lua", "js"]) {
      const path = `${name}.${ending}`;
      const source = readFileSync(join(root, path), "utf8");
      const request = parseArguments(commandOf(source));
      if (request.kind !== "command") throw new Error(`${path}: expected a command in its second line`);
      const [script, ...operands] = request.operands;
      expect([request.command.name, script]).toEqual(["run", path]);
      const { positional, named } = scriptArguments(path, operands, request.rest);
      const { output = "" } = await spell.scripts.run(source, {
        name: path,
        args: { positional, named },
        folder: dirname(join(root, path)),
      });
      said.push(
        output
          .replace(/\s+/g, " ")
          .replace(/^false /, "")
          .trim(),
      );
    }
    expect(said[0]).not.toBe("");
    expect(said[1]).toBe(said[0]);
  });
});
