import { describe, expect, it } from "vitest";
import { parseArguments } from "../../../src/node/cli/args.ts";
import { commands } from "../../../src/node/cli/commands.ts";
import { showHelp } from "../../../src/node/cli/help.ts";
import { keptScreen } from "./support.ts";

async function helpOf(...argv: readonly string[]): Promise<string> {
  const request = parseArguments(argv);
  if (request.kind !== "help") throw new Error(`${argv.join(" ")} does not ask for help`);
  const shown = keptScreen();
  expect(await showHelp(request.topic, shown.screen)).toBe(0);
  expect(shown.err()).toBe("");
  return shown.out();
}

describe("help", () => {
  it.each(commands.map(({ name }) => name))("%s has usage, examples and exit codes, in 100 columns, asked in either way", async (name) => {
    const text = await helpOf("help", ...name.split(" "));
    for (const part of ["Usage  llmspell", "Examples\n", "Exit codes\n", "Global flags\n"]) expect(text).toContain(part);
    for (const line of text.split("\n")) expect(line.length, line).toBeLessThanOrEqual(100);
    if (name !== "help") expect(await helpOf(...name.split(" "), "--help")).toBe(text);
  });

  it("of serve says what a second Ctrl-C ends with", async () => {
    expect(await helpOf("help", "serve")).toMatch(/^Exit codes\n(.*\n)* {2}130 /m);
  });

  it("of model prune says what stays", async () => {
    expect(await helpOf("help", "model", "prune")).toContain("within the last hour stays");
  });
});
