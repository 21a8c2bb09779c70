import { spawnSync } from "node:child_process";
import { appendFileSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeEach, describe, expect, it, vi } from "vitest";
import { openHistory } from "../../../src/node/cli/history.ts";

const folder = mkdtempSync(join(tmpdir(), "llmspell-history-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
let home: string;
beforeEach(() => {
  home = mkdtempSync(join(folder, "home-"));
  vi.stubEnv("LLMSPELL_HOME", home);
  return () => vi.unstubAllEnvs();
});
const kept = (): readonly string[] => openHistory("chat").entries;

describe("the history", () => {
  it("keeps texts whole and in order, a repeated one once", () => {
    const history = openHistory("chat");
    for (const text of ["one", "one", "two\n\n\tthree", '"quoted" \\ \u0007', "日本 👍", "one"]) history.add(text);
    expect(history.entries).toEqual(["one", "two\n\n\tthree", '"quoted" \\ \u0007', "日本 👍", "one"]);
    expect(kept()).toEqual(history.entries);
  });

  it("of two runs at once loses nothing", () => {
    const [a, b] = [openHistory("chat"), openHistory("chat")];
    for (let i = 0; i < 300; i++) (i % 2 === 0 ? a : b).add(`text ${i}`);
    expect(kept()).toEqual(Array.from({ length: 300 }, (_, i) => `text ${i}`));
  });

  it("is bounded, and keeps the latest thousand over the change to a new file", () => {
    const [a, b] = [openHistory("chat"), openHistory("chat")];
    const long = "x".repeat(400);
    for (let i = 0; i < 4000; i++) (i % 2 === 0 ? a : b).add(`${long} ${i}`);
    expect(kept()).toEqual(Array.from({ length: 1000 }, (_, i) => `${long} ${i + 3000}`));
    const files = readdirSync(join(home, "history"));
    expect(files.length).toBeLessThanOrEqual(3);
    for (const file of files) expect(statSync(join(home, "history", file)).size).toBeLessThan(400_000);
  });

  it("is not kept of a text that is very long", () => {
    const history = openHistory("chat");
    history.add("y".repeat(100_000));
    history.add("short");
    expect(history.entries).toHaveLength(2);
    expect(kept()).toEqual(["short"]);
  });

  it("passes over what is broken: a line cut short, other JSON, bytes", () => {
    openHistory("chat").add("one");
    const file = join(home, "history/chat");
    appendFileSync(file, '\n"cut sho');
    openHistory("chat").add("two");
    appendFileSync(file, Buffer.from('\n{"a":1}\n[]\n42\n\xff\xfe\n', "latin1"));
    openHistory("chat").add("three");
    expect(kept()).toEqual(["one", "two", "three"]);
  });

  it("of a folder or device in its place is none, and nothing is written", () => {
    mkdirSync(join(home, "history/chat"), { recursive: true });
    const one = openHistory("chat");
    one.add("text");
    expect([one.entries, kept()]).toEqual([["text"], []]);
    symlinkSync("/dev/null", join(home, "history/other"));
    const other = openHistory("other");
    other.add("text");
    expect([other.entries, openHistory("other").entries]).toEqual([["text"], []]);
    const fifo = join(home, "history/pipe");
    if (spawnSync("mkfifo", [fifo]).status !== 0) return;
    const piped = openHistory("pipe");
    piped.add("text"); // would wait for a reader
    expect(piped.entries).toEqual(["text"]);
  });

  it("is private", () => {
    openHistory("chat").add("text");
    expect(statSync(join(home, "history/chat")).mode & 0o777).toBe(0o600);
    expect(statSync(join(home, "history")).mode & 0o777).toBe(0o700);
    expect(readFileSync(join(home, "history/chat"), "utf8")).toBe('\n"text"');
  });
});
