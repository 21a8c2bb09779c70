/** `llmspell serve` in this process: what it says, refuses and ends with. */
import { describe, expect, it, vi } from "vitest";
import { serve } from "../../../src/node/cli/serve.ts";
import { nanoLlama } from "../../fixtures/gguf/models.ts";
import { writeGguf } from "../../fixtures/gguf-writer.ts";
import { failure } from "../../support/failure.ts";
import { keptScreen, quietInterrupt, type Shown, scriptedContext } from "./support.ts";

const files = { "tiny-stories/tiny-stories.gguf": writeGguf(nanoLlama()), "./own.gguf": writeGguf(nanoLlama()) };
const token = "0123456789abcdef0123456789abcdef";

function start(
  flags: Readonly<Record<string, readonly string[]>>,
  shown: Shown = keptScreen(),
  env: Readonly<Record<string, string>> = {},
) {
  const interrupt = quietInterrupt();
  const context = scriptedContext(shown, { files, env, interrupt, flags: new Map(Object.entries({ port: ["0"], ...flags })) });
  return { status: serve(context), end: () => interrupt.press(), context };
}

describe("llmspell serve", () => {
  it("prints its address, answers, tells each request without what it says, and ends with 0", async () => {
    const shown = keptScreen();
    const { status, end } = start({ model: ["./own.gguf"], "token-env": ["TOKEN"] }, shown, { TOKEN: token });
    await vi.waitUntil(() => shown.out() !== "", { timeout: 5000 });
    expect(shown.out()).toMatch(/^http:\/\/127\.0\.0\.1:\d+\n$/);
    const url = shown.out().trim();
    const body = JSON.stringify({ model: "./own.gguf", messages: [{ role: "user", content: "a secret" }], max_tokens: 3 });
    const headers = { "content-type": "application/json", authorization: `Bearer ${token}` };
    expect((await fetch(`${url}/v1/chat/completions`, { method: "POST", headers, body })).status).toBe(200);
    expect((await fetch(`${url}/v1/models/a%0ab%1b[31m`, { headers })).status).toBe(404);
    expect((await fetch(`${url}/health`)).status).toBe(401);
    end();
    expect(await status).toBe(0);
    expect(shown.err().split("\n")).toEqual([
      expect.stringMatching(/POST \/v1\/chat\/completions 200 \d+\.\d\d s \.\/own\.gguf \d+\+3 tokens$/),
      expect.stringMatching(/GET \/v1\/models\/ 404 \d+\.\d\d s model-unknown$/),
      expect.stringMatching(/GET \/health 401 \d+\.\d\d s http-token$/),
      "",
    ]);
    expect(shown.err()).not.toContain("secret");
  });

  it("says its address as one document, and no line about requests where less was asked for", async () => {
    const shown = keptScreen({ format: "json", trace: "warn" });
    const { status, end } = start({ trace: ["warn"] }, shown);
    await vi.waitUntil(() => shown.out() !== "", { timeout: 5000 });
    const document = JSON.parse(shown.out()) as { readonly status: string; readonly url: string };
    expect(document).toEqual({ status: "ok", url: expect.stringMatching(/^http:/) });
    await fetch(`${document.url}/health`);
    end();
    expect([await status, shown.err()]).toEqual([0, ""]);
  });

  it("H1, H8: wants a token that nobody guesses, before others can reach it", async () => {
    const told = async (flags: Parameters<typeof start>[0], env: Readonly<Record<string, string>> = {}): Promise<unknown> => {
      const { code, where } = await failure(start(flags, keptScreen(), env).status);
      return [code, where];
    };
    for (const host of ["0.0.0.0", "::", "192.168.1.5"]) expect(await told({ host: [host] })).toEqual(["usage-value", "--host"]);
    expect(await told({ "token-env": ["TOKEN"] })).toEqual(["config-api-key-missing", "TOKEN"]);
    for (const [TOKEN, message] of [
      ["short", "TOKEN: expected at least 22 letters, digits and signs; got 5"],
      [`${token} x`, "TOKEN: expected letters, digits and signs of ASCII alone; got a space or another letter among 34 characters"],
      [`${token}\u00e9`, expect.stringContaining("of ASCII alone")],
    ])
      expect(await failure(start({ "token-env": ["TOKEN"] }, keptScreen(), { TOKEN: String(TOKEN) }).status)).toMatchObject({
        code: "usage-value",
        where: "TOKEN",
        message,
      });
  });

  it("tells a wrong name of a model before anybody asks for it", async () => {
    expect(await failure(start({ model: ["tiny-storys"] }).status)).toMatchObject({ code: "model-unknown" });
    // nor can these be pulled
    for (const [model, code] of [
      ["tiny-storys", "model-unknown"],
      ["./nope.gguf", "model-unknown"],
      ["T=tiny-stories", "spec-syntax"],
    ] as const)
      expect(await failure(start({ model: [model], "allow-pull": [] }).status)).toMatchObject({ code });
    const missing = "hf:owner/repo";
    expect(await failure(start({ model: [missing] }).status)).toMatchObject({ code: "model-not-installed" });
    const shown = keptScreen();
    const { status, end } = start({ model: [missing], "allow-pull": [] }, shown);
    await vi.waitUntil(() => shown.out() !== "", { timeout: 5000 });
    end();
    expect(await status).toBe(0);
  });

  it("takes the keep-alive and how many answers at once from its flags", async () => {
    const { status, end, context } = start({ parallel: ["3"], "keep-alive": ["-1"] });
    const { config } = await context.config();
    expect(config.providers["candle"]).toMatchObject({ max_concurrent: 3, keep_alive_seconds: -1 });
    end();
    expect(await status).toBe(0);
  });
});
