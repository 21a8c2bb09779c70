/** The built bin: one answer, and the errors on the way to it. */
import { describe, expect, it } from "vitest";
import { cli } from "../support.ts";
import { modelFolder } from "./support.ts";

const folder = modelFolder();

describe("generate", () => {
  it("tells a story from the bundled model; G80: with the same seed the same, in locale C and with NO_COLOR too", async () => {
    const args = ["generate", "Once upon a time", "--max-tokens", "12", "--seed", "1"];
    const first = await cli(args);
    const second = await cli([...args, "--quiet"], { env: { LC_ALL: "C", LANG: "C", NO_COLOR: "1", COLUMNS: "0", TERM: "dumb" } });
    expect(first.status).toBe(0);
    expect(first.stdout).toMatch(/^ ?\S.+\n$/s);
    expect(first.stdout + first.stderr).not.toContain("\u001b");
    expect(second).toEqual({ ...first, stderr: "" });
    expect(first.stderr).toContain("note: the answer was cut after 12 tokens; --max-tokens N allows more\n");
  });

  it("takes - alone as standard input, not beside other words", async () => {
    for (const words of [
      ["-", "extra"],
      ["extra", "-"],
    ])
      expect(await cli(["generate", ...words], { input: "hi" })).toMatchObject({
        status: 2,
        stdout: "",
        stderr: expect.stringMatching(/^Error: PROMPT: - is standard input alone; .*\n.*\n\[usage-value\]\n$/),
      });
  });

  it("reads standard input before the operand, and is silent with -q", async () => {
    const joined = await cli(["generate", "-q", "There was a cat.", "--max-tokens", "5", "--temperature", "0"], {
      input: "Once upon a time\n",
    });
    const whole = await cli(["generate", "-q", "-", "--max-tokens", "5", "--temperature", "0"], {
      input: "Once upon a time\n\nThere was a cat.",
    });
    expect(joined).toEqual(whole);
    expect(joined).toMatchObject({ status: 0, stderr: "" });
  });

  it("runs a file under a path with spaces, accents and emoji", async () => {
    const { status, stdout } = await cli(["generate", "-m", "./model.gguf", "Hi", "--max-tokens", "3", "--output", "json"], {
      cwd: folder,
    });
    expect(JSON.parse(stdout)).toMatchObject({ status: "ok", model: "./model.gguf", usage: { completion_tokens: 3 } });
    expect(status).toBe(0);
  });

  it.each([
    ["a missing file", ["-m", "./modle.gguf"], 3, "model-unknown", "  llmspell generate -m ./model.gguf "],
    ["a path without ./", ["-m", "model.gguf"], 3, "model-unknown", "  llmspell generate -m ./model.gguf "],
    [
      "a file that is not here",
      ["-m", "modl.gguf"],
      3,
      "model-unknown",
      "no file modl.gguf in this folder\nModels there:\n  llmspell generate -m ./model.gguf ",
    ],
    ["a file like none here", ["-m", "xyzxyzxyzxyz.gguf"], 3, "model-unknown", "  llmspell generate -m ./"],
    ["a name that only a server may know", ["-m", "nope"], 5, "ollama-unreachable", "nope is not known here, and Ollama"],
    [
      "a path that is a name of the catalogue",
      ["-m", "./flan-t5-small"],
      3,
      "model-unknown",
      "  llmspell generate -m flan-t5-small Hello\n",
    ],
    ["a slip in a name", ["-m", "tinylama"], 5, "ollama-unreachable", "Or did you mean tinyllama?"],
    ["a model that is not here", ["-m", "tinyllama"], 3, "model-not-installed", "  llmspell generate -m tinyllama Hello --pull"],
    ["an unknown name for candle", ["-m", "tinylama@candle"], 3, "model-unknown", "did you mean tinyllama?"],
    ["a T5 file", ["-m", "./t5.gguf"], 3, "model-t5-gguf", "safetensors"],
    ["a repository", ["-m", "hf:a/b"], 3, "model-not-installed", "  llmspell model pull hf:a/b@candle"],
    ["a repository without hf:", ["-m", "a/b"], 2, "backend-unknown", "did you mean hf:a/b?"],
    ["the same, with what to type", ["-m", "a/b:Q8_0"], 2, "backend-unknown", "  llmspell generate -m hf:a/b:Q8_0 Hello --pull\n"],
    ["a file in a folder that is not there", ["-m", "a/b.gguf"], 2, "backend-unknown", "  llmspell generate -m ./a/b.gguf Hello\n"],
    ["a private address", ["-m", "http://10.0.0.1/m.gguf"], 2, "spec-host", "--allow-host 10.0.0.1"],
    ["an unknown backend", ["-m", "x@pluto"], 2, "backend-unknown", "candle (alias local)"],
    ["too large a context", ["--context-size", "5000"], 2, "usage-value", "128 … 512"],
    ["a device that is not there", ["--device", "vulkan"], 4, "device-unavailable", "  llmspell generate Hello --device cpu\n"],
  ])("%s ends with its code and what to type", async (_, args, status, code, text) => {
    const outcome = await cli(["generate", ...args, "Hello"], { cwd: folder });
    expect(outcome).toMatchObject({ status, stdout: "" });
    expect(outcome.stderr).toMatch(new RegExp(`^Error: .+\\n\\[${code}\\]\\n$`, "s"));
    expect(outcome.stderr).toContain(text);
    expect(outcome.stderr).not.toMatch(/\n\s+at /);
  });

  it("G100: control-token text in a prompt stays text, and one note says so", async () => {
    const { status, stderr } = await cli(["generate", "Hello </s> there", "-m", "./model.gguf", "--max-tokens", "2"], { cwd: folder });
    expect(status).toBe(0);
    expect(stderr.match(/control token/g)).toHaveLength(1);
  });
});
