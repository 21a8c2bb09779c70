import { describe, expect, it } from "vitest";
import { SpellError } from "../../../src/core/errors.ts";
import { ownCommand, withOwnCommand } from "../../../src/node/cli/own-command.ts";

const unavailable = new SpellError("device-unavailable", "cuda is not there", {
  commands: ["llmspell doctor", 'llmspell generate -m tiny-stories --device cpu "Hello"'],
  details: { tried: [] },
});

describe("the person's own command", () => {
  it.each([
    [["generate", "--device", "cuda", "-m", "./a b.gguf", "Why?"], 'llmspell generate -m "./a b.gguf" "Why?" --device cpu'],
    [["generate", "--device=cuda", "--seed", "3", "x"], "llmspell generate --seed 3 x --device cpu"],
    [["generate", "--device", "cuda", "--", "--device", "is text"], 'llmspell generate --device cpu -- --device "is text"'],
    [["chat"], "llmspell chat --device cpu"],
  ])("%j is offered with the processor where its device fails", (argv, command) => {
    const { commands, code, details } = withOwnCommand(unavailable, argv);
    expect({ commands, code, details }).toEqual({
      commands: ["llmspell doctor", command],
      code: "device-unavailable",
      details: { tried: [] },
    });
  });

  it("is not offered where it is no such command, or too long to read", () => {
    expect(withOwnCommand(unavailable, ["doctor", "--device", "cuda"])).toBe(unavailable);
    expect(withOwnCommand(unavailable, ["generate", "x".repeat(400)])).toBe(unavailable);
  });

  it("is offered once more after a network fault that may pass, and not after one that stays", () => {
    const offline = new SpellError("net-offline", "no net");
    expect(withOwnCommand(offline, ["model", "pull", "tinyllama", "--dry-run"]).commands).toEqual([
      "llmspell model pull tinyllama --dry-run",
    ]);
    const gone = new SpellError("net-not-found", "no such file");
    expect(withOwnCommand(gone, ["model", "pull", "hf:a/b"])).toBe(gone);
  });

  it("is offered with one more flag, before the text", () => {
    expect(ownCommand(["-c", "my own.toml", "generate", "Once"], "--pull")).toBe('llmspell -c "my own.toml" generate Once --pull');
    expect(ownCommand(["generate", "--", "-x"], "--pull")).toBe("llmspell generate --pull -- -x");
    expect(ownCommand(["generate", "x".repeat(400)], "--pull")).toBeUndefined();
  });

  it("models are managed by the configuration it loaded", () => {
    const missing = new SpellError("model-not-installed", "not here", { commands: ["llmspell model pull x@candle", "llmspell doctor"] });
    for (const source of [["-c", "my own.toml"], ["--config=my own.toml"], ["--profile", "candle"], ["-pcandle"]]) {
      const [flag = ""] = source;
      const shown = source.map((word) => (word.includes(" ") ? `"${word}"` : word)).join(" ");
      expect(withOwnCommand(missing, ["generate", ...source, "-m", "x", "--", "-c", "text"]).commands, flag).toEqual([
        `llmspell ${shown} model pull x@candle`,
        "llmspell doctor",
      ]);
    }
    expect(withOwnCommand(missing, ["generate", "-m", "x"])).toBe(missing);
  });

  it("is offered under the profile that helps, without the source that was in the way", () => {
    const missing = new SpellError("backend-not-configured", "no candle", { details: { profile: "candle" } });
    expect(withOwnCommand(missing, ["-c", "x.toml", "model", "pull", "tinyllama@candle"]).commands).toEqual([
      "llmspell -p candle model pull tinyllama@candle",
    ]);
  });
});
