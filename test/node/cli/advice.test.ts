import { describe, expect, it } from "vitest";
import { SpellError } from "../../../src/core/errors.ts";
import type { Action } from "../../../src/core/spec/action.ts";
import { commandsOf, ownCommand, wordActions } from "../../../src/node/cli/advice.ts";

const unavailable = new SpellError("device-unavailable", "cuda is not there", {
  actions: [{ kind: "diagnose" }, { kind: "run", model: "tiny-stories", device: "cpu" }],
});

/** A value for every kind: a new one does not compile until it stands here. */
const words: { readonly [K in Action["kind"]]: readonly (readonly [Omit<Extract<Action, { kind: K }>, "kind">, string])[] } = {
  run: [
    [{ model: "tinyllama" }, 'llmspell -c my.toml generate -m tinyllama "Hello"'],
    [{ model: "./a b.gguf", device: "cpu" }, 'llmspell -c my.toml generate -m "./a b.gguf" --device cpu "Hello"'],
    [{ model: "mt5-small:q8" }, 'llmspell -c my.toml generate -m mt5-small:q8 "Paris ist die <extra_id_0> von Frankreich."'],
    [{ model: "tiny-stories", profile: "candle" }, 'llmspell -p candle generate -m tiny-stories "Once upon a time"'],
    [{ model: "./t5", quantization: "q4" }, 'llmspell -c my.toml generate -m ./t5 --quantization q4 "Hello"'],
  ],
  pull: [
    [{ model: "x@candle" }, "llmspell -c my.toml model pull x@candle"],
    [{ model: "x", force: true }, "llmspell -c my.toml model pull --force x"],
    [{ model: "http://nas/x.gguf", allowHosts: ["nas"] }, "llmspell -c my.toml model pull --allow-host nas http://nas/x.gguf"],
    [{ model: "./DIR", as: "NAME" }, "llmspell -c my.toml model pull ./DIR --as NAME"],
    [{ model: "x@ollama", profile: "ollama" }, "llmspell -p ollama model pull x@ollama"],
  ],
  embed: [[{ model: "./minilm" }, 'llmspell -c my.toml embed -m ./minilm "Hello"']],
  rerank: [[{ model: "./bge" }, 'llmspell -c my.toml similar --rerank -m ./bge "Hello" lines.txt']],
  info: [[{ model: "hf:a/b" }, "llmspell -c my.toml model info hf:a/b"]],
  list: [[{}, "llmspell -c my.toml model list"]],
  available: [[{}, "llmspell -c my.toml model available"]],
  "tool-info": [[{ tool: "s_run" }, "llmspell -c my.toml tool info s_run"]],
  "help-names": [[{}, "llmspell help model pull"]],
  diagnose: [[{}, "llmspell doctor"]],
  prune: [[{}, "llmspell -c my.toml model prune"]],
  "show-config": [
    [{}, "llmspell -c my.toml config show --origin"],
    [{ section: "models" }, "llmspell -c my.toml config show models --origin"],
  ],
  "check-config": [[{ file: "a b.toml" }, 'llmspell config validate --file "a b.toml"']],
  "new-config": [[{ file: "my.toml", profile: "candle" }, "llmspell config init --from candle --file my.toml"]],
  "list-profiles": [[{}, "llmspell config list-profiles"]],
  "use-profile": [[{ profile: "ollama" }, "llmspell -p ollama generate Why"]],
  "use-option": [
    [{ name: "raw", value: true }, "llmspell -c my.toml generate Why --raw"],
    [{ name: "contextSize", value: 8192 }, "llmspell -c my.toml generate Why --context-size 8192"],
  ],
  "set-variable": [
    [{ name: "HF_TOKEN" }, "export HF_TOKEN=…"],
    [{ name: "LLMSPELL_RAG_ENABLED", value: "true" }, "export LLMSPELL_RAG_ENABLED=true"],
  ],
  "unset-variables": [[{ names: ["A", "B"] }, "unset A B"]],
  "start-server": [[{ server: "ollama" }, "ollama serve"]],
  shell: [[{ line: "npm install x" }, "npm install x"]],
};

describe("actions are worded as commands", () => {
  it.each(
    Object.entries(words).flatMap(([kind, rows]) => rows.map(([fields, command]) => ({ action: { kind, ...fields } as Action, command }))),
  )("$action is $command", ({ action, command }) => {
    expect(wordActions([action], ["-c", "my.toml", "generate", "Why"])).toEqual([command]);
  });

  it("a missing device is left by the command that named it", () => {
    expect(commandsOf(unavailable, ["embed", "-m", "x", "Hi", "--device", "cuda"])).toEqual([
      "llmspell doctor",
      "llmspell embed -m x Hi --device cpu",
    ]);
  });

  it.each<readonly [argv: readonly string[], command: string]>([
    [["embed", "-m", "x", "Hi"], 'llmspell embed -m tiny-stories "Hello"'],
    [["similar", "Hi"], 'llmspell embed -m tiny-stories "Hello"'],
    [["similar", "--rerank", "Hi"], 'llmspell similar --rerank -m tiny-stories "Hello" lines.txt'],
    [["chat"], 'llmspell generate -m tiny-stories "Once upon a time"'],
  ])("a name is tried with the command that asked for it: %j", (argv, command) => {
    const unknown = new SpellError("model-unknown", "no such model", { actions: [{ kind: "run", model: "tiny-stories" }] });
    expect(commandsOf(unknown, argv)).toEqual([command]);
  });

  it("one command is shown once", () => {
    expect(wordActions([{ kind: "diagnose" }, { kind: "diagnose" }], [])).toEqual(["llmspell doctor"]);
  });
});

