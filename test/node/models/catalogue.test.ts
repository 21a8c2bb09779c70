/** The catalogue of models: what it holds, and how another list is laid over it. */
import { describe, expect, it } from "vitest";
import { builtinCatalogue, readCatalogue } from "../../../src/core/hub/catalogue.ts";
import { failure } from "../../support/failure.ts";

describe("the catalogue", () => {
  it("holds what the specification lists, each entry whole", () => {
    const entries = builtinCatalogue();
    expect(entries.map(({ name }) => name)).toEqual(
      "tiny-stories tiny-t5-en-fr tinyllama phi-2 qwen2-0.5b qwen2.5-0.5b qwen3-0.6b smollm2-135m smollm2-360m llama3.2-1b gemma3-1b gemma3-270m flan-t5-small flan-t5-base flan-t5-large t5-small t5-base t5-large byt5-small mt5-small grammar-synthesis-small coedit-large flan-t5-text2sql flan-t5-text2sql-v2 all-minilm-l6-v2 bge-small-en-v1.5 multilingual-e5-small nomic-embed-text-v1.5 qwen3-embedding-0.6b bge-reranker-base".split(
        " ",
      ),
    );
    expect(entries.filter(({ recommended }) => recommended).map(({ name }) => name)).toEqual([
      "qwen2.5-0.5b",
      "smollm2-135m",
      "smollm2-360m",
      "llama3.2-1b",
      "flan-t5-small",
    ]);
  });

  it("takes another list, whose names win; and says what is wrong with one", async () => {
    const table = (more: string): string =>
      `[[model]]\nname = "phi-2"\ndescription = "mine"\nkind = "chat"\nsource = "hf:me/phi"\nsize_bytes = 1\nparameter_count = 1\ncontext_length = 1\nlicense = "MIT"\n${more}`;
    const merged = await readCatalogue(table(""));
    expect(merged.filter(({ name }) => name === "phi-2")).toMatchObject([{ description: "mine", source: { owner: "me", repo: "phi" } }]);
    expect(merged).toHaveLength(builtinCatalogue().length);
    expect(await failure(readCatalogue(table("colour = 1")))).toMatchObject({ code: "config-value", where: "colour" });
    expect(await failure(readCatalogue(table("").replace('kind = "chat"', 'kind = "oracle"')))).toMatchObject({
      code: "config-value",
      where: "kind",
    });
    expect(await failure(readCatalogue("[[model]\n"))).toMatchObject({ code: "config-syntax", where: "line 1" });
  });
});
