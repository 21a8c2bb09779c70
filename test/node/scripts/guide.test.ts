/** docs/scripts.md as a reader follows it: its files are saved, its commands typed, and what they print is what it says. */
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { root } from "../../support.ts";
import { bin, cleanEnv } from "../cli/support.ts";

interface Block {
  readonly line: number;
  readonly language: string;
  readonly text: string;
}

const page = readFileSync(join(root, "docs/scripts.md"), "utf8");
const blocks: readonly Block[] = [...page.matchAll(/^```(\w+)\n(.*?)^```$/gms)].map(({ index, 1: language = "", 2: text = "" }) => ({
  line: page.slice(0, index).split("\n").length,
  language,
  text,
}));
const folder = mkdtempSync(join(tmpdir(), "llmspell-guide-"));
mkdirSync(join(folder, "node_modules"));
symlinkSync(root, join(folder, "node_modules/llmspell"), "junction");

function type(command: string, input = "") {
  const line = command.replace("npx llmspell", `"${process.execPath}" "${bin}"`);
  return spawnSync(line, { shell: true, cwd: folder, env: cleanEnv, input, encoding: "utf8" });
}

describe("docs/scripts.md", () => {
  it.each(blocks.filter(({ language }) => language !== "text"))("line $line: $language", ({ line, language, text }) => {
    if (language === "ts") {
      writeFileSync(join(folder, "program.mjs"), text);
      expect(type("node program.mjs")).toMatchObject({ status: 0, stderr: "", stdout: expect.stringMatching(/^asking\n string \d\n$/) });
      return;
    }
    if (language !== "sh") {
      // the first line names the file
      const [, name = ""] = /^(?:--|\/\/|#) (\S+\.\w+)\n/.exec(text) ?? [];
      expect(name).not.toBe("");
      writeFileSync(join(folder, name), text);
      return;
    }
    const next = blocks[blocks.findIndex((block) => block.line === line) + 1];
    const shown = next?.language === "text" ? next.text : undefined;
    // of the shell: what is typed stands behind its prompt
    const typed = (shown ?? "").split("\n").flatMap((row) => (row.startsWith("lua> ") ? [row.slice(5)] : []));
    let printed = "";
    for (const command of text.trimEnd().split("\n")) {
      const { stdout, stderr, status } = type(command, typed.length === 0 ? "" : `${typed.join("\n")}\n`);
      expect({ stderr, status }).toMatchObject({ status: Number(/# exits (\d+)$/.exec(command)?.[1] ?? 0) });
      printed += stdout;
    }
    if (shown === undefined) return;
    expect(printed).toBe(shown.replaceAll(/^lua> .*\n/gm, ""));
  });
});
