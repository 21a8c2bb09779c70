/** Examples run as they stand, against the installed package. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { copyFileSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { beforeAll, describe, expect, inject, it } from "vitest";
import { bertGolden, writeBert } from "../fixtures/bert-writer.ts";
import { root } from "../support.ts";
import { run, userEnvironment } from "./support.ts";

const folder = inject("folder");
const examples = readdirSync(join(root, "examples")).filter((name) => name.endsWith(".mjs"));

describe("examples", () => {
  beforeAll(() => {
    for (const name of examples) copyFileSync(join(root, "examples", name), join(folder, name));
  });

  it("are all run here", () => {
    expect(examples.sort()).toEqual([
      "api.mjs",
      "chat.mjs",
      "classify.mjs",
      "configured.mjs",
      "deduplicate.mjs",
      "hello.mjs",
      "notes.mjs",
      "route.mjs",
      "services.mjs",
      "session.mjs",
      "similar.mjs",
      "structured.mjs",
      "tools.mjs",
    ]);
  });

  it("hello.mjs streams a story and says how fast", async () => {
    const { status, stdout, stderr } = await run(process.execPath, ["hello.mjs", "Tom and his dog"], folder);
    expect(status).toBe(0);
    expect(stdout.length).toBeGreaterThan(50);
    expect(stderr).toMatch(/\(\d+ tokens, \d+ tok\/s, seed \d+\)/);
  });

  it("structured.mjs prints answers that keep their forms", async () => {
    const { status, stdout } = await run(process.execPath, ["structured.mjs"], folder);
    expect([status, stdout]).toEqual([0, expect.stringMatching(/^json: name, age\nchoice: (animal|plant)\ncode: [A-Z]{2}-\d{3}\n$/)]);
  });

  it("api.mjs lists models and streams an answer as OpenAI's API does, without a server", async () => {
    const { status, stdout } = await run(process.execPath, ["api.mjs"], folder);
    expect([status, stdout]).toEqual([0, expect.stringMatching(/^models: tiny-stories, tiny-t5-en-fr\n.{20,}\nlength, \d+ tokens\n$/s)]);
  });

  it("serve/client.mjs streams from a server that it knows by its address alone", async () => {
    mkdirSync(join(folder, "serve"), { recursive: true });
    copyFileSync(join(root, "examples/serve/client.mjs"), join(folder, "serve/client.mjs"));
    const bin = join(folder, "node_modules/llmspell/dist/node/cli/main.js");
    const server = spawn(process.execPath, [bin, "serve", "--port", "0", "--output", "json"], {
      cwd: folder,
      env: userEnvironment({ LLMSPELL_HOME: join(folder, "home") }),
      stdio: ["ignore", "pipe", "inherit"],
    });
    try {
      const [line] = (await once(server.stdout, "data")) as [Buffer];
      const { status: told, url } = JSON.parse(String(line)) as { readonly status: string; readonly url: string };
      expect(told).toBe("ok");
      const { status, stdout, stderr } = await run(process.execPath, ["serve/client.mjs", url, "tiny-stories", "Tom had a dog"], folder);
      expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
      expect(stdout.length).toBeGreaterThan(50);
      const missing = await run(process.execPath, ["serve/client.mjs", url, "nobody"], folder);
      expect(missing).toMatchObject({ status: 1, stderr: expect.stringContaining("The model 'nobody' does not exist") });
    } finally {
      server.kill("SIGTERM");
    }
    expect(await once(server, "exit")).toEqual([0, null]);
  });

  it("similar.mjs, notes.mjs, deduplicate.mjs, route.mjs and classify.mjs find what is most alike", async () => {
    const model = join(folder, "minilm");
    for (const [file, bytes] of writeBert(bertGolden, bertGolden.models[0]!)) {
      mkdirSync(dirname(join(model, file)), { recursive: true });
      writeFileSync(join(model, file), bytes);
    }
    writeFileSync(join(folder, "lines.txt"), "music and chess\nthe cat was singing\n\na good old house\n");
    const { status, stdout } = await run(process.execPath, ["similar.mjs", model, "lines.txt", "the cat was singing"], folder);
    expect(status).toBe(0);
    expect(stdout.split("\n")[0]).toBe("1.000  the cat was singing");
    expect(stdout.trim().split("\n")).toHaveLength(3);

    writeFileSync(join(folder, "items.csv"), 'id,text\n1,the cat was singing\n2,"music, and chess"\n3,The cat was singing\n');
    const unique = await run(process.execPath, ["deduplicate.mjs", model, "items.csv", "text", "0.9999"], folder);
    expect([unique.status, unique.stdout]).toEqual([0, 'id,text\n1,the cat was singing\n2,"music, and chess"\n']);
    expect(unique.stderr).toContain("left out: 3,The cat was singing (as 1,the cat was singing)");

    const routed = await run(process.execPath, ["route.mjs", model, "Chess and music"], folder);
    expect([routed.status, routed.stdout]).toEqual([0, "games 1.000\n"]);

    mkdirSync(join(folder, "notes", "deeper"), { recursive: true });
    writeFileSync(join(folder, "notes", "a.md"), "# Music\n\n\nmusic and chess\n");
    writeFileSync(join(folder, "notes", "deeper", "b.txt"), "a good old house\n\nthe cat was singing\nat noon\n");
    const noted = await run(process.execPath, ["notes.mjs", model, "notes", "music and chess"], folder);
    expect([noted.status, noted.stdout.split("\n")[0]]).toEqual([0, "1.000  a.md:4  music and chess"]);
    expect(noted.stdout).toContain(`${join("deeper", "b.txt")}:3  the cat was singing\n`);

    writeFileSync(join(folder, "examples.tsv"), "games\tmusic and chess\nanimals\tthe cat was singing\n");
    writeFileSync(join(folder, "new.txt"), "The cat was singing\nMusic and chess\n");
    const sorted = await run(process.execPath, ["classify.mjs", model, "examples.tsv", "new.txt"], folder);
    expect([sorted.status, sorted.stdout]).toEqual([0, "animals\t1.000\tThe cat was singing\ngames\t1.000\tMusic and chess\n"]);
    expect(sorted.stderr).toContain("of 2 examples are classified rightly by the others");
  });

  it("configured.mjs says where its settings come from, and writes the same story each time", async () => {
    const [first, second] = [
      await run(process.execPath, ["configured.mjs"], folder),
      await run(process.execPath, ["configured.mjs"], folder),
    ];
    expect(first.status).toBe(0);
    expect(first.stderr).toContain("providers.candle.max_tokens = 40 (object)\nproviders.candle.device = auto (default)\n");
    expect(first.stdout.length).toBeGreaterThan(50);
    expect(second.stdout).toBe(first.stdout);
  });

  it("session.mjs says that WebAssembly, all that a plain install has, keeps nothing, and answers", async () => {
    const { status, stdout, stderr } = await run(process.execPath, ["session.mjs", "Tom ran"], folder);
    expect(status).toBe(0);
    expect(stdout.length).toBeGreaterThan(50);
    expect(stderr).toMatch(/note: not kept: wllama has no way.*\n\(\d+ of \d+ prompt tokens were not computed again\)/);
  });

  it("chat.mjs answers each line and reuses the prompt of the turn before", async () => {
    const child = spawn(process.execPath, ["chat.mjs"], {
      cwd: folder,
      env: userEnvironment({ LLMSPELL_HOME: join(folder, "home") }),
      stdio: ["pipe", "pipe", "pipe"],
    });
    let stdout = "";
    let stderr = "";
    child.stdout.on("data", (bytes) => {
      stdout += bytes;
    });
    child.stderr.on("data", (bytes) => {
      stderr += bytes;
    });
    child.stdin.write("Once upon a time there was a cat.\n");
    child.stdin.end("The cat met a dog.\n");
    const status = await new Promise((resolve) => child.on("close", resolve));
    expect({ status, failure: /Error/.exec(stderr)?.[0] }).toEqual({ status: 0, failure: undefined });
    expect(stdout.length).toBeGreaterThan(50);
    const reused = [...stderr.matchAll(/\((\d+) of (\d+) prompt tokens cached\)/g)].map((match) => Number(match[1]));
    expect(reused).toHaveLength(2);
    expect(reused[1]).toBeGreaterThan(reused[0] ?? 0);
  });
});
