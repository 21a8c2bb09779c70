import { closeSync, mkdtempSync, openSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setImmediate as turn } from "node:timers/promises";
import { afterAll, describe, expect, it, vi } from "vitest";
import { SpellError } from "../../../src/core/errors.ts";
import { shell } from "../../../src/node/cli/advice.ts";
import { calmLineMs } from "../../../src/node/cli/progress.ts";
import { readSettings } from "../../../src/node/cli/settings.ts";
import { table } from "../../../src/node/cli/table.ts";
import { visibleText } from "../../../src/node/cli/terminal.ts";
import { keptScreen } from "./support.ts";

/** What must never reach a terminal, by code point: C0 but tab and newline, DEL, C1, direction controls, zero-width space. */
const harmfulRanges = [
  [0, 8],
  [0xb, 0x1f],
  [0x7f, 0x9f],
  [0x61c, 0x61c],
  [0x200b, 0x200b],
  [0x200e, 0x200f],
  [0x202a, 0x202e],
  [0x2066, 0x2069],
] as const;

function harmfulIn(text: string): readonly string[] {
  return [...text].filter((character) =>
    harmfulRanges.some(([from, to]) => (character.codePointAt(0) ?? 0) >= from && (character.codePointAt(0) ?? 0) <= to),
  );
}

const attacks: readonly (readonly [string, string])[] = [
  ["clipboard", "\u001b]52;c;aGk=\u0007"],
  ["link", "\u001b]8;;http://evil\u0007x\u001b]8;;\u0007"],
  ["title", "\u001b]0;title\u0007"],
  ["clear screen", "\u001b[2J"],
  ["hidden text", "\u001b[8m"],
  ["device control string", "\u001bPq\u001b\\"],
  ["C1 sequence", "\u009b31m"],
  ["carriage return", "a\rb"],
  ["backspace", "a\bb"],
  ["bell", "\u0007"],
  ["right-to-left override", "\u202e"],
  ["isolate", "\u2066x\u2069"],
  ["zero-width space", "\u200b"],
  ["delete", "\u007f"],
];

describe("what reaches a terminal", () => {
  it.each(attacks)("O1: %s loses its control characters, whole and split over two chunks", async (_, text) => {
    for (let cut = 0; cut <= text.length; cut++) {
      const { screen, out } = keptScreen({ color: false }, { out: true });
      screen.write(`before ${text.slice(0, cut)}`);
      screen.write(`${text.slice(cut)} after`);
      await turn();
      expect(harmfulIn(out())).toEqual([]);
      expect(out()).toBe(visibleText(`before ${text} after`));
      expect(out()).toMatch(/^before .* after$/);
    }
  });

  it("writes behind its ^C nothing of an answer that came with the key, and loses nothing of it", async () => {
    const { screen, out } = keptScreen({ color: false }, { out: true, err: true });
    screen.write("one two ");
    await turn();
    screen.write("three ");
    screen.complain(new SpellError("run-aborted", "stopped"));
    expect(out()).toMatch(/^one two .*three *\n?$/s);
    expect(out().indexOf("three")).toBeGreaterThan(out().indexOf("\r"));
  });

  it.each(attacks)("O1: %s reaches a pipe or a file unchanged", (_, text) => {
    const { screen, out } = keptScreen();
    screen.write(text);
    expect(out()).toBe(text);
  });

  it.each(attacks)("O1: %s in an error, a note, a log line or an aside is harmless, on a terminal and in a file", (_, text) => {
    for (const isTerminal of [true, false]) {
      const { screen, err } = keptScreen({ color: false, trace: "debug" }, { err: isTerminal });
      screen.note(text, shell(text));
      screen.log({ level: "info", message: text });
      screen.aside(text);
      screen.think(text);
      screen.tell(text);
      screen.fail(new SpellError("model-unknown", text, { hint: text, actions: shell(text), cause: new Error(text) }));
      expect(harmfulIn(err())).toEqual([]);
    }
  });

  it.each(attacks)("O1: %s in a name is harmless, on a terminal and in a file; a user's own data are whole in a file", (_, text) => {
    for (const isTerminal of [true, false]) {
      const { screen } = keptScreen({ color: false }, { out: isTerminal });
      expect(harmfulIn(screen.clean(text))).toEqual([]);
      expect(harmfulIn(table(screen, ["NAME", "X"], [[text, "x"]]))).toEqual([]);
      expect(screen.whole(text)).toBe(isTerminal ? visibleText(text) : text);
    }
  });

  it.each(attacks)("O1: %s in a document stays the same document, escaped on a terminal", (_, text) => {
    const value = { status: "ok", text, [text]: 1 };
    for (const out of [true, false]) {
      const shown = keptScreen({ format: "json" }, { out });
      shown.screen.document(value);
      if (out) expect(harmfulIn(shown.out())).toEqual([]);
      expect(JSON.parse(shown.out())).toEqual(value);
    }
  });

  it("keeps newlines, tabs, emoji with joiners, and letters of all scripts", () => {
    const text = "a\n\tb 👩‍👩‍👧 é ы 中 ع\u0301";
    expect(visibleText(text)).toBe(text);
  });
});

