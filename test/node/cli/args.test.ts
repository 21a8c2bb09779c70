import { describe, expect, it } from "vitest";
import { SpellError } from "../../../src/core/errors.ts";
import { editDistance, nearest } from "../../../src/core/nearest.ts";
import { parameterRules } from "../../../src/core/text/parameters.ts";
import { commandsOf } from "../../../src/node/cli/advice.ts";
import { parseArguments, scanGlobalFlags } from "../../../src/node/cli/args.ts";
import { commands, laterCommands } from "../../../src/node/cli/commands.ts";
import { globalFlags } from "../../../src/node/cli/flags.ts";
import { shellQuote } from "../../../src/node/cli/shell-quote.ts";
import { soonMs } from "../../support/soon.ts";

function errorOf(...argv: string[]): SpellError {
  try {
    parseArguments(argv);
  } catch (error) {
    if (error instanceof SpellError) return error;
    throw error;
  }
  throw new Error(`${argv.join(" ")} was accepted`);
}

function parsed(...argv: string[]) {
  const request = parseArguments(argv);
  if (request.kind !== "command") throw new Error(`expected a command, got ${request.kind}`);
  return { name: request.command.name, operands: request.operands, flags: Object.fromEntries(request.flags) };
}

describe("command line", () => {
  it("takes global flags before and after the command", () => {
    const before = parsed("--output", "json", "-q", "generate", "Hi");
    expect(parsed("generate", "--output", "json", "Hi", "-q")).toEqual(before);
    expect(before).toEqual({ name: "generate", operands: ["Hi"], flags: { output: ["json"], quiet: [] } });
  });

  it("takes a value after a space, after =, and joined to a short flag", () => {
    for (const form of [["-m", "x"], ["-mx"], ["-m=x"], ["--model", "x"], ["--model=x"]]) {
      expect(parsed("generate", ...form).flags, form.join(" ")).toEqual({ model: ["x"] });
    }
    expect(parsed("generate", "--system=a=b").flags).toEqual({ system: ["a=b"] });
    expect(parsed("generate", "--system=").flags).toEqual({ system: [""] });
  });

  it("reads negative numbers as values and as operands, never as flags", () => {
    expect(parsed("generate", "--presence-penalty", "-1.5").flags).toEqual({ "presence-penalty": ["-1.5"] });
    expect(parsed("generate", "-5").operands).toEqual(["-5"]);
    expect(parsed("generate", "--repeat-last-n", "-1").flags).toEqual({ "repeat-last-n": ["-1"] });
  });

  it("gives everything after -- to the operands", () => {
    expect(parsed("generate", "--", "--raw").operands).toEqual(["--raw"]);
    expect(parsed("generate", "-").operands).toEqual(["-"]);
  });

  it("collects --stop, and keeps the rest single", () => {
    expect(parsed("generate", "--stop", "a", "--stop=b").flags).toEqual({ stop: ["a", "b"] });
    expect(parsed("generate", "--seed", "7", "--seed", "7").flags).toEqual({ seed: ["7"] });
    expect(errorOf("generate", "--seed", "7", "--seed", "8")).toMatchObject({
      code: "usage-value",
      message: '--seed was given twice, with "7" and "8"',
    });
  });

  it("reads choices without regard to case", () => {
    expect(parsed("generate", "--device", "CPU").flags).toEqual({ device: ["cpu"] });
    expect(errorOf("generate", "--device", "gpu")).toMatchObject({ code: "usage-value", where: "--device" });
  });

  it("has a flag for every numeric parameter, and checks its range", () => {
    for (const rule of parameterRules) {
      const flag = `--${rule.snakeName.replaceAll("_", "-")}`;
      expect(parsed("generate", flag, String(rule.max)).flags, flag).toEqual({ [flag.slice(2)]: [String(rule.max)] });
      const error = errorOf("generate", flag, String(rule.max + 1));
      expect(error.code, flag).toBe("usage-value");
      expect(error.message, flag).toContain(`${rule.min} … ${rule.max}`);
    }
  });

  it("names every command and flag once", () => {
    const names = [...commands.flatMap(({ name, aliases = [] }) => [name, ...aliases]), ...laterCommands];
    expect(new Set(names).size).toBe(names.length);
    for (const command of commands) {
      const words = [...globalFlags, ...command.flags].flatMap(({ name, short }) => [name, ...(short === undefined ? [] : [short])]);
      expect(new Set(words).size, command.name).toBe(words.length);
    }
  });

  it("G75: an unknown flag names the nearest, or the commands that have it", () => {
    expect(errorOf("generate", "--temprature", "1")).toMatchObject({
      code: "usage-unknown",
      message: expect.stringContaining("--temperature"),
    });
    expect(errorOf("generate", "--top_p", "1").message).toContain("--top-p");
    expect(errorOf("doctor", "--max-tokens", "1").message).toContain("have it");
    expect(errorOf("--model", "x", "generate").message).toContain("stands after the command");
    expect(errorOf("generate", "-z").code).toBe("usage-unknown");
  });

  it("G75: a flag without its value says so, also where another flag follows", () => {
    expect(errorOf("generate", "--max-tokens").message).toContain("got none");
    expect(errorOf("generate", "--system", "--raw").message).toContain("--system=--raw");
    expect(errorOf("generate", "--raw=yes").message).toContain("takes no value");
  });

  it.each(["abc", "", "0x10", "1e999", "NaN", "1,5", " 1"])("G75: %j is no number", (text) => {
    expect(errorOf("generate", `--temperature=${text}`)).toMatchObject({ code: "usage-value", where: "--temperature" });
  });

  it("G75: flags that exclude each other are refused", () => {
    const error = errorOf("-p", "a", "-c", "b", "generate", "x");
    expect(error).toMatchObject({ code: "config-conflict", message: "--profile a and --config b exclude each other" });
    expect(commandsOf(error, [])).toEqual(["llmspell config init --from a --file my.toml"]);
  });

  it("G75: an argument of 1 MiB is answered at once, in a message of one line", () => {
    const long = "x".repeat(1024 * 1024);
    for (const argv of [
      [long],
      [`--${long}`],
      ["generate", `--${long}`],
      ["generate", "--seed", long],
      ["generate", "--device", long],
      ["doctor", "a", long],
    ]) {
      const started = performance.now();
      const error = errorOf(...argv);
      expect(performance.now() - started).toBeLessThan(soonMs);
      expect(error.message.length).toBeLessThan(300);
      expect(error.exitCode).toBe(2);
    }
    expect(parsed("generate", long).operands).toEqual([long]);
  });

  it("takes names of object properties for what they are: unknown", () => {
    for (const name of ["__proto__", "constructor", "toString"]) {
      expect(errorOf(name).code).toBe("usage-unknown");
      expect(errorOf("generate", `--${name}`, "1").code).toBe("usage-unknown");
    }
  });

  it.each([
    ["generat", "llmspell generate"],
    ["genrate", "llmspell generate"],
    ["gen", "llmspell generate"],
    ["CHAT", "llmspell chat"],
    ["modl", "llmspell help model"],
    ["docter", "llmspell doctor"],
    ["Once upon a time", 'llmspell generate "Once upon a time"'],
    ["it's $5", `llmspell generate 'it'\\''s $5'`],
    ["./model.gguf", "llmspell chat -m ./model.gguf"],
    ["model.gguf", "llmspell chat -m ./model.gguf"],
    ["tiny-stories", 'llmspell generate -m tiny-stories "Once upon a time"'],
    ["zzzzzz", "llmspell help"],
  ])("offers what was meant by %j", (word, command) => {
    const error = errorOf(word);
    expect({ code: error.code, commands: commandsOf(error, []) }).toEqual({ code: "usage-unknown", commands: [command] });
  });

  it.each([
    [["modle", "list"], ["llmspell model list"]],
    [["mdl", "ls"], ["llmspell model ls"]],
    [["confg", "vaildate"], ["llmspell config validate"]],
    [
      ["remove", "x y"],
      ["llmspell model remove", "llmspell rag remove", "llmspell session remove"],
    ],
    [
      ["info", "x"],
      ["llmspell model info x", "llmspell tool info x"],
    ],
    [["stop", "x"], ["ollama stop x"]],
    [["modle", "zzzzzz"], ["llmspell help model"]],
    [["generte", "list"], ["llmspell generate"]],
    [["config", "validate", "my file.toml"], ['llmspell config validate --file "my file.toml"']],
    [["config", "init", "my.toml"], ["llmspell config init --file my.toml"]],
  ])("offers for %j what was meant", (words, commands) => {
    const error = errorOf(...words);
    expect({ exitCode: error.exitCode, commands: commandsOf(error, []) }).toEqual({ exitCode: 2, commands });
  });

  it("an empty name of a file or profile is refused", () => {
    for (const flag of ["-p", "-c"]) expect(errorOf(flag, "", "config", "show")).toMatchObject({ code: "usage-value" });
    expect(errorOf("config", "init", "--file", "")).toMatchObject({ code: "usage-value" });
  });

  it("looks at the second word of a group alone", () => {
    for (const [second, command] of [
      ["inof", "llmspell model info"],
      ["zzz", "llmspell help model"],
    ] as const) {
      const error = errorOf("model", second);
      expect({ code: error.code, commands: commandsOf(error, []) }).toEqual({ code: "usage-unknown", commands: [command] });
    }
    expect(parsed("model", "show", "x").name).toBe("model info");
  });

  it("names the page of Ollama for install-ollama", () => {
    expect(errorOf("install-ollama").hint).toContain("https://ollama.com/download");
  });

  it.each(laterCommands)("%s is reserved, whatever follows it", (name) => {
    expect(errorOf(...name.split(" "), "x", "--engine", "lua")).toMatchObject({ code: "usage-not-available", exitCode: 2 });
  });

  it("doctor --online is known and not there yet", () => {
    expect(errorOf("doctor", "--online")).toMatchObject({ code: "usage-not-available", exitCode: 2 });
  });

  it("takes the short names of the commands on models, and several words of a prompt", () => {
    const names = ["list", "ls", "pull x", "rm x", "show x"].map((line) => parsed(...line.split(" ")).name);
    expect(names).toEqual(["model list", "model list", "model pull", "model remove", "model info"]);
    expect(parsed("generate", "Once", "upon", "--raw", "a", "time").operands).toEqual(["Once", "upon", "a", "time"]);
  });

  it("finds the output format in a line it cannot parse", () => {
    expect(scanGlobalFlags(["generate", "--bogus", "--output=JSON", "-q"])).toEqual(
      new Map([
        ["output", ["json"]],
        ["quiet", []],
      ]),
    );
    expect(scanGlobalFlags(["--output", "x.json"]).size).toBe(0);
    expect(scanGlobalFlags(["generate", "--", "--output", "json"]).size).toBe(0);
  });
});

