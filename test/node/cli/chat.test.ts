import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import type { ScriptedRuntimeOptions } from "../../../src/core/testing/index.ts";
import { chat } from "../../../src/node/cli/chat.ts";
import { tinyChatTemplate, tinyLlama } from "../../fixtures/gguf/models.ts";
import { writeGguf } from "../../fixtures/gguf-writer.ts";
import { chunks, keptScreen, quietInterrupt, scriptedContext } from "./support.ts";

const folder = mkdtempSync(join(tmpdir(), "llmspell chat "));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const files = {
  "/with.gguf": writeGguf(tinyLlama({ chatTemplate: tinyChatTemplate })),
  "/other.gguf": writeGguf(tinyLlama({ seed: 2, chatTemplate: tinyChatTemplate })),
  "/bomb.gguf": writeGguf(tinyLlama({ chatTemplate: "{% for i in" })),
};
const echo: ScriptedRuntimeOptions = { answer: (prompt) => [`[${prompt}]`] };

/** A conversation over a pipe. */
async function talk(
  lines: string,
  options: {
    readonly script?: ScriptedRuntimeOptions;
    readonly flags?: Record<string, string[]>;
    readonly format?: "text" | "json";
    readonly quiet?: boolean;
  } = {},
) {
  const shown = keptScreen({ format: options.format ?? "text", quiet: options.quiet ?? false });
  const flags = new Map(Object.entries({ model: ["/with.gguf"], ...options.flags }));
  const run = chat(scriptedContext(shown, { files, script: options.script ?? { answer: () => [" ok"] }, flags, stdin: chunks(lines) }));
  const status = await run.catch((error: unknown) => error);
  return {
    status,
    out: shown.out(),
    err: shown.err(),
    document: options.format === "json" && shown.out() !== "" ? JSON.parse(shown.out()) : undefined,
  };
}