describe("both streams in one file", () => {
  const folder = mkdtempSync(join(tmpdir(), "render-"));
  const fd = openSync(join(folder, "both.txt"), "w");
  afterAll(() => {
    closeSync(fd);
    rmSync(folder, { recursive: true });
  });

  it("are seen in one place: a note begins a line of its own", () => {
    const { screen, out, err } = keptScreen({}, { fd });
    expect(screen.isOnePlace).toBe(true);
    screen.write("one two");
    screen.note("cut");
    expect([out(), err()]).toEqual(["one two", "\nnote: cut\n"]);
  });

  it("in two files they are not, and a note leaves the answer as it is", () => {
    const { screen, out, err } = keptScreen();
    expect(screen.isOnePlace).toBe(false);
    screen.write("one two");
    screen.note("cut");
    expect([out(), err()]).toEqual(["one two", "note: cut\n"]);
  });
});

describe("forms of a run", () => {
  it("prints a text error as message, hint, commands indented by two, and code", () => {
    const { screen, out, err } = keptScreen();
    const actions = shell("llmspell a", "llmspell b");
    const status = screen.fail(new SpellError("model-unknown", "no x", { hint: "Try this:", actions }));
    expect(status).toBe(3);
    expect(out()).toBe("");
    expect(err()).toBe("Error: no x\nTry this:\n  llmspell a\n  llmspell b\n[model-unknown]\n");
  });

  it("prints a JSON error as the one document, with all fields, and one line on stderr", () => {
    const { screen, out, err } = keptScreen({ format: "json" });
    screen.fail(new SpellError("run-context", "too long", { where: "prompt", details: { promptTokens: 5, nested: { partialText: "x" } } }));
    screen.document({ status: "ok" });
    expect(JSON.parse(out())).toEqual({
      status: "error",
      error: {
        code: "run-context",
        message: "too long",
        hint: "Shorten the prompt or raise the context size.",
        commands: [],
        where: "prompt",
        retryable: false,
        exit_code: 1,
        details: { prompt_tokens: 5, nested: { partial_text: "x" } },
      },
    });
    expect(out()).toMatch(/^[^\n]+\n$/);
    expect(err()).toBe("Error: too long [run-context]\n");
  });

  it("indents pretty documents by two", () => {
    const { screen, out } = keptScreen({ format: "pretty" });
    screen.document({ status: "ok" });
    expect(out()).toBe('{\n  "status": "ok"\n}\n');
  });

  it.each(["json", "pretty"] as const)("masks a %s document but for members that are data", (format) => {
    const { screen, out } = keptScreen({ format });
    screen.hide(["sk-secret-1"]);
    const address = "https://me:pw@host/x sk-secret-1";
    screen.document({ status: "ok", address, none: undefined, results: [{ content: address, token: "t" }], api_key: "k" }, ["results"]);
    const expected = {
      status: "ok",
      address: "https://********@host/x ********",
      results: [{ content: address, token: "t" }],
      api_key: "********",
    };
    expect(out()).toBe(`${JSON.stringify(expected, undefined, format === "pretty" ? 2 : undefined)}\n`);
  });

  it("prints no text beside a document", () => {
    const { screen, out } = keptScreen({ format: "json" });
    screen.write("text");
    screen.writeOwn("text");
    screen.endLine();
    expect(out()).toBe("");
  });

  it("shows a stack at --trace debug and below, and never above", () => {
    const error = new SpellError("internal-error", "oops", { cause: new TypeError("inner") });
    for (const [trace, expected] of [
      ["debug", true],
      ["trace", true],
      ["info", false],
      ["warn", false],
      ["off", false],
    ] as const) {
      const { screen, err } = keptScreen({ trace });
      screen.fail(error);
      expect(/\n\s+at /.test(err()), trace).toBe(expected);
      expect(err().endsWith("[internal-error]\n"), trace).toBe(true);
    }
  });

  it("shows no stack where the configuration says the level, or with --quiet", () => {
    const byProfile = keptScreen({});
    byProfile.screen.trace("debug");
    const quiet = keptScreen({ trace: "debug", quiet: true });
    for (const { screen, err } of [byProfile, quiet]) {
      screen.fail(new SpellError("usage-value", "oops"));
      expect(err()).toContain("Error: oops");
      expect(err()).not.toMatch(/\n\s+at /);
    }
  });

  it("shows what a key wants shown, unless this run wants nothing", () => {
    for (const [settings, expected] of [
      [{}, true],
      [{ trace: "warn" }, true],
      [{ trace: "off" }, false],
      [{ quiet: true }, false],
      [{ trace: "debug" }, true],
    ] as const) {
      const { screen, err } = keptScreen(settings);
      screen.log({ level: "debug", message: "rag: a line", isWanted: true });
      expect([settings, err() !== ""]).toEqual([settings, expected]);
    }
  });

  it("hides notes with --quiet and below --trace warn; errors stay", () => {
    for (const settings of [{ quiet: true }, { trace: "error" }, { trace: "off" }] as const) {
      const { screen, err } = keptScreen(settings);
      screen.note("a note", shell("command"));
      expect(err()).toBe("");
      screen.fail(new SpellError("run-busy", "busy"));
      expect(err()).toContain("Error: busy");
    }
  });

  it("ends the open line of an answer before an error", () => {
    const { screen, out } = keptScreen();
    screen.write("half an answ");
    screen.fail(new SpellError("run-crash", "gone"));
    expect(out()).toBe("half an answ\n");
  });

  it("does not put a newline into a redirected answer for the sake of a note", () => {
    const { screen, out } = keptScreen({}, { err: true });
    screen.write("half");
    screen.note("a note");
    screen.write(" more");
    expect(out()).toBe("half more");
  });
});

