import { describe, expect, it } from "vitest";
import { parseModelSpec } from "../../../src/core/spec/model-spec.ts";

describe("model spec", () => {
  it.each([
    ["tiny-stories", { kind: "name", name: "tiny-stories" }],
    ["tiny-stories:Q8_0", { kind: "name", name: "tiny-stories", variant: "Q8_0" }],
    ["tiny-stories@local", { kind: "name", name: "tiny-stories", backend: "candle" }],
    ["tiny-stories:q8_0@Candle", { kind: "name", name: "tiny-stories", variant: "q8_0", backend: "candle" }],
    ["./a model.gguf", { kind: "path", path: "./a model.gguf" }],
    ["../x@candle", { kind: "path", path: "../x" }],
    ["/models/a@b.gguf", { kind: "path", path: "/models/a@b.gguf" }],
    ["~/m.gguf", { kind: "path", path: "~/m.gguf" }],
    ["C:\\m.gguf", { kind: "path", path: "C:\\m.gguf" }],
    [".", { kind: "path", path: "." }],
  ])("reads %s", (text, expected) => {
    expect(parseModelSpec(text)).toEqual(expected);
  });

  it.each([
    ["", "spec-syntax"],
    ["x".repeat(513), "spec-syntax"],
    ["-x", "spec-syntax"],
    ["a:b:c", "spec-syntax"],
    ["a\0b", "spec-syntax"],
    ["a\u202eb", "spec-syntax"],
    ["a%2f..%2fb", "spec-syntax"],
    ["tiny-stories@pluto", "backend-unknown"],
    ["tiny-stories@ollama", "usage-not-available"],
    ["hf:owner/repo", "usage-not-available"],
    ["https://example.org/m.gguf", "usage-not-available"],
    ["ollama:llama3.2:1b", "usage-not-available"],
  ])("refuses %s", (text, code) => {
    expect(() => parseModelSpec(text)).toThrow(expect.objectContaining({ code }));
  });
});
