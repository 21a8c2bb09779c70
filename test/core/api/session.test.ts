/** Sessions of a model: what their calls hand to the engine, and what is said where nothing is kept. */
import { expect, it } from "vitest";
import { createPool } from "../../../src/core/api/pool.ts";
import type { OpenedModel } from "../../../src/core/backends/backend.ts";
import type { GenerateOptions } from "../../../src/core/spec/generate.ts";
import type { LanguageModel } from "../../../src/core/spec/language-model.ts";
import { scriptedModel } from "../../../src/core/testing/index.ts";
import { failure } from "../../support/failure.ts";

/** A model that keeps the options it was called with. @param keepsStates it says itself what it cannot keep */
async function recorded(keepsStates: true | undefined): Promise<{ readonly model: LanguageModel; readonly calls: GenerateOptions[] }> {
  const calls: GenerateOptions[] = [];
  const about = { id: "m", architecture: "llama", contextLength: 128, hasChatTemplate: false, isSeq2Seq: false };
  const opened: OpenedModel = {
    ...about,
    keepsStates,
    async *streamMany(_, call) {
      calls.push(call);
      yield { index: 0, part: { type: "stream-start", model: "m" } };
      yield { index: 0, part: { type: "text-delta", text: "hello" } };
      const timing = { loadMs: 0, firstTokenMs: 0, prefillMs: 0, decodeMs: 0, prefillRate: 0, decodeRate: 0 };
      const usage = { promptTokens: 1, completionTokens: 1, totalTokens: 2 };
      yield { index: 0, part: { type: "stream-end", finishReason: "stop", seed: 0, usage, timing } };
    },
    dispose: async () => undefined,
  };
  const settings = { generate: {}, timeoutMs: 60_000, maxConcurrent: 1, maxPerModel: 1, keepAliveMs: undefined };
  const backend = { name: "box", type: "box", calls: settings, find: async () => ({ id: "m", key: "m", open: async () => opened }) };
  return { model: await createPool().load(backend, { kind: "name", name: "m" }, {}), calls };
}

it("share a name in all their calls, and each session has its own", async () => {
  const { model, calls } = await recorded(true);
  const [first, second] = [model.session(), model.session({ save: true })];
  await first.generate("one", { seed: 1 });
  await first.stream("two").textStream[Symbol.asyncIterator]().next();
  await second.generate("three");
  await model.session({ save: "trip" }).generate("four");
  await model.session({ save: "trip" }).generate("five");
  const names = calls.map(({ session }) => session);
  expect(new Set(names).size).toBe(3);
  expect(names[0]).toBe(names[1]);
  expect(names[3]).toBe(names[4]);
  expect(calls.map(({ save }) => save)).toEqual([undefined, undefined, true, "trip", "trip"]);
  expect(calls[0]?.seed).toBe(1);
});

it("refuse wrong names, and options that are the session's own", async () => {
  const { model } = await recorded(true);
  for (const save of ["", "x".repeat(101), false, 7]) {
    expect(() => model.session({ save: save as never })).toThrow(expect.objectContaining({ code: "run-option" }));
    expect(await failure(model.generate("one", { save: save as never }))).toMatchObject({ code: "run-option", where: "save" });
  }
  expect(() => model.session({ keep: true } as never)).toThrow("session has no option keep");
  expect(await failure(model.session().generate("one", { session: "mine" } as never))).toMatchObject({ code: "run-option" });
});

it("say that nothing is kept, once an answer, where the backend or the runtime cannot", async () => {
  const { model } = await recorded(undefined);
  const { warnings, text } = await model.session({ save: true }).generate("one");
  expect([warnings, text]).toEqual([[{ code: "state-note", message: "not kept: box keeps no states here" }], "hello"]);
  expect((await model.session().generate("one")).warnings).toEqual([]);
  const scripted = await scriptedModel();
  const answer = await scripted.session({ save: "trip" }).generate("one", { maxTokens: 1 });
  expect(answer.warnings.map(({ code }) => code)).toEqual(["state-note"]);
});
