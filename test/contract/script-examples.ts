/** The examples of docs/script-globals.md, each run as it stands. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createSpell, type Spell } from "../../src/core/api/spell.ts";
import type { Platform, ScriptFiles, ScriptRuntime } from "../../src/core/platform.ts";
import { bind } from "../../src/core/scripts/bind.ts";
import { scriptGlobals } from "../../src/core/scripts/globals/index.ts";
import { openSession, type ScriptSession } from "../../src/core/scripts/session.ts";
import { documented } from "../../tools/script-globals.mjs";

/** @param files of a folder of its own */
export function describeExamples(runtime: ScriptRuntime, platform: () => Platform, files: () => ScriptFiles): void {
  for (const language of ["lua", "javascript"] as const) {
    describe(`examples of the globals in ${language}`, () => {
      let spell: Spell;
      let session: ScriptSession;
      let output = "";
      beforeAll(async () => {
        spell = createSpell({
          platform: platform(),
          env: {},
          config: {
            runtime: { security: { allow_file_access: true, allowed_env: ["LANG"] }, sessions: { enabled: true } },
            hooks: { enabled: true },
            rag: { enabled: true },
          },
        });
        const config = await spell.config();
        const parts = {
          engine: language,
          wire: await runtime.start(language, 64 * 1024 * 1024),
          settings: { stdlib: "All", isDebug: false, hasConsole: true, hasFiles: true },
          limits: { memoryBytes: 64 * 1024 * 1024, timeoutMs: 20_000, outputBytes: 1e6, runMs: 120_000 },
          now: () => performance.now(),
          onOutput: (piece: string) => {
            output += piece;
          },
          onLog: () => undefined,
        } as const;
        session = openSession(parts, (signal) =>
          bind(scriptGlobals({ spell, config, language, signal, files: files(), env: { LANG: "C" }, log: () => undefined })),
        );
      });
      afterAll(async () => {
        await session?.close();
        await spell?.dispose();
      });

      it.each(Object.entries(documented))("%s", async (_name, { lua, js }) => {
        output = "";
        const source = language === "lua" ? lua : js;
        await session.run({ source, name: language === "lua" ? "example.lua" : "example.js" });
        if (/\bprint\(/.test(source)) expect(output).not.toBe("");
        expect(output).not.toContain("undefined");
        const tidy =
          language === "lua"
            ? "for _, name in ipairs(Agent.list_instances()) do Agent.get(name):destroy() end"
            : "for (const name of Agent.listInstances()) Agent.get(name).destroy();";
        await session.run({ source: tidy, name: "tidy" });
      });

      it("Debug.stackTrace", async () => {
        output = "";
        const source =
          language === "lua"
            ? "local function inner() print(Debug.stack_trace()) end\ninner()"
            : "function inner() { print(Debug.stackTrace()); }\ninner();";
        await session.run({ source, name: "example" });
        expect(output).toContain("inner");
        expect(output).toContain("example");
      });
    });
  }
}
