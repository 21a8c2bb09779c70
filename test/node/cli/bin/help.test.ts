/** The built bin: help, version, and completion for shells. */
import { execFileSync, spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { version } from "../../../../src/core/version.ts";
import { root } from "../../../support.ts";
import { bin, cleanEnv, cli } from "../support.ts";
import { modelFolder } from "./support.ts";

const folder = modelFolder();

describe("help and version", () => {
  it("G76: no arguments give help, status 0", async () => {
    const none = await cli([]);
    expect(none).toMatchObject({ status: 0, stderr: "" });
    expect(none.stdout).toContain("Usage  llmspell [global flags] COMMAND [flags] [operands]");
    expect(await cli(["--help"])).toEqual(none);
    expect(await cli(["-h"])).toEqual(none);
    expect(await cli(["help"])).toEqual(none);
  });

  it.each([["--version"], ["-V"], ["version"], ["-q", "--version"]])("G76: %s prints the version, status 0", async (...args) => {
    expect(await cli(args)).toMatchObject({ status: 0, stdout: `llmspell ${version}\n`, stderr: "" });
  });

  it("the overview reads like this", async () => {
    expect((await cli(["--help"])).stdout.replace(version, "X.Y.Z")).toMatchSnapshot();
  });

  it("the help of generate reads like this", async () => {
    const asked = await cli(["help", "generate"]);
    expect(asked.stdout).toMatchSnapshot();
    expect(await cli(["generate", "--help"])).toEqual(asked);
  });

  it("is one document in the JSON formats", async () => {
    expect(JSON.parse((await cli(["--help", "--output", "json"])).stdout)).toEqual({
      status: "ok",
      help: expect.stringContaining("Usage"),
    });
    expect(JSON.parse((await cli(["--version", "--output", "json"])).stdout)).toEqual({ status: "ok", version });
    expect(JSON.parse((await cli(["version", "-v", "--output=pretty"])).stdout)).toMatchObject({
      status: "ok",
      node: process.versions.node,
    });
  });

  it("version -v lists engines and model families", async () => {
    const { stdout } = await cli(["version", "-v"]);
    for (const word of ["node ", "platform ", "wllama ", "node-llama-cpp ", "llama", "qwen3", "gemma3", "phi2", "gpt2"])
      expect(stdout).toContain(word);
  });
});

describe("completion", () => {
  it.each(["bash", "zsh", "fish", "powershell"])("%s offers every command and flag", async (shell) => {
    const { status, stdout } = await cli(["completion", shell]);
    expect(status).toBe(0);
    for (const word of ["generate", "chat", "info", "doctor", "list-profiles", "max-tokens", "no-stream", "output", "profile"])
      expect(stdout).toContain(word);
  });

  it("bash completes commands, flags and their values", async () => {
    const { stdout } = await cli(["completion", "bash"]);
    const complete = (...words: string[]): string[] => {
      const script = `${stdout}\nCOMP_WORDS=(${words.map((word) => JSON.stringify(word)).join(" ")}); COMP_CWORD=$((\${#COMP_WORDS[@]}-1)); _llmspell; printf '%s\\n' "\${COMPREPLY[@]}"`;
      return execFileSync("bash", ["-c", script], { encoding: "utf8", env: cleanEnv }).trim().split("\n");
    };
    expect(complete("llmspell", "gen")).toEqual(["generate"]);
    expect(complete("llmspell", "model", "")).toEqual(["list", "available", "pull", "info", "remove", "status", "verify", "prune"]);
    expect(complete("llmspell", "generate", "--max")).toEqual(["--max-tokens"]);
    expect(complete("llmspell", "generate", "--device", "v")).toEqual(["vulkan"]);
    expect(complete("llmspell", "completion", "")).toContain("fish");
    expect(complete("llmspell", "pu")).toEqual(["pull"]);
    expect(complete("llmspell", "-p", "ca")).toEqual(["candle"]);
    expect(complete("llmspell", "config", "set", "providers.candle.dev")).toEqual(["providers.candle.device"]);
    expect(complete("llmspell", "config", "show", "mod")).toEqual(["models"]);
  });

  it("bash completes the names of models: of the catalogue, the package and the store, and files", async () => {
    const { stdout } = await cli(["completion", "bash"]);
    const complete = (...words: string[]): string[] => {
      const own = `llmspell() { ${JSON.stringify(process.execPath)} ${JSON.stringify(bin)} "$@"; }`;
      const script = `${own}\n${stdout}\nCOMP_WORDS=(${words.map((word) => JSON.stringify(word)).join(" ")}); COMP_CWORD=$((\${#COMP_WORDS[@]}-1)); _llmspell; printf '%s\\n' "\${COMPREPLY[@]}"`;
      return execFileSync("bash", ["-c", script], { encoding: "utf8", env: cleanEnv, cwd: folder }).trim().split("\n");
    };
    expect(complete("llmspell", "generate", "-m", "smollm2-1")).toEqual(["smollm2-135m"]);
    expect(complete("llmspell", "generate", "-m", "./model.g")).toEqual(["./model.gguf"]);
    for (const words of [["pull"], ["model", "info"], ["rm"]]) expect(complete("llmspell", ...words, "tiny-s")).toEqual(["tiny-stories"]);
  });

  it("completion names prints nothing that a shell would expand", async () => {
    const { stdout, stderr, status } = await cli(["completion", "names"]);
    expect({ stderr, status }).toEqual({ stderr: "", status: 0 });
    expect(stdout.split("\n")).toEqual(expect.arrayContaining(["tiny-stories", "tinyllama", "flan-t5-small"]));
    expect(stdout).toMatch(/^([\w.:/@#+-]+\n)+$/);
  });

  it.for(["zsh", "fish"])("%s accepts the syntax", async (shell, { skip }) => {
    if (spawnSync(shell, ["-c", "true"]).error !== undefined) skip(`${shell} is not here`);
    const path = join(folder, `completion.${shell}`);
    writeFileSync(path, (await cli(["completion", shell])).stdout);
    const { status, stderr } = spawnSync(shell, ["-n", path], { encoding: "utf8", env: cleanEnv });
    expect([status, stderr]).toEqual([0, ""]);
  });
});

describe("the package", () => {
  it("has one bin", () => {
    const { bin: bins } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
    expect(bins).toEqual({ llmspell: "./dist/node/cli/main.js" });
  });
});
