import { describe, expect, it } from "vitest";
import { offerPull } from "../../../src/node/cli/model-pull.ts";
import { scriptedModels } from "../support/scripted-models.ts";
import { keptScreen, scriptedContext } from "./support.ts";

const { open, server } = await scriptedModels();

describe("a pull that is offered", () => {
  it("asks nothing where every byte is here already", async () => {
    const { llm, spell } = open();
    await llm.pull("hf:owner/gguf:Q8_0");
    server.addRepo("other/gguf", { files: { "x.Q8_0.gguf": server.repos.get("owner/gguf")?.files?.["tiny.Q8_0.gguf"] ?? Buffer.of() } });
    const shown = keptScreen({}, { err: true });
    const offer = await spell.models.offer("hf:other/gguf", { looksAhead: true });
    expect(offer.missingBytes).toBe(0);
    expect(await offerPull(scriptedContext(shown, { files: {} }), spell, offer)).toBe(true);
    expect(shown.err()).not.toMatch(/Download|0 B to download/);
    expect((await llm.generate("hf:other/gguf", "x", { maxTokens: 1 })).model).toBe("hf:other/gguf:Q8_0");
  });
});