describe("chat over a pipe", () => {
  it("takes each line as a turn and prints each answer as a line", async () => {
    expect(await talk("one\n\ntwo\n")).toMatchObject({ status: 0, out: " ok\n ok\n", err: "" });
  });

  it("sends the whole conversation through the model's template", async () => {
    const prompts: string[] = [];
    const script = {
      answer: (prompt: string) => {
        prompts.push(prompt);
        return ["A"];
      },
    };
    await talk("one\ntwo\n", { script, flags: { system: ["Be brief."] } });
    expect(prompts).toEqual([
      "<|system|>\nBe brief.</s>\n<|user|>\none</s>\n<|assistant|>\n",
      "<|system|>\nBe brief.</s>\n<|user|>\none</s>\n<|assistant|>\nA</s>\n<|user|>\ntwo</s>\n<|assistant|>\n",
    ]);
  });

  it("ends with one document", async () => {
    const { status, document, err } = await talk("one\ntwo\n", { format: "json", flags: { system: ["S"] } });
    expect(status).toBe(0);
    expect(err).toBe("");
    expect(document).toEqual({
      status: "ok",
      model: "/with.gguf",
      messages: [
        { role: "system", content: "S" },
        { role: "user", content: "one" },
        { role: "assistant", content: " ok" },
        { role: "user", content: "two" },
        { role: "assistant", content: " ok" },
      ],
      usage: {
        prompt_tokens: expect.any(Number),
        completion_tokens: 2,
        total_tokens: expect.any(Number),
        cached_tokens: expect.any(Number),
      },
    });
    expect(document.usage.total_tokens).toBe(document.usage.prompt_tokens + 2);
  });

  it.each([
    ['"""\na\nb\n"""\n', "a\nb"],
    ['"""a\nb"""\n', "a\nb"],
    ['"""a"""\n', "a"],
    ['"""\n/help\n"""\n', "/help"],
    ['"""\n\na\n\n"""\n', "\na\n"],
    ['"""\nunfinished\n', "unfinished"],
    [" /help\n", " /help"],
    ["/etc/hosts is a file\n", "/etc/hosts is a file"],
  ])("reads %j as one message", async (lines, content) => {
    const { document } = await talk(lines, { format: "json" });
    expect(document.messages[0]).toEqual({ role: "user", content });
  });

  it("leaves at /bye, and lists its commands on standard error", async () => {
    const { status, out, err } = await talk("/help\n/bye\nnever said\n");
    expect([status, out]).toEqual([0, ""]);
    for (const name of ["/help", "/set", "/show", "/system", "/clear", "/save", "/load", "/model", "/bye"])
      expect(err).toContain(`  ${name}`);
  });

  it("changes parameters, and takes them back", async () => {
    const seen: unknown[] = [];
    const script: ScriptedRuntimeOptions = {
      answer: (_, sampling) => {
        seen.push(sampling);
        return ["x"];
      },
    };
    await talk("/set temperature 0.25\n/set top-k 5\n/set seed 3\na\n/set temperature default\n/set preset creative\nb\n", { script });
    expect(seen).toMatchObject([
      { kind: "random", temperature: 0.25, topK: 5, seed: 3, isSeeded: true },
      { kind: "random", temperature: 0.9, topK: 5, seed: 3, isSeeded: true },
    ]);
  });

  it.each([
    ["/set temprature 1", "did you mean temperature"],
    ["/set temperature 9", "0 … 2"],
    ["/set temperature hot", "a number"],
    ["/set preset wild", "greedy, balanced"],
    ["/set context_size 512", "chosen when the model loads"],
    ["/set device gpu", "auto, webgpu"],
    ["/set", "needs a parameter"],
    ["/sho", "did you mean /show"],
    ["/save", "needs a file"],
    ["/load /no/such/file", "no such file"],
    ["/model", "needs a model"],
  ])("%s is a usage error that changes nothing: the next line of a pipe is answered, and the exit status is 2", async (line, text) => {
    const { status, out, err } = await talk(`${line}\ntwo\n`);
    expect([status, out]).toEqual([2, " ok\n"]);
    expect(err).toContain(text);
  });

  it("forgets with /clear, and keeps the system prompt", async () => {
    const prompts: string[] = [];
    const script = {
      answer: (prompt: string) => {
        prompts.push(prompt);
        return ["A"];
      },
    };
    await talk("one\n/system Two words.\n/clear\ntwo\n", { script });
    expect(prompts[1]).toBe("<|system|>\nTwo words.</s>\n<|user|>\ntwo</s>\n<|assistant|>\n");
  });

  it("saves a conversation, and goes on with it by /load and --load", async () => {
    const path = join(folder, "a talk é.json");
    await talk(`/system S\n/set seed 5\none\n/save ${path}\n`);
    expect(JSON.parse(readFileSync(path, "utf8"))).toEqual({
      format: "llmspell-chat-1",
      model: "/with.gguf",
      system: "S",
      parameters: { seed: 5 },
      messages: [
        { role: "user", content: "one" },
        { role: "assistant", content: " ok" },
      ],
    });
    const loaded = await talk(`/load ${path}\ntwo\n`, { format: "json" });
    const started = await talk("two\n", { format: "json", flags: { load: [path] } });
    expect(loaded.document.messages).toHaveLength(5);
    expect(started.document).toEqual(loaded.document);
    // a second /save over it is fine, over anything else it is not
    expect((await talk(`one\n/save ${path}\n`)).status).toBe(0);
    const mine = join(folder, "mine.txt");
    writeFileSync(mine, "precious");
    expect(await talk(`one\n/save ${mine}\n`)).toMatchObject({ status: 2, err: expect.stringMatching(/left alone.*\[usage-value\]/s) });
    expect(readFileSync(mine, "utf8")).toBe("precious");
  });

  it.each([
    ["not json", "expected JSON"],
    ["{}", "the format llmspell-chat-1"],
    ['{"format":"llmspell-chat-1","model":1}', "model: "],
    ['{"format":"llmspell-chat-1","model":"m","system":null,"messages":[{"role":"root","content":"x"}]}', "messages[0]"],
    ['{"format":"llmspell-chat-1","model":"m","system":null,"parameters":{"temperature":9},"messages":[]}', "parameters.temperature"],
    ['{"format":"llmspell-chat-1","model":"m","system":null,"parameters":{"__proto__x":9},"messages":[]}', "no such parameter"],
    ["[".repeat(100_000), "expected JSON"],
  ])("refuses the conversation file %.40s", async (text, problem) => {
    const path = join(folder, "broken.json");
    writeFileSync(path, text);
    expect((await talk("x\n", { flags: { load: [path] } })).status).toMatchObject({
      code: "usage-value",
      message: expect.stringContaining(problem),
    });
  });

  it("changes the model and keeps the conversation; a model that cannot be loaded changes nothing", async () => {
    const changed = await talk("one\n/model /other.gguf\ntwo\n", { format: "json" });
    expect(changed.document).toMatchObject({ model: "/other.gguf" });
    expect(changed.document.messages).toHaveLength(4);
    const kept = await talk("one\n/model /none.gguf\ntwo\n/model\n");
    expect(kept).toMatchObject({
      status: 3,
      out: " ok\n ok\n",
      err: expect.stringMatching(/no such file.*\[model-unknown\].*\[usage-value\]/s),
    });
    const { status, document } = await talk("one\n/model /none.gguf\ntwo\n", { format: "json" });
    expect(status).toBe(3);
    expect(document).toMatchObject({
      status: "error",
      error: { code: "model-unknown", exit_code: 3 },
      model: "/with.gguf",
      messages: [{ content: "one" }, { content: " ok" }, { content: "two" }, { content: " ok" }],
    });
  });

  it("says once that a model has no chat template, unless it is asked for raw text", async () => {
    const bare = { "/bare.gguf": writeGguf(tinyLlama({ chatTemplate: "" })) };
    for (const [raw, notes] of [
      [false, 1],
      [true, 0],
    ] as const) {
      const shown = keptScreen();
      const flags = new Map(Object.entries({ model: ["/bare.gguf"], ...(raw ? { raw: [] } : {}) }));
      await chat(scriptedContext(shown, { files: bare, script: echo, flags, stdin: chunks("one\ntwo\n") }));
      expect(shown.err().match(/no chat template/g)?.length ?? 0).toBe(notes);
      // raw turns stand alone, continued text does not
      expect(shown.out()).toBe(raw ? "[one]\n[two]\n" : "[one]\n[one\n\n[one]\n\ntwo]\n");
    }
  });

  it("ends with the error of a turn that fails, and prints no document of success", async () => {
    const { status, out } = await talk("x ".repeat(2000), { format: "json" });
    expect(status).toMatchObject({ code: "run-context", exitCode: 1, hint: expect.stringContaining("/clear") });
    expect(out).toBe("");
  });

  it("G64: a template that cannot be parsed is told as such", async () => {
    expect((await talk("x\n", { flags: { model: ["/bomb.gguf"] } })).status).toMatchObject({ code: "template-parse", exitCode: 3 });
  });

  it("stops at an interrupt, without a document of success", async () => {
    const shown = keptScreen({ format: "json" });
    const interrupt = quietInterrupt();
    const script = {
      answer: function* () {
        yield " a";
        interrupt.controller.abort();
        yield " b";
      },
      stepMs: 1,
    };
    const run = chat(
      scriptedContext(shown, { files, script, interrupt, flags: new Map([["model", ["/with.gguf"]]]), stdin: chunks("x\n") }),
    );
    await expect(run).rejects.toMatchObject({ code: "run-aborted", exitCode: 130 });
    expect(shown.out()).toBe("");
  });
});