describe("near names", () => {
  it("counts changed, added, dropped and swapped letters", () => {
    expect(editDistance("info", "inof")).toBe(1);
    expect(editDistance("kitten", "sitting")).toBe(3);
    expect(editDistance("", "abc")).toBe(3);
  });

  it("offers nothing that is far off", () => {
    expect(nearest("serve", ["doctor", "chat"])).toBeUndefined();
    expect(nearest("", ["a"])).toBeUndefined();
  });
});

describe("quotes for a shell", () => {
  it.each([
    ["plain-1.0/x", "plain-1.0/x"],
    ["two words", '"two words"'],
    ["$HOME", "'$HOME'"],
    ["it's `x`", "'it'\\''s `x`'"],
    ["", '""'],
  ])("%j becomes %s", (text, quoted) => {
    expect(shellQuote(text)).toBe(quoted);
  });
});

describe("tool invoke", () => {
  it("hands flags that are not ours on, and takes ours", () => {
    const request = parseArguments(["tool", "invoke", "regex", "--pattern", "a", "--flags=i", "--output", "json", "--all", "--text", "-1"]);
    if (request.kind !== "command") throw new Error("expected a command");
    expect(request.operands).toEqual(["regex"]);
    expect(request.rest).toEqual(["--pattern", "a", "--flags=i", "--all", "--text", "-1"]);
    expect(request.flags.get("output")).toEqual(["json"]);
  });
});
