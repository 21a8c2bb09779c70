import { describe, expect, it } from "vitest";
import { table } from "../../../src/node/cli/table.ts";

const plain = (text: string): string => text;
const screen = (columns: number, outIsTerminal = true) => ({
  out: { dim: plain } as Parameters<typeof table>[0]["out"],
  columns,
  outIsTerminal,
  clean: plain,
});
const head = ["NAME", "KIND", "LICENSE", "DESCRIPTION"];
const rows = [["tiny-stories", "story", "Apache-2.0", "Writes short stories for children; in the package"]];

describe("a list in columns", () => {
  it("keeps every column and whole lines in a pipe", () => {
    expect(table(screen(20, false), head, rows, { isProse: true, drops: ["LICENSE"] })).toBe(
      "NAME          KIND   LICENSE     DESCRIPTION\ntiny-stories  story  Apache-2.0  Writes short stories for children; in the package\n",
    );
  });

  it("wraps text between words on a terminal, under itself", () => {
    expect(table(screen(70), head, rows, { isProse: true, drops: ["LICENSE"] })).toBe(
      [
        "NAME          KIND   LICENSE     DESCRIPTION",
        "tiny-stories  story  Apache-2.0  Writes short stories for children; in",
        `${" ".repeat(33)}the package`,
        "",
      ].join("\n"),
    );
  });

  it("leaves out the columns named for it, in their order, where a terminal is narrow", () => {
    const heads = [64, 60, 45].map(
      (columns) => table(screen(columns), head, rows, { isProse: true, drops: ["LICENSE", "KIND"] }).split("\n")[0],
    );
    expect(heads).toEqual([
      "NAME          KIND   LICENSE     DESCRIPTION",
      "NAME          KIND   DESCRIPTION",
      "NAME          DESCRIPTION",
    ]);
  });

  it("wraps nothing that is to be copied", () => {
    const name = "hf:Qwen/Qwen2.5-0.5B-Instruct-GGUF:Q4_K_M";
    expect(table(screen(30), ["NAME", "SIZE"], [[name, "1 GB"]])).toContain(`${name}  1 GB\n`);
  });
});
