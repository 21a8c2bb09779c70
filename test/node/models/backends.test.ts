/** Which backend answers for a name, and what is said of one that fails. */
import { describe, expect, it } from "vitest";
import { failure } from "../../support/failure.ts";
import { scriptedModels } from "../support/scripted-models.ts";

const { logged, open, server } = await scriptedModels();

describe("backends", () => {
  it("are chosen by what is declared, never by what answers", async () => {
    const both = open({ backends: ["candle", "ollama"] }).llm;
    expect((await both.offer("llama3.2:1b")).backend).toBe("ollama");
    expect((await failure(open().llm.pull("llama3.2:1b"))).code).toBe("model-unknown");
    expect((await failure(open().llm.pull("x@ollama"))).code).toBe("backend-not-configured");
    expect((await failure(open({ backends: ["ollama"] }).llm.pull("hf:a/b"))).code).toBe("backend-not-configured");
    expect((await failure(both.pull("x@pluto"))).code).toBe("backend-unknown");
    expect(await failure(both.list("olama"))).toMatchObject({
      code: "backend-unknown",
      hint: expect.stringMatching(/^Did you mean ollama\?/),
    });
    expect(server.seen).toEqual([]);
  });

  it("that fail are told, not hidden", async () => {
    const { llm } = open({ backends: ["candle", "ollama"] });
    const { models: list, backends } = await llm.listAll();
    expect([list.length, backends.map(({ backend, ok }) => [backend, ok])]).toEqual([
      2,
      [
        ["candle", true],
        ["ollama", false],
      ],
    ]);
    expect(backends[1]?.error).toMatchObject({
      code: "ollama-unreachable",
      actions: [{ kind: "start-server", server: "ollama" }],
      exitCode: 5,
    });
    expect(await llm.list()).toHaveLength(2);
    expect(logged).toMatchObject([{ level: "warn", message: expect.stringContaining("ollama is left out") }]);
    expect(await llm.status()).toMatchObject({
      candle: { ready: true, models: 2 },
      ollama: { running: false, models: 0, error: expect.stringContaining("127.0.0.1:9") },
    });
    expect(await open().llm.status("ollama")).toMatchObject({ ollama: { configured: false, error: "Not configured" } });
  });
});
