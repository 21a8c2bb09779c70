/** The browser's LanguageModel by its shape (webmachinelearning.github.io/prompt-api), over a scripted model. */
import { describe, expect, it } from "vitest";
import { createPromptApi, type PromptApiOptions } from "../../../src/core/prompt-api/prompt-api.ts";
import { continuing } from "../../support/continuing.ts";
import { type ScriptedSpellOptions, scriptedSpell } from "../../support/scripted-spell.ts";

const api = (script: ScriptedSpellOptions, options: PromptApiOptions = { model: "tiny-stories" }) =>
  createPromptApi(scriptedSpell(script), options);
/** Says how its prompt ends. */
const echo: ScriptedSpellOptions = { answer: (prompt) => [`[${prompt}]`] };

describe("createPromptApi()", () => {
  it("tells what is there, and touches no global", async () => {
    const { availability } = api(echo);
    expect(await availability()).toBe("available");
    expect(await availability({ expectedInputs: [{ type: "image" }] })).toBe("unavailable");
    expect(await api(echo, { model: "qwen2.5-0.5b" }).availability()).toBe("unavailable");
    expect(await api(echo, { model: "qwen2.5-0.5b", pull: true }).availability()).toBe("downloadable");
    expect("LanguageModel" in globalThis).toBe(false);
    expect(() => api(echo, { modle: "x" } as PromptApiOptions)).toThrow(/modle/);
  });

  it("keeps the turns of a conversation behind the initial ones", async () => {
    const loaded: number[] = [];
    const session = await api(echo).create({
      initialPrompts: [{ role: "system", content: "Be brief." }],
      monitor: (target) =>
        target.addEventListener("downloadprogress", (event) => loaded.push((event as Event & { readonly loaded: number }).loaded)),
    });
    expect(loaded).toEqual([0, 1]);
    expect(await session.prompt("One")).toBe("[<|system|>Be brief.<|user|>One<|assistant|>]");
    const used = session.contextUsage;
    expect(used).toBeGreaterThan(0);
    expect([session.contextWindow, session.inputQuota, session.inputUsage]).toEqual([4096, 4096, used]);
    await session.append([{ role: "user", content: [{ type: "text", value: "Two" }] }]);
    const other = await session.clone();
    expect(await session.prompt("Three")).toMatch(
      /Be brief\.<\|user\|>One<\|assistant\|>\[.*\]<\|user\|>Two<\|user\|>Three<\|assistant\|>\]$/,
    );
    expect(await other.prompt("Four")).toMatch(/Two<\|user\|>Four<\|assistant\|>\]$/);
    expect(await session.measureContextUsage("five words are in here")).toBeGreaterThan(0);
  });

  it("streams, and forgets an answer that was stopped", async () => {
    const session = await api({ stepMs: 2 }).create();
    const stop = new AbortController();
    let text = "";
    const reading = async (): Promise<void> => {
      const reader = session.promptStreaming("Hi", { signal: stop.signal }).getReader();
      for (;;) {
        const { done, value } = await reader.read();
        if (done) return;
        text += value;
        if (text.length > 20) stop.abort(new Error("enough"));
      }
    };
    await expect(reading()).rejects.toThrow("enough");
    const quiet = await api(echo).create();
    await expect(quiet.prompt("One", { signal: AbortSignal.abort(new Error("no")) })).rejects.toThrow("no");
    expect(await quiet.prompt("Two")).toBe("[<|user|>Two<|assistant|>]");
  });

  it("drops the oldest turns where the context is full, and says so", async () => {
    const session = await api({ answer: () => [" word".repeat(1)], contextLength: 128 }).create({
      initialPrompts: [{ role: "system", content: "Stay." }],
    });
    let overflows = 0;
    session.oncontextoverflow = () => {
      overflows += 1;
    };
    for (let turn = 0; turn < 5; turn++) expect(await session.prompt("many ".repeat(40))).toBe(" word");
    expect(overflows).toBeGreaterThan(0);
    await expect(session.prompt("many ".repeat(400))).rejects.toMatchObject({ name: "QuotaExceededError" });
  });

  it("ends with destroy(), and with the signal of its making", async () => {
    const one = await api(echo).create();
    one.destroy();
    one.destroy();
    await expect(one.prompt("Hi")).rejects.toMatchObject({ name: "InvalidStateError" });
    const stop = new AbortController();
    const two = await api({ stepMs: 5 }).create({ signal: stop.signal });
    const answer = two.prompt("Hi");
    setTimeout(() => stop.abort(), 20);
    await expect(answer).rejects.toMatchObject({ name: "AbortError" });
    await expect(api(echo).create({ signal: stop.signal })).rejects.toBe(stop.signal.reason);
  });

  it("goes on with an answer that was begun", async () => {
    const session = await api(echo).create();
    const begun = { role: "assistant" as const, content: "Yes, ", prefix: true };
    const question = { role: "user" as const, content: "So?" };
    expect(await session.prompt([question, begun])).toBe("[<|user|>So?<|assistant|>Yes, ]");
    expect(await session.prompt("Why?")).toMatch(/^\[<\|user\|>So\?<\|assistant\|>Yes, \[.*\]<\|user\|>Why\?<\|assistant\|>\]$/);
    const syntax = { name: "SyntaxError" };
    await expect(session.prompt([begun, question])).rejects.toMatchObject(syntax);
    await expect(session.prompt([{ ...question, prefix: true }])).rejects.toMatchObject(syntax);
    await expect(session.append([question, begun])).rejects.toMatchObject(syntax);
    await expect(session.prompt([question, begun], { responseConstraint: /x/ })).rejects.toMatchObject({ name: "NotSupportedError" });
  });

  it("takes a system turn as the very first alone", async () => {
    const system = { role: "system" as const, content: "Be brief." };
    const question = { role: "user" as const, content: "Hi" };
    const { create } = api(echo);
    const session = await create({ initialPrompts: [system, question] });
    await expect(create({ initialPrompts: [question, system] })).rejects.toThrow(TypeError);
    await expect(create({ initialPrompts: [system, system] })).rejects.toThrow(TypeError);
    await expect(session.prompt([system, question])).rejects.toThrow(TypeError);
    await expect(session.append([system])).rejects.toThrow(TypeError);
  });

  it("refuses what is no text", async () => {
    const { create } = api({ answer: continuing("x") });
    const session = await create();
    const image = [{ role: "user" as const, content: [{ type: "image", value: new Uint8Array(1) }] }];
    await expect(session.prompt(image)).rejects.toMatchObject({ name: "NotSupportedError" });
    await expect(create({ expectedOutputs: [{ type: "audio" }] })).rejects.toMatchObject({ name: "NotSupportedError" });
    await expect(session.prompt(7 as never)).rejects.toThrow(TypeError);
  });

  it("refuses tools, and numbers that no model takes, before a session is made", async () => {
    const { create } = api(echo);
    await expect(create({ tools: [{ name: "add" }] })).rejects.toMatchObject({
      name: "NotSupportedError",
      message: "expected no tools; got 1",
    });
    for (const wrong of [{ temperature: 99 }, { temperature: -1 }, { temperature: Number.NaN }, { topK: -1 }, { topK: 1.5 }])
      await expect(create(wrong)).rejects.toThrow(RangeError);
    expect((await create({ tools: [], temperature: 0.5, topK: 3 })).temperature).toBe(0.5);
  });
});