describe("colours and widths", () => {
  it("G80: no colour with NO_COLOR, --no-color, a dumb terminal or a pipe", () => {
    const withEnv = (env: Record<string, string>, flags: Map<string, string[]> = new Map()): boolean => readSettings(flags, env).color;
    expect(withEnv({})).toBe(true);
    expect(withEnv({ NO_COLOR: "" })).toBe(true);
    expect(withEnv({ NO_COLOR: "1" })).toBe(false);
    expect(withEnv({ TERM: "dumb" })).toBe(false);
    expect(withEnv({}, new Map([["no-color", []]]))).toBe(false);
    const escapes = (env: Record<string, string>, flags: Map<string, string[]> = new Map()): boolean => readSettings(flags, env).escapes;
    expect([escapes({}), escapes({ NO_COLOR: "1" }), escapes({ TERM: "dumb" }), escapes({}, new Map([["no-color", []]]))]).toEqual([
      true,
      true,
      false,
      false,
    ]);
    const { screen, out, err } = keptScreen({ color: false }, { out: true, err: true });
    screen.writeOwn(screen.out.word("word"));
    screen.note("note");
    screen.fail(new SpellError("run-busy", "busy", { actions: shell("x") }));
    expect(out() + err()).not.toContain("\u001b");
  });

  it("G80: plain bars in locale C, drawn without escapes, and no crash at width 0", () => {
    expect(readSettings(new Map(), { LC_ALL: "C" }).unicode).toBe(false);
    expect(readSettings(new Map(), { LANG: "de_DE.UTF-8" }).unicode).toBe(true);
    vi.useFakeTimers();
    try {
      for (const columns of [0, 1, 10, 49, 50, 200]) {
        const { screen, err } = keptScreen({ color: true, unicode: false }, { out: true, err: true, columns });
        const progress = screen.progress("loading a-model");
        progress.share(0.42);
        vi.advanceTimersByTime(1000);
        progress.end();
        const width = columns === 0 ? 80 : columns;
        const drawn = err()
          .split("\r")
          .filter((line) => line.trim() !== "");
        for (const line of drawn) expect(line.length).toBeLessThan(width);
        expect(err()).not.toContain("\u001b");
        expect(err()).not.toMatch(/[\u2500-\u257f]/);
        if (columns >= 50 || columns === 0) expect(err()).toContain("########------------ 42 %");
      }
    } finally {
      vi.useRealTimers();
    }
  });

  it("wipes the progress line before an answer, and draws nothing for short work", () => {
    vi.useFakeTimers();
    try {
      const { screen, out, err } = keptScreen({}, { out: true, err: true });
      const progress = screen.progress("loading");
      vi.advanceTimersByTime(100);
      expect(err()).toBe("");
      vi.advanceTimersByTime(1000);
      expect(err()).toContain("loading");
      screen.write("answer");
      vi.advanceTimersByTime(0);
      expect(err()).toMatch(/\r +\r$/);
      vi.advanceTimersByTime(1000);
      expect(err()).toMatch(/\r +\r$/);
      progress.end();
      expect(out()).toBe("answer");
    } finally {
      vi.useRealTimers();
    }
  });

  it("prints nothing elsewhere for work below five seconds, and one line for longer work", () => {
    vi.useFakeTimers();
    try {
      const { screen, err } = keptScreen({}, { lineAfterMs: calmLineMs });
      const short = screen.progress("loading");
      vi.advanceTimersByTime(4900);
      short.share(0.5);
      short.end();
      vi.advanceTimersByTime(60_000);
      expect(err()).toBe("");
      const long = screen.progress("loading a-model");
      for (let second = 0; second < 60; second++) {
        long.bytes(second * 10e6, 600e6);
        vi.advanceTimersByTime(1000);
      }
      long.end();
      expect(err()).toBe("loading a-model: 6 %  40 MB / 600 MB  10 MB/s  eta 56s\n");
    } finally {
      vi.useRealTimers();
    }
  });

  it("counts things as it counts bytes, and begins anew with other work", () => {
    vi.useFakeTimers();
    try {
      const { screen, err } = keptScreen({ unicode: false }, { out: true, err: true, columns: 120 });
      const progress = screen.progress("reading files");
      progress.count(900, 1000, "files");
      vi.advanceTimersByTime(1000);
      progress.say("linking passages");
      progress.count(0, 20_000, "passages");
      vi.advanceTimersByTime(2000);
      progress.count(5000, 20_000, "passages");
      vi.advanceTimersByTime(100);
      progress.end();
      expect(err().split("\r").at(-3)?.trimEnd()).toBe(
        "linking passages #####--------------- 25 %  5,000 / 20,000 passages  2,500/s  eta 6s",
      );
    } finally {
      vi.useRealTimers();
    }
  });

  it("has room for label, bar, rate and time left on wide terminals, and for the label and percent on narrow ones", () => {
    vi.useFakeTimers();
    try {
      const drawn = (columns: number): string => {
        const { screen, err } = keptScreen({ unicode: false }, { out: true, err: true, columns });
        const progress = screen.progress("tinyllama-1.1b-chat-v1.0.Q4_K_M.gguf");
        progress.bytes(0, 669e6, "all 10 %");
        vi.advanceTimersByTime(2000);
        progress.bytes(281e6, 669e6, "all 10 %");
        vi.advanceTimersByTime(100);
        progress.end();
        return err().split("\r").at(-3)?.trimEnd() ?? "";
      };
      expect(drawn(120)).toBe(
        "tinyllama-1.1b-chat-v1.0.Q4_K_M.gguf ########------------ 42 %  281 MB / 669 MB  141 MB/s  eta 3s  all 10 %",
      );
      expect(drawn(80)).toBe("tinyllam~_M.gguf ########------------ 42 %  281 MB / 669 MB  141 MB/s  eta 3s");
      expect(drawn(40)).toBe("tinyllama-1.~Q4_K_M.gguf 42 %  eta 3s");
      expect(drawn(12)).toBe("ti~f 42 %");
      for (const columns of [12, 20, 40, 60, 80]) expect(drawn(columns).length).toBeLessThan(columns - 2);
    } finally {
      vi.useRealTimers();
    }
  });

  it.each([{ quiet: true }, { format: "json" as const }])("shows no progress with %j", (settings) => {
    vi.useFakeTimers();
    try {
      const { screen, err } = keptScreen(settings, { out: true, err: true });
      const progress = screen.progress("loading");
      progress.share(0.5);
      vi.advanceTimersByTime(5000);
      progress.end();
      expect(err()).toBe("");
    } finally {
      vi.useRealTimers();
    }
  });
});
