/** Names of GGUF files as hubs publish them. Second opinion: parseGGUFQuantLabel of @huggingface/gguf, which the Hub itself uses. */
import { parseGGUFQuantLabel } from "@huggingface/gguf";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { contradicts, isModelGguf, isSameQuant, quantOf } from "../../../src/core/hub/gguf-names.ts";

const words = [
  ..."Q4_0 Q4_1 Q5_0 Q5_1 Q8_0 Q2_K Q3_K_S Q3_K_M Q3_K_L Q4_K_S Q4_K_M Q5_K_S Q5_K_M Q6_K Q2_K_S".split(" "),
  ..."IQ1_S IQ1_M IQ2_XXS IQ2_XS IQ2_S IQ2_M IQ3_XXS IQ3_XS IQ3_S IQ3_M IQ4_NL IQ4_XS TQ1_0 TQ2_0 F16 F32 BF16 MXFP4 NVFP4".split(" "),
  ..."UD-Q4_K_XL UD-Q8_K_XL UD-IQ1_S UD-IQ2_XXS UD-TQ1_0 Q3_K_XL MXFP4_MOE".split(" "),
];
/** Published, and unknown to the second opinion. */
const others = "Q4_0_4_4 Q4_0_4_8 Q4_0_8_8 Q4_K_L Q6_K_L Q2_K_L Q4_K Q4 Q8 FP16 FP32 I2_S IQ4_KS IQ4_K_R4 IQ2_KT".split(" ");

describe("the quantisation in a name", () => {
  it.each([...words, ...others])("%s, in any place, case and form", (word) => {
    for (const name of [word, word.toLowerCase()]) {
      for (const path of [
        `model-${name}.gguf`,
        `model.${name}.gguf`,
        `model_${name}.gguf`,
        `${name}.gguf`,
        `model-${name}-00001-of-00003.gguf`,
        `${name}/model-00001-of-00003.gguf`,
        `${name}/model-${name}-00001-of-00003.gguf`,
        `BF16/model-${name}.gguf`,
        `${name}/model-qat-q4_0-unquantized.gguf`,
        `model-v0.1-F32-${name}.gguf`,
        `model-qat-q4_0-unquantized.${name}.gguf`,
        `model.f16.${name}.gguf`,
        `model.i1-${name}.gguf`,
        `model-${name}-imat.gguf`,
        `model-${name}.GGUF`,
      ])
        expect([path, quantOf(path)]).toEqual([path, word]);
    }
  });

  it.each([
    ["model.gguf", undefined],
    ["qwen2_0.5b-instruct.gguf", undefined],
    ["Q3model-IQx.gguf", undefined],
    ["model-00001-of-00002.gguf", undefined],
    ["model-q4_0_2024.gguf", "Q4_0"],
    ["model-q4_0_unquantized.gguf", "Q4_0"],
    ["Model-8x7B-v0.1.Q4_K_M.gguf", "Q4_K_M"],
    ["gguf-f16/model-Q4_K_M-imat.gguf", "F16"],
  ])("%s: %s", (path, quant) => {
    expect(quantOf(path)).toBe(quant);
  });

  it("is what the Hub reads, for made-up names", () => {
    const part = fc.stringMatching(/^[A-Za-z][a-pr-z0-9]{0,6}$/);
    fc.assert(
      fc.property(
        fc.array(part, { minLength: 1, maxLength: 3 }),
        fc.constantFrom(...words),
        fc.constantFrom("-", ".", "_"),
        (parts, word, mark) => {
          const path = `${parts.join("-")}${mark}${word}.gguf`;
          expect(quantOf(path)).toBe(parseGGUFQuantLabel(path));
        },
      ),
    );
  });

  it("is asked for in any case, without UD-, and as F16 or FP16", () => {
    expect([isSameQuant("q4_k_xl", "UD-Q4_K_XL"), isSameQuant("F16", "FP16"), isSameQuant("fp32", "F32")]).toEqual([true, true, true]);
    expect([isSameQuant("UD-Q4_K_XL", "Q4_K_XL"), isSameQuant("Q4_K", "Q4_K_M")]).toEqual([false, false]);
  });
});

it.each([
  ["a-Q4_K_M.gguf", true],
  ["a-imatrix-Q4_K_M.gguf", true],
  ["imatrix/a-IQ4_XS.gguf", true],
  ["a-Q4_K_M-00001-of-00002.gguf", true],
  ["a-Q4_K_M-00002-of-00002.gguf", false],
  ["mmproj-F16.gguf", false],
  ["a.mmproj-Q8_0.gguf", false],
  ["a-imatrix.gguf", false],
  ["a.imatrix.gguf", false],
  ["imatrix_unsloth.gguf", false],
  ["a-Q4_K_M.bin", false],
])("%s is a model: %s", (path, expected) => {
  expect(isModelGguf(path)).toBe(expected);
});

it.each([
  ["Q4_K_M", "Q4_K_M", false],
  ["Q4_K_M", "Q8_0", true],
  ["Q4_K_M", "Q4_K_S", true],
  ["Q4_K_L", "Q4_K_M", false],
  ["UD-Q4_K_XL", "Q4_K_M", false],
  ["UD-Q4_K_XL", "Q8_0", true],
  ["Q4_0_4_4", "Q4_0", false],
  ["FP16", "F16", false],
  ["BF16", "F16", true],
  ["MXFP4", "MXFP4_MOE", false],
  ["Q4", "Q4_K_M", false],
])("a file named %s with %s in its header is a contradiction: %s", (name, header, expected) => {
  expect(contradicts(name, header)).toBe(expected);
});
