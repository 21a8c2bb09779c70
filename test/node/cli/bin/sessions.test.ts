/** The built bin: conversations and prompts whose computed state outlives their process. */
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeEach, describe, expect, it } from "vitest";
import { tinyChatTemplate, tinyLlama } from "../../../fixtures/gguf/models.ts";
import { writeGguf } from "../../../fixtures/gguf-writer.ts";
import { bin, cleanEnv, cli, home, type Outcome } from "../support.ts";

const model = join(home, "chat.gguf");
writeFileSync(model, writeGguf(tinyLlama({ chatTemplate: tinyChatTemplate })));
let own: string;
beforeEach(() => {
  own = mkdtempSync(join(home, "own-"));
});

const fast = ["--max-tokens", "3", "--temperature", "0", "--threads", "1"];
const run = (args: readonly string[], input = ""): Promise<Outcome> => cli(args, { input, env: { LLMSPELL_HOME: own } });
const usageOf = ({ stdout }: Outcome) => (JSON.parse(stdout) as { usage: Record<string, number> }).usage;
const states = (): readonly string[] =>
  existsSync(join(own, "kept/states"))
    ? (readdirSync(join(own, "kept/states"), { recursive: true }) as string[]).filter((name) => name.endsWith(".state"))
    : [];
const long = "Tell me of the red ball, the dog, the cat, the moon and the girl who ran home to play with friends in the big green garden.";

describe("chat --keep", () => {
  const chat = (input: string, ...more: readonly string[]): Promise<Outcome> =>
    run(["chat", "-m", model, ...fast, "--keep", "trip", "--output", "json", ...more], input);

  it("goes on where it ended, says so, and computes only what is new", async () => {
    const first = await chat(`${long}\n`);
    expect([first.status, first.stderr]).toEqual([0, expect.not.stringContaining("goes on")]);
    expect(usageOf(first)["cached_tokens"]).toBe(0);
    const second = await chat("And then?\n");
    expect(second.status).toBe(0);
    expect(second.stderr).toMatch(/^note: trip goes on after 2 messages/);
    const { messages } = JSON.parse(second.stdout) as { messages: { role: string; content: string }[] };
    expect(messages.map(({ role }) => role)).toEqual(["user", "assistant", "user", "assistant"]);
    expect(messages[0]?.content).toBe(long);
    const { cached_tokens = 0, prompt_tokens = 0 } = usageOf(second);
    expect(cached_tokens).toBeGreaterThan(50);
    expect(prompt_tokens - cached_tokens).toBeLessThan(cached_tokens);
    expect(states()).toHaveLength(1);
    // one name, two processes at once: what both said is there
    const both = await Promise.all([chat("One more.\n"), chat("Another one.\n")]);
    expect(both.map(({ status }) => status)).toEqual([0, 0]);
    const chats = readdirSync(join(own, "kept/chats"));
    const said = chats.map((name) => readFileSync(join(own, "kept/chats", name), "utf8")).join("");
    expect(said).toContain("One more.");
    expect(said).toContain("Another one.");
    if (chats.length > 1) expect(both.map(({ stderr }) => stderr).join("")).toContain("this conversation is kept as trip-2");
  });

  it("keeps what commands change, and refuses --load beside it and files of another kind", async () => {
    await chat("Hello\n/system Be brief.\n/clear\n");
    const path = join(own, "kept/chats/trip.json");
    expect(JSON.parse(readFileSync(path, "utf8"))).toMatchObject({ system: "Be brief.", messages: [] });
    const twice = await chat("", "--load", path);
    expect([twice.status, JSON.parse(twice.stdout).error.code]).toEqual([2, "usage-value"]);
    writeFileSync(path, "{");
    const damaged = await chat("Hello\n");
    expect([damaged.status, JSON.parse(damaged.stdout).error.code]).toEqual([2, "usage-value"]);
    expect(readFileSync(path, "utf8")).toBe("{");
  });

  it("tells once where the runtime cannot keep a state, and keeps the messages", async () => {
    const { status, stderr } = await chat("Hello\nAnd?\n", "--device", "wasm");
    expect(status).toBe(0);
    expect(stderr.match(/not kept: wllama has no way to keep what it computes for llama models/g)).toHaveLength(1);
    expect(existsSync(join(own, "kept/chats/trip.json"))).toBe(true);
  });

  it("goes on without a place to keep it, with one note", async () => {
    mkdirSync(join(own, "kept"));
    writeFileSync(join(own, "kept/chats"), "");
    writeFileSync(join(own, "kept/states"), "");
    const { status, stderr, stdout } = await chat(`${long}\nAnd?\n`);
    expect(status).toBe(0);
    expect(JSON.parse(stdout).messages).toHaveLength(4);
    expect(stderr.match(/the conversation is not kept/g)).toHaveLength(1);
    expect(stderr.match(/note: not kept: /g)?.length).toBe(1);
  });
});

