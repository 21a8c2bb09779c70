/** The built bin on a terminal, as a person sees it. */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { startFaultServer } from "../../../support/fault-server.mjs";
import { root } from "../../../support.ts";
import { personAt } from "../person.ts";
import { cli, withTerminal } from "../support.ts";

withTerminal.describe("an answer on a terminal", () => {
  it.each([40, 80])("breaks between words at %i columns, and is the same text as on a pipe", async (columns) => {
    const args = "generate -q --temperature 0 --max-tokens 120 'Once upon a time'";
    const person = personAt(args, { columns });
    expect(await person.ended).toBe(0);
    const rows = person.screen().split("\n");
    const piped = await cli(["generate", "-q", "--temperature", "0", "--max-tokens", "120", "Once upon a time"]);
    const words = piped.stdout.split(/\s+/).filter((word) => word !== "");
    expect(
      rows
        .join(" ")
        .split(/\s+/)
        .filter((word) => word !== ""),
    ).toEqual(words);
    expect(rows.length).toBeGreaterThan(300 / columns);
    expect(piped.stdout.split("\n").some((line) => line.length > columns)).toBe(true);
  });

  // on a busy machine a row may end between the terminal's ^C and our hearing of it
  it("leaves no ^C where it is stopped, and no code of an error", { retry: 3 }, async () => {
    const person = personAt("generate -q --max-tokens 500 'Once upon a time'", { columns: 60 });
    await person.sees(/\w{3}/);
    person.type("\u0003");
    // an answer of the small model may be over before the key arrives
    const status = await person.ended;
    expect([0, 130]).toContain(status);
    expect(person.screen()).not.toContain("^C");
    if (status === 130) expect(person.screen()).toMatch(/\w.*\nstopped: the text above is not complete$/);
  });
});

withTerminal.describe("a pull on a terminal", () => {
  const gguf = readFileSync(join(root, "builtins/models/tiny-stories/tiny-stories.gguf"));
  let server: Awaited<ReturnType<typeof startFaultServer>>;
  beforeAll(async () => {
    server = await startFaultServer();
    server.addRepo("owner/gguf", { files: { "tiny.Q8_0.gguf": Buffer.concat([gguf, Buffer.alloc(4_000_000, 7)]) } });
  });
  afterAll(() => server.close());
  const home = mkdtempSync(join(tmpdir(), "llmspell-terminal-"));
  afterAll(() => rmSync(home, { recursive: true, force: true }));
  const env = (): Record<string, string> => ({ LLMSPELL_HOME: home, HF_ENDPOINT: server.url });

  it("has a bar with rate and time left; Ctrl-C leaves one line; the next run ends with the id, once", async () => {
    server.plan("/lfs/", [{ pieceMs: 100 }], "cdn");
    const stopped = personAt("model pull hf:owner/gguf", { env: env() });
    await stopped.sees(/tiny\.Q8_0\.gguf ━+─+ \d+ % {2}[\d.]+ MB \/ 7\.12 MB {2}[\d.]+ [kM]B\/s {2}eta \d+s$/m);
    stopped.type("\u0003");
    expect(await stopped.ended).toBe(130);
    expect(stopped.screen()).toMatch(
      /^pulling hf:owner\/gguf:Q8_0 {2}from owner\/gguf @ [0-9a-f]{12} {2}apache-2\.0\nkept [\d.]+ MB; run the same command to continue$/,
    );
    server.reset();
    const again = personAt("model pull hf:owner/gguf", { env: env() });
    expect(await again.ended).toBe(0);
    expect(again.screen()).toMatch(/^pulling .*\nsuccess {2}hf:owner\/gguf:Q8_0 {2}7\.12 MB {3}try: llmspell generate\b.*\n?.*"Hello"$/);
    const twice = personAt("model pull hf:owner/gguf", { env: env() });
    expect(await twice.ended).toBe(0);
    expect(twice.screen()).toBe("hf:owner/gguf:Q8_0 is up to date");
  });
});
