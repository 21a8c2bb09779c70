/** Which file of a repository a quantisation means, by its name; and what the header says to it. */
import { describe, expect, it } from "vitest";
import { splitGguf } from "../../fixtures/split-gguf.ts";
import { failure } from "../../support/failure.ts";
import { tinyGguf as gguf } from "../support/local-llm.ts";
import { scriptedModels } from "../support/scripted-models.ts";

const { open, server } = await scriptedModels();

/** Files that differ, so that each has a blob of its own. */
const file = (number: number): Buffer => Buffer.concat([gguf, Buffer.alloc(32 * number)]);

describe("a file is asked for by the last quantisation of its name", () => {
  it.each([
    ["tiny-qat-q4_0-unquantized.Q2_K.gguf", "tiny-qat-q4_0-unquantized.Q4_K_M.gguf", "tiny-qat-q4_0-unquantized.Q8_0.gguf"],
    ["tiny-v0.1-F32-Q2_K.gguf", "tiny-v0.1-F32-Q4_K_M.gguf", "tiny-v0.1-F32-Q8_0.gguf"],
  ])("%s and its sisters are three variants, and the usual one comes first", async (...names) => {
    server.addRepo("me/odd", { files: Object.fromEntries(names.map((name, index) => [name, file(index)])) });
    const { llm } = open();
    expect((await llm.offer("hf:me/odd")).plan).toMatchObject({
      id: "hf:me/odd:Q4_K_M",
      files: [{ remote: { path: names[1] } }],
      variants: [{ name: "Q2_K" }, { name: "Q4_K_M" }, { name: "Q8_0" }],
    });
    for (const quant of ["Q2_K", "q4_k_m", "Q8_0"]) {
      const { modelId } = await llm.pull(`hf:me/odd:${quant}`);
      expect(modelId).toBe(`hf:me/odd:${quant.toUpperCase()}`);
      expect((await llm.info(modelId)).files).toMatchObject([{ path: names.find((name) => name.includes(quant.toUpperCase())) }]);
    }
  });

  it("parts in a folder named by the quantisation; projectors and importance matrices are no variants", async () => {
    const [one, two] = (await splitGguf(gguf, 2)).map((part) => Buffer.from(part));
    server.addRepo("me/split", {
      files: {
        "UD-Q4_K_XL/m-00001-of-00002.gguf": one ?? gguf,
        "UD-Q4_K_XL/m-00002-of-00002.gguf": two ?? gguf,
        "m-MXFP4.gguf": file(1),
        "mmproj-BF16.gguf": file(2),
        "m-imatrix.gguf": file(3),
      },
    });
    const { llm } = open();
    expect(await failure(llm.pull("hf:me/split:BF16"))).toMatchObject({ details: { variants: ["UD-Q4_K_XL", "MXFP4"] } });
    // publishers tell people to type the word without its prefix
    expect(await llm.pull("hf:me/split:Q4_K_XL")).toMatchObject({ modelId: "hf:me/split:UD-Q4_K_XL", files: 2 });
    for (const typed of ["hf:me/split:UD-Q4_K_XL", "hf:me/split:q4_k_xl"]) {
      expect((await llm.generate(typed, "Once", { maxTokens: 2 })).model).toBe("hf:me/split:UD-Q4_K_XL");
      expect((await llm.pull(typed)).alreadyPresent).toBe(true);
    }
  });

  it("two files of one word stay apart, and both can be named", async () => {
    server.addRepo("me/twice", {
      files: { "s15-q4_0.gguf": file(1), "s110-Q4_0.gguf": file(2), "more/s-q4_0.gguf": file(3), "s15-q8_0.gguf": file(4) },
    });
    const { llm } = open();
    const error = await failure(llm.pull("hf:me/twice:Q4_0"));
    expect(error).toMatchObject({ code: "model-ambiguous", message: expect.stringContaining("s110-Q4_0.gguf (Q4_0)") });
    const address = `${server.url}/me/twice/resolve/main/more/s-q4_0.gguf`;
    const named = ["hf:me/twice/s15-q4_0.gguf", "hf:me/twice/s110-Q4_0.gguf", address];
    expect(error.actions).toMatchObject(named.map((model) => ({ kind: "pull", model })));
    expect(error.actions.map((action) => "allowHosts" in action && action.allowHosts)).toEqual([undefined, undefined, ["127.0.0.1"]]);
    expect(error.details).toMatchObject({ files: ["s15-q4_0.gguf", "s110-Q4_0.gguf", "more/s-q4_0.gguf"], variants: [] });
    expect((await failure(llm.pull("hf:me/twice"))).code).toBe("model-ambiguous");
    const sizes = new Set<number | null>();
    for (const name of named) {
      expect((await llm.pull(name, { allowHosts: ["127.0.0.1"] })).modelId).toBe(name);
      sizes.add((await llm.info(name)).sizeBytes);
    }
    expect(sizes.size).toBe(3);
    expect((await llm.pull("hf:me/twice:q8_0")).modelId).toBe("hf:me/twice:Q8_0");
  });

  it("a header that says otherwise counts, and is told", async () => {
    const { llm } = open();
    const note = "tiny.Q4_K_M.gguf is named Q4_K_M; its header says Q8_0, which is what counts";
    for (const alreadyPresent of [false, true])
      expect(await llm.pull("hf:owner/gguf:Q4_K_M")).toMatchObject({ alreadyPresent, quantization: "Q8_0", notes: [note] });
    expect(await llm.info("hf:owner/gguf:Q4_K_M")).toMatchObject({ quantization: "Q8_0", notes: expect.arrayContaining([note]) });
    expect(await llm.list("candle")).toContainEqual(expect.objectContaining({ id: "hf:owner/gguf:Q4_K_M", quantization: "Q8_0" }));
    expect(await llm.pull("hf:owner/gguf:Q8_0")).toMatchObject({ quantization: "Q8_0", notes: [] });
  });
});