describe("the person's own command", () => {
  it.each([
    [["generate", "--device", "cuda", "-m", "./a b.gguf", "Why?"], 'llmspell generate -m "./a b.gguf" "Why?" --device cpu'],
    [["generate", "--device=cuda", "--seed", "3", "x"], "llmspell generate --seed 3 x --device cpu"],
    [["generate", "--device", "cuda", "--", "--device", "is text"], 'llmspell generate --device cpu -- --device "is text"'],
    [["chat"], "llmspell chat --device cpu"],
  ])("%j is offered with the processor where its device fails", (argv, command) => {
    expect(commandsOf(unavailable, argv)).toEqual(["llmspell doctor", command]);
  });

  it("is not offered where it runs no model, or is too long to read", () => {
    const plain = ["llmspell doctor", 'llmspell generate -m tiny-stories --device cpu "Once upon a time"'];
    expect(commandsOf(unavailable, ["doctor", "--device", "cuda"])).toEqual(plain);
    expect(commandsOf(unavailable, ["generate", "x".repeat(400)])).toEqual(plain);
  });

  it("is offered once more after a network fault that may pass, and not after one that stays", () => {
    const offline = new SpellError("net-offline", "no net");
    expect(commandsOf(offline, ["model", "pull", "tinyllama", "--dry-run"])).toEqual(["llmspell model pull tinyllama --dry-run"]);
    const gone = new SpellError("net-not-found", "no such file");
    expect(commandsOf(gone, ["model", "pull", "hf:a/b"])).toEqual([]);
  });

  it("is offered with one more flag, before the text", () => {
    expect(ownCommand(["-c", "my own.toml", "generate", "Once"], "--pull")).toBe('llmspell -c "my own.toml" generate Once --pull');
    expect(ownCommand(["generate", "--", "-x"], "--pull")).toBe("llmspell generate --pull -- -x");
    expect(ownCommand(["generate", "x".repeat(400)], "--pull")).toBeUndefined();
  });

  it("is not written again with what is to stay secret", () => {
    for (const words of [
      ["tool", "invoke", "http-request", '{"headers":{"authorization":"Bearer x"}}'],
      ["tool", "invoke", "http-request", '{"headers":{"X-Api-Key": "x"}}'],
      ["tool", "invoke", "http-request", "--url", "http://me:pass@localhost/"],
      ["tool", "invoke", "own", "--", "--token", "x"],
    ])
      expect(ownCommand(words)).toBeUndefined();
    expect(ownCommand(["generate", "A key: what is it?", "--max-tokens=8"])).toContain("--max-tokens=8");
  });

  it("keeps what a flag may hold several times", () => {
    const host = new SpellError("spec-host", "a private host", { actions: [{ kind: "use-option", name: "allowHost", value: "10.0.0.2" }] });
    expect(commandsOf(host, ["model", "pull", "--allow-host", "10.0.0.1", "http://10.0.0.1/x.gguf"])).toEqual([
      "llmspell model pull --allow-host 10.0.0.1 http://10.0.0.1/x.gguf --allow-host 10.0.0.2",
    ]);
  });

  it.each([
    [["model", "pull", "a/b"], "llmspell model pull hf:a/b"],
    [["model", "remove", "a/b", "--yes"], "llmspell model remove hf:a/b --yes"],
    [["generate", "-m", "a/b", "a/b is what?"], 'llmspell generate -m hf:a/b "a/b is what?" --pull'],
    [["chat", "--model=a/b", "--pull"], "llmspell chat --model=hf:a/b --pull"],
  ])("%j is offered with the name that was meant", (argv, command) => {
    const error = new SpellError("backend-unknown", "did you mean hf:a/b?", { details: { typed: "a/b", meant: "hf:a/b" } });
    expect(commandsOf(error, argv)).toEqual([command]);
  });

  it("models are managed by the configuration it loaded", () => {
    const missing = new SpellError("model-not-installed", "not here", {
      actions: [{ kind: "pull", model: "x@candle" }, { kind: "diagnose" }],
    });
    for (const source of [["-c", "my own.toml"], ["--config=my own.toml"], ["--profile", "candle"], ["-pcandle"], []]) {
      const shown = source.map((word) => `${word.includes(" ") ? `"${word}"` : word} `).join("");
      expect(commandsOf(missing, ["generate", ...source, "-m", "x", "--", "-c", "text"])).toEqual([
        `llmspell ${shown}model pull x@candle`,
        "llmspell doctor",
      ]);
    }
  });

  it("is offered under the profile that helps, without the source that was in the way", () => {
    const missing = new SpellError("backend-not-configured", "no candle", { actions: [{ kind: "use-profile", profile: "candle" }] });
    expect(commandsOf(missing, ["-c", "x.toml", "model", "pull", "tinyllama@candle"])).toEqual([
      "llmspell -p candle model pull tinyllama@candle",
    ]);
  });
});
