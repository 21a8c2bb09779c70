/** A conversation on a terminal: keys, pastes, history, and what is asked before it. */
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, expect, it } from "vitest";
import { tinyChatTemplate, tinyLlama } from "../../../fixtures/gguf/models.ts";
import { writeGguf } from "../../../fixtures/gguf-writer.ts";
import { startFaultServer } from "../../../support/fault-server.mjs";
import { type Person, type PersonOptions, personAt } from "../person.ts";
import { withTerminal } from "../support.ts";

const folder = mkdtempSync(join(tmpdir(), "llmspell-chat-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const model = join(folder, "chat.gguf");
writeFileSync(model, writeGguf(tinyLlama({ chatTemplate: tinyChatTemplate })));
let home: string;
beforeEach(() => {
  home = mkdtempSync(join(folder, "home-"));
});

const paste = (text: string): string => `\u001b[200~${text}\u001b[201~`;
const [up, down, left, altEnter, enter, ctrlC, ctrlD] = ["\u001b[A", "\u001b[B", "\u001b[D", "\u001b\r", "\r", "\u0003", "\u0004"];

/** Someone who talks to a small model, at its first prompt. */
async function atChat(flags = "", more: PersonOptions = {}): Promise<Person> {
  const person = personAt(`chat -m ${model} --max-tokens 3 ${flags}`, { ...more, env: { LLMSPELL_HOME: home, ...more.env } });
  await person.sees(/\n>>> ?$/);
  return person;
}

/** What was last said of bracketed paste: h on, l off. */
function lastMode(person: Person): string | undefined {
  return person.written().split("\u001b[?2004").at(-1)?.[0];
}

/** The messages of a person, as /save writes them. */
async function messagesOf(person: Person): Promise<readonly string[]> {
  const file = join(home, "saved.json");
  person.type(`/save ${file}\r`);
  await person.sees(/saved to/);
  const { messages } = JSON.parse(readFileSync(file, "utf8")) as { messages: { role: string; content: string }[] };
  return messages.filter(({ role }) => role === "user").map(({ content }) => content);
}

withTerminal.describe("a paste", () => {
  it("of several lines, blank ones included, is one message: shown, and sent with Enter", async () => {
    const person = await atChat();
    const text = "def f(x):\n\treturn x\n\n\nWhat does it do?";
    person.type(paste(text.replaceAll("\n", "\r")));
    await person.sees(/>>> def f\(x\):\n\.\.\. {5}return x\n\.\.\. \n\.\.\. \n\.\.\. What does it do\?$/);
    person.type(enter);
    await person.sees(/do\?\n[\s\S]+\n>>>$/);
    expect(await messagesOf(person)).toEqual([text]);
    person.type(ctrlD);
    expect(await person.ended).toBe(0);
    expect(lastMode(person)).toBe("l");
  });

  it("does not end at a mark inside it, and brings no escape sequence along", async () => {
    const person = await atChat();
    person.type(paste(`a\u001b[31mb\u001b[201~\r/save ${join(home, "evil")}\r\u001b[200~c\u001b]0;title\u0007\u009bd\u001bO`));
    await person.sees(/\.\.\. cd?O?$/m);
    person.type(enter);
    await person.sees(/\n[\s\S]+\n>>>$/);
    expect((await messagesOf(person))[0]).toMatch(/^ab\n\/save .*evil\ncd?O?$/);
    expect(existsSync(join(home, "evil"))).toBe(false);
    person.type(ctrlD);
    expect(await person.ended).toBe(0);
  });

  it("of a megabyte is one message, and one beyond the limit is left out", async () => {
    const person = await atChat();
    person.type(paste("0123456789 word\n".repeat(65_000)));
    await new Promise((resolve) => setTimeout(resolve, 500));
    person.type(paste("x".repeat(600_000) + "\n".repeat(700_000)));
    await person.sees(/The paste is too long: expected at most 1,000,000 characters\./);
    person.type("\u0003");
    await person.sees(/>>>$/);
    person.type(`ok${enter}`);
    await person.sees(/>>> ok\n[\s\S]+\n>>>$/);
    expect(await messagesOf(person)).toEqual(["ok"]);
    person.type(ctrlD);
    expect(await person.ended).toBe(0);
  });
});

withTerminal.describe("the line editor", () => {
  it("begins a new line with Alt-Enter and with a backslash, and moves between lines", async () => {
    const person = await atChat();
    person.type(`one\u001b[13;2ut${altEnter}\u007fwo\\${enter}three${up}${up}${left}X${down}${down}!`);
    await person.sees(/>>> onXe\n\.\.\. two\n\.\.\. thr!ee$/);
    person.type(enter);
    await person.sees(/!ee\n[\s\S]+\n>>>$/);
    expect(await messagesOf(person)).toEqual(["onXe\ntwo\nthr!ee"]);
    person.type(ctrlD);
    expect(await person.ended).toBe(0);
  });

  it("places the cursor right among wide signs, accents and rows that are full", async () => {
    const person = await atChat("", { columns: 20 });
    person.type("日本語日本語日本語e\u0301ab");
    await person.sees(/ab$/);
    person.type(left.repeat(3));
    await new Promise((resolve) => setTimeout(resolve, 200));
    // ">>> " and eight wide signs fill the first row
    expect(person.cursor()[0]).toBe(2);
    person.type("\u007f");
    await person.sees(/日本\ne\u0301ab$/);
    person.type(ctrlC);
    await person.sees(/>>>$/);
    person.type(ctrlD);
    expect(await person.ended).toBe(0);
  });

  it("keeps what is typed while the model loads, off the bar, for the prompt", async () => {
    const person = personAt(`chat -m ${model} --max-tokens 3`, { env: { LLMSPELL_HOME: home } });
    await person.sees(/^/);
    while (!person.written().includes("\u001b[?2004h")) await new Promise((resolve) => setTimeout(resolve, 5));
    person.type("hello there\u0001well, ");
    await person.sees(/\n>>> well, hello there$/);
    expect(person.screen().split("hello there")).toHaveLength(2);
    person.type(enter);
    await person.sees(/there\n[\s\S]+\n>>>$/);
    person.type(ctrlD);
    expect(await person.ended).toBe(0);
  });

  it("restores the terminal after Ctrl-C twice, and when the process is ended", async () => {
    const look = "stty -a | grep -o -- '-\\?icanon'";
    const twice = await atChat("", { after: look });
    twice.type(ctrlC);
    await twice.sees(/leaves\.\n>>>$/);
    twice.type(ctrlC);
    expect(await twice.ended).toBe(130);
    expect(twice.screen()).toMatch(/\nicanon$/);
    expect(lastMode(twice)).toBe("l");
    const pidFile = join(home, "pid");
    const killed = await atChat("", { after: look, pidFile });
    process.kill(Number(readFileSync(pidFile, "utf8")), "SIGTERM");
    expect(await killed.ended).toBe(130);
    expect(killed.screen()).toMatch(/\nicanon$/);
    expect(lastMode(killed)).toBe("l");
  });
});

withTerminal.describe("the history", () => {
  it("brings texts of earlier runs back, several lines whole, from a file of the person's own", async () => {
    const first = await atChat();
    first.type(`one${enter}`);
    await first.sees(/one\n[\s\S]+\n>>>$/);
    first.type(`${paste("two\n\nthree")}`);
    await first.sees(/three$/);
    first.type(enter);
    await first.sees(/three\n[\s\S]+\n>>>$/);
    first.type(ctrlD);
    expect(await first.ended).toBe(0);
    const file = join(home, "history/chat");
    expect(statSync(file).mode & 0o777).toBe(0o600);
    const second = await atChat();
    second.type(`draft${up}`);
    await second.sees(/>>> two\n\.\.\. \n\.\.\. three$/);
    second.type(up.repeat(3));
    await second.sees(/>>> one$/);
    second.type(down.repeat(4));
    await second.sees(/>>> draft$/);
    second.type(`${ctrlC}${ctrlD}`);
    await second.ended;
  });

  it("of two chats at once has the texts of both", async () => {
    const both = [await atChat(), await atChat()];
    for (const [i, person] of both.entries()) {
      person.type(`text ${i}${enter}`);
      await person.sees(/text \d\n[\s\S]+\n>>>$/);
      person.type(ctrlD);
      await person.ended;
    }
    const third = await atChat();
    third.type(up);
    await third.sees(/>>> text 1$/);
    third.type(up);
    await third.sees(/>>> text 0$/);
    third.type(`${ctrlC}${ctrlD}`);
    await third.ended;
  });

  it("is off with --no-history, and where the home cannot be written", async () => {
    for (const [flags, env] of [
      ["--no-history", {}],
      ["", { LLMSPELL_HOME: "/dev/null/home" }],
    ] as const) {
      const person = await atChat(flags, { env });
      person.type(`one${enter}`);
      await person.sees(/one\n[\s\S]+\n>>>$/);
      expect(person.screen()).not.toMatch(/history|\/dev\/null/);
      person.type(ctrlD);
      expect(await person.ended).toBe(0);
    }
    expect(existsSync(join(home, "history"))).toBe(false);
  });
});

withTerminal.it("without escape sequences the terminal's own editing has to do; a backslash before Enter begins a new line", async () => {
  const person = await atChat("--no-color");
  person.type(`one\\${enter}`);
  await person.sees(/\n\.\.\.$/);
  person.type(`two${enter}`);
  await person.sees(/two\n[\s\S]+\n>>>$/);
  expect(await messagesOf(person)).toEqual(["one\ntwo"]);
  person.type(ctrlC);
  await person.sees(/leaves\.\n>>>$/);
  person.type(ctrlC);
  expect(await person.ended).toBe(130);
  expect(person.written()).not.toContain("\u001b");
});

withTerminal.it("NO_COLOR turns off colours alone: lines are edited as ever", async () => {
  const person = await atChat("", { env: { NO_COLOR: "1" } });
  person.type(`to${left}w${enter}`);
  await person.sees(/>>> two\n[\s\S]+\n>>>$/);
  expect(await messagesOf(person)).toEqual(["two"]);
  // no colours (CSI … m), the other sequences are the editor's
  expect(person.written()).not.toMatch(new RegExp(`${String.fromCharCode(27)}\\[[\\d;]+m`));
  person.type(ctrlD);
  expect(await person.ended).toBe(0);
});

withTerminal.it("/retry answers the last message again, in place of its answer", async () => {
  const person = await atChat("--temperature 1");
  person.type(`/retry${enter}`);
  await person.sees(/no message to answer again/);
  person.type(`one${enter}`);
  await person.sees(/one\n[\s\S]+\n>>>$/);
  person.type(`/retry${enter}`);
  await person.sees(/\/retry\n[\s\S]+\/retry\n[\s\S]+\n>>>$/);
  expect(await messagesOf(person)).toEqual(["one"]);
  person.type(ctrlD);
  expect(await person.ended).toBe(0);
});

withTerminal.describe("the first chat", () => {
  let server: Awaited<ReturnType<typeof startFaultServer>>;
  beforeAll(async () => {
    server = await startFaultServer();
    const files = { "SmolLM2-135M-Instruct-Q4_K_M.gguf": readFileSync(model) };
    server.addRepo("bartowski/SmolLM2-135M-Instruct-GGUF", { files });
  });
  afterAll(() => server.close());
  const begin = (args = ""): Person => personAt(`chat ${args}`, { env: { LLMSPELL_HOME: home, HF_ENDPOINT: server.url } });
  const offer = /For a conversation take smollm2-135m \(105 MB\)\? \[Y\/n\]$/;

  it("offers a chat model and takes it from then on", async () => {
    const first = begin();
    await first.sees(offer);
    first.type(enter);
    await first.sees(/Chat with smollm2-135m[^\n]*\n>>>$/);
    first.type(ctrlD);
    expect(await first.ended).toBe(0);
    const second = begin();
    await second.sees(/^Chat with smollm2-135m[^\n]*\n>>>$/);
    second.type(ctrlD);
    expect(await second.ended).toBe(0);
  });

  it("goes on with the story model after a no, and does not ask again", async () => {
    for (const answer of [`n${enter}`, ""]) {
      const person = begin();
      if (answer !== "") {
        await person.sees(offer);
        person.type(answer);
      }
      await person.sees(/Chat with tiny-stories[^\n]*\n>>>$/);
      person.type(ctrlD);
      expect(await person.ended).toBe(0);
    }
  });

  it("offers nothing where a model was named", async () => {
    const person = begin("-m tiny-stories");
    await person.sees(/Chat with tiny-stories[^\n]*\n>>>$/);
    expect(person.screen()).not.toContain("smollm2");
    person.type(ctrlD);
    expect(await person.ended).toBe(0);
  });
});