describe("generate --prefix-cache", () => {
  const generate = (prompt: string, ...more: readonly string[]): Promise<Outcome> =>
    run(["generate", "-m", model, ...fast, "--system", long, "--output", "json", ...more, prompt]);

  it("computes the system prompt once, and prune and dry runs know what it keeps", async () => {
    expect(usageOf(await generate("Why?", "--prefix-cache"))["cached_tokens"]).toBe(0);
    const again = await generate("How so?", "--prefix-cache");
    expect(usageOf(again)["cached_tokens"]).toBeGreaterThan(50);
    expect(usageOf(await generate("How so?"))["cached_tokens"]).toBe(0);
    const dry = await run(["model", "prune", "--dry-run", "--output", "json"]);
    expect(JSON.parse(dry.stdout)).toMatchObject({
      freed_bytes: 0,
      removed: [{ item: expect.stringMatching(/^states\/.* of .*chat\.gguf$/) }],
    });
    expect(states()).toHaveLength(1);
    const young = await run(["model", "prune", "--older-than", "1", "--yes", "--output", "json"]);
    expect(JSON.parse(young.stdout).removed).toEqual([]);
    const { stdout } = await run(["model", "prune", "--yes", "--output", "json"]);
    expect(JSON.parse(stdout).freed_bytes).toBeGreaterThan(1000);
    expect(states()).toEqual([]);
  });

  it("goes with its model, and is out of the reach of scripts, which could ask it what was said before", async () => {
    await run(["model", "pull", model, "--as", "mine"]);
    await run(["generate", "-m", "mine", ...fast, "--prefix-cache", long]);
    expect(states()).toHaveLength(1);
    const script = (more: string) => `return LocalLLM.generate("mine", ${JSON.stringify(long)}, { max_tokens = 1${more} }).cached_tokens`;
    const probe = await run(["exec", script(", save = true"), "--output", "json"]);
    expect(JSON.parse(probe.stdout).error.code).toBe("script-argument");
    const plain = await run(["exec", script(""), "--output", "json"]);
    expect(JSON.parse(plain.stdout).result).toBe(0);
    const { stdout } = await run(["model", "remove", "mine", "--yes", "--output", "json"]);
    expect(JSON.parse(stdout).removed[0].freed_bytes).toBeGreaterThan(1000);
    expect(states()).toEqual([]);
    expect(existsSync(model)).toBe(true);
  });

  it.skipIf(process.platform === "win32")("a disk that takes no more is a note, and nothing half stays", () => {
    const args = [bin, "generate", "-m", model, ...fast, "--prefix-cache", long.repeat(2)].map((word) => JSON.stringify(word)).join(" ");
    // the engine's own writes end at 20 or 40 kB, by the shell
    const line = `ulimit -f 40; exec ${JSON.stringify(process.execPath)} ${args}`;
    const { status, stdout, stderr } = spawnSync("sh", ["-c", line], { env: { ...cleanEnv, LLMSPELL_HOME: own }, encoding: "utf8" });
    expect([status, stdout.length > 1]).toEqual([0, true]);
    expect(stderr).toMatch(/^note: not kept: .* cannot be written \(.*: expected room on the disk/);
    expect(states()).toEqual([]);
  });

  it("keeps nothing where the configuration gives it no room, and says so", async () => {
    mkdirSync(own, { recursive: true });
    writeFileSync(join(own, "llmspell.toml"), '[providers.candle]\nprovider_type = "candle"\nkept_states_mb = 0\n');
    const { status, stderr } = await generate("Why?", "--prefix-cache");
    expect(status).toBe(0);
    expect(stderr).toMatch(/^note: not kept: /);
    expect(states()).toEqual([]);
    rmSync(own, { recursive: true });
  });
});
