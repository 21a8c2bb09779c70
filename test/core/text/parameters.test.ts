import { describe, expect, it } from "vitest";
import { SpellError } from "../../../src/core/errors.ts";
import { parameterRules, resolveDecoderParameters, resolveSeq2SeqParameters } from "../../../src/core/text/parameters.ts";

const resolve = (options: Parameters<typeof resolveDecoderParameters>[0], model = {}) => {
  const { options: resolved, ignored } = resolveDecoderParameters(options, model, () => 42);
  return { ...resolved, ignored };
};

describe("generation parameters", () => {
  it("fill the table's defaults", () => {
    expect(resolve({})).toEqual({
      maxTokens: 512,
      sampling: {
        kind: "random",
        temperature: 0.7,
        topK: 40,
        topP: 0.9,
        penalties: { repeatPenalty: 1.1, lastTokens: 64, presencePenalty: 0, frequencyPenalty: 0 },
        seed: 42,
      },
      stop: [],
      ignored: [],
    });
  });

  it("take the call before the preset before the model's own defaults", () => {
    const { sampling } = resolve({ preset: "creative", topK: 3 }, { temperature: 0.1, topK: 9, minP: 0.05 });
    expect(sampling).toMatchObject({ temperature: 0.9, topP: 0.95, topK: 3, minP: 0.05, penalties: { repeatPenalty: 1.05 } });
  });

  it.each(
    parameterRules.flatMap(
      (rule) =>
        [
          [rule.name, rule.max + 1],
          [rule.name, rule.above === true ? rule.min : rule.min - 1],
          [rule.name, Number.NaN],
          [rule.name, "1"],
          [rule.name, Number.POSITIVE_INFINITY],
        ] as const,
    ),
  )("R12 refuse %s = %s", (name, value) => {
    expect(() => resolve({ [name]: value })).toThrow(expect.objectContaining({ code: "run-option", where: name }));
  });

  it("refuse fractions where integers are expected", () => {
    for (const { name } of parameterRules.filter((rule) => rule.integer)) expect(() => resolve({ [name]: 1.5 })).toThrow(SpellError);
  });

  it("refuse bad stop strings and presets", () => {
    for (const stop of ["", ["a", ""], Array(17).fill("x"), ["x".repeat(257)], [3]])
      expect(() => resolve({ stop: stop as string[] })).toThrow(/stop/);
    expect(() => resolve({ preset: "__proto__" as "greedy" })).toThrow(/preset/);
    expect(resolve({ stop: "END" }).stop).toEqual(["END"]);
  });

  it("leave out what is off", () => {
    const off = { topK: 0, topP: 1, repeatPenalty: 1, seed: 3 };
    expect(resolve(off).sampling).toEqual({ kind: "random", temperature: 0.7, seed: 3, isSeeded: true });
    expect(resolve({ ...off, temperature: 0, presencePenalty: 1, repeatLastN: 0 }).sampling).toEqual({
      kind: "greedy",
      seed: 3,
      isSeeded: true,
    });
    expect(resolve({ preset: "greedy", frequencyPenalty: 1, repeatLastN: -1, seed: 3 }).sampling).toEqual({
      kind: "greedy",
      seed: 3,
      isSeeded: true,
      penalties: { repeatPenalty: 1, lastTokens: "all", presencePenalty: 0, frequencyPenalty: 1 },
    });
  });

  it("are refused where they are no options, or a session or signal is not one", () => {
    const refused = (options: unknown): unknown => {
      try {
        resolve(options as Parameters<typeof resolve>[0]);
      } catch (error) {
        return error;
      }
      return undefined;
    };
    for (const options of [null, 5, "x", []]) expect(refused(options)).toMatchObject({ code: "run-option", where: "options" });
    for (const session of [5, ""]) expect(refused({ session })).toMatchObject({ code: "run-option", where: "session" });
    expect(refused({ signal: 5 })).toMatchObject({ code: "run-option", where: "signal" });
    expect(refused({ session: "a", signal: new AbortController().signal })).toBeUndefined();
  });
  it("name what a decoder cannot do, and only when it was asked for", () => {
    expect(resolve({ numBeams: 4, lengthPenalty: 1, numReturnSequences: 2, noRepeatNgramSize: 3 }).ignored).toEqual([
      "numBeams",
      "lengthPenalty",
      "numReturnSequences",
      "noRepeatNgramSize",
    ]);
    expect(resolve({ numBeams: 1, noRepeatNgramSize: 0 }).ignored).toEqual([]);
  });
});

const resolveSeq2Seq = (options: Parameters<typeof resolveSeq2SeqParameters>[0], model = {}) =>
  resolveSeq2SeqParameters(options, model, () => 42).options;

describe("generation parameters of encoder-decoder models", () => {
  it("are greedy without beams unless somebody says otherwise", () => {
    expect(resolveSeq2Seq({})).toEqual({
      maxTokens: 512,
      sampling: { kind: "greedy", seed: 42 },
      stop: [],
      noRepeatNgramSize: 0,
    });
  });

  it("take the model's beams, but not for a call that samples", () => {
    const model = { numBeams: 4, lengthPenalty: 2, noRepeatNgramSize: 3, maxTokens: 60 };
    const beams = { kind: "beam", seed: 42, numBeams: 4, lengthPenalty: 2, numReturnSequences: 1 };
    expect(resolveSeq2Seq({}, model)).toEqual({ maxTokens: 60, sampling: beams, stop: [], noRepeatNgramSize: 3 });
    expect(resolveSeq2Seq({ temperature: 0.8 }, model)).toMatchObject({ sampling: { kind: "random", temperature: 0.8 } });
  });

  it("beams asked for put aside sampling the model recommends", () => {
    expect(resolveSeq2Seq({ numBeams: 2 }, { temperature: 1 })).toMatchObject({ sampling: { kind: "beam", numBeams: 2 } });
  });

  it("refuse beams with a temperature, and more answers than beams", () => {
    expect(() => resolveSeq2Seq({ numBeams: 2, temperature: 0.5 })).toThrow(/numBeams/);
    expect(() => resolveSeq2Seq({ numBeams: 2, numReturnSequences: 3 })).toThrow(/numReturnSequences/);
    expect(() => resolveSeq2Seq({ numReturnSequences: 2 })).toThrow(/at most the number of beams \(1\)/);
  });
});
