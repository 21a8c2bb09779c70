/** The side that asks: what it says of an engine that is gone. */
import { describe, expect, it } from "vitest";
import { RemoteEngine } from "../../../src/core/remote/caller.ts";

const silent = { post: () => undefined, end: async () => undefined };
const end = (lastWords: string): RemoteEngine["dead"] => {
  const engine = new RemoteEngine(silent, { place: "process", engine: "node-llama-cpp", silenceMs: 60_000, lastWords: () => lastWords });
  engine.died("was ended by SIGABRT", { signal: "SIGABRT" });
  return engine.dead;
};

describe("an engine that ended", () => {
  it("is told with its own last error", () => {
    const words =
      "/somewhere/ggml-cuda.cu:108: CUDA error\nCUDA error: the provided PTX was compiled with an unsupported toolchain.\n  current device: 0\n";
    expect(end(words)).toMatchObject({
      message: expect.stringMatching(/ended by SIGABRT: CUDA error: the provided PTX was compiled with an unsupported toolchain\.$/),
      details: { signal: "SIGABRT", runtime: "node-llama-cpp", stderr: words.trim() },
    });
  });

  it("is told without, where it said none", () => {
    expect(end("loading\n")?.message).toMatch(/ended by SIGABRT$/);
    expect(end("")?.details).toEqual({ signal: "SIGABRT", runtime: "node-llama-cpp" });
  });
});
