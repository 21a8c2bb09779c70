import { describe, expect, it } from "vitest";
import { nearestNames, pathOfName, unknownModel } from "../../../src/core/backends/unknown-model.ts";
import { SpellError } from "../../../src/core/errors.ts";
import { readCatalogue } from "../../../src/core/hub/catalogue.ts";

const catalogue = await readCatalogue(undefined);

describe("a name that is not in the catalogue", () => {
  it.each([
    ["tinystories", ["tiny-stories"]],
    ["TinyLlama_1.1B", ["tinyllama"]],
    ["llama3", ["llama3.2-1b"]],
    ["llama3.2:1b", ["llama3.2-1b"]],
    ["llama2", ["llama3.2-1b"]],
    ["gemma", ["gemma3-1b", "gemma3-270m"]],
    ["smolm2", ["smollm2-135m", "smollm2-360m"]],
    ["phi3", ["phi-2"]],
    ["flan-t5-xl", ["flan-t5-small", "flan-t5-base", "flan-t5-large"]],
    ["mistral", []],
    ["nope", []],
    ["", []],
    ["x".repeat(10_000), []],
  ])("%s is near %j", (name, near) => {
    expect(nearestNames(name, catalogue)).toEqual(near);
  });

  it("is told with the nearest names, never with all of them", () => {
    expect(unknownModel("gemma", catalogue).message).toBe("Model 'gemma' is not in the catalogue; did you mean gemma3-1b or gemma3-270m?");
    expect(unknownModel("nope", catalogue, { reason: "no server was found", isServerThere: false })).toMatchObject({
      message: "Model 'nope' is not in the catalogue. No server was found.",
      actions: [{ kind: "available" }, { kind: "help-names" }],
      details: { name: "nope", catalogue: expect.arrayContaining(["tinyllama", "t5-small"]) },
    });
  });

  it("is found at the end of a path where nothing lies", () => {
    const error = new SpellError("model-unknown", "./x: no such file or folder");
    expect(pathOfName(error, "./Flan-T5-small/", catalogue)).toMatchObject({
      hint: "flan-t5-small without a path is in the catalogue:",
      actions: [{ kind: "run", model: "flan-t5-small" }],
    });
    expect(pathOfName(error, "./x", catalogue)).toBe(error);
  });
});
