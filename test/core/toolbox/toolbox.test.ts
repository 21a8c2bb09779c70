/** The rules under which tools run. */
import { describe, expect, it } from "vitest";
import { createSpell } from "../../../src/core/api/spell.ts";
import type { ConfigInput } from "../../../src/core/config/config.generated.ts";
import { limits } from "../../../src/core/limits.ts";
import type { Platform } from "../../../src/core/platform.ts";
import { memoryPlatform } from "../../../src/core/testing/index.ts";
import { failure } from "../../support/failure.ts";

function toolsOf(config: ConfigInput = {}, more: Partial<Platform> = {}) {
  const platform = { ...memoryPlatform(), ...more };
  return createSpell({ platform, config, env: {} }).tools;
}

describe("the toolbox", () => {
  it("lists, finds and discovers what is switched on", async () => {
    const tools = toolsOf();
    expect(await tools.list()).toHaveLength(14);
    expect(await tools.info("calculator")).toMatchObject({ name: "calculator", category: "math", parameters: { type: "object" } });
    expect(await tools.info("nobody")).toBeUndefined();
    expect((await failure(tools.get("nobody"))).code).toBe("tool-unknown");
    expect((await tools.discover({ category: "data" })).map(({ name }) => name)).toEqual(["csv-analyzer", "json-processor"]);
    expect((await tools.discover({ tag: "hmac" })).map(({ name }) => name)).toEqual(["hash-calculator"]);
    expect(await tools.categories()).toContainEqual({ name: "data", tools: 2 });
    const off = toolsOf({ tools: { http_request: { enabled: false }, file_operations: { enabled: false } } });
    expect(await off.list()).toHaveLength(12);
    for (const name of ["http-request", "file-operations"]) expect((await failure(off.execute(name, {}))).code).toBe("tool-disabled");
  });

  it("runs as a tool of a call", async () => {
    const tool = await toolsOf().get("calculator");
    expect(await tool.execute({ expression: "1+1" }, { signal: new AbortController().signal })).toEqual({ result: 2 });
  });

  it("names the nearest tool", async () => {
    const error = await failure(toolsOf().execute("calculater", {}));
    expect([error.code, error.message]).toEqual(["tool-unknown", expect.stringContaining("did you mean calculator?")]);
  });

  const nested = (depth: number): unknown => (depth === 0 ? 1 : [nested(depth - 1)]);
  it.each([
    ["calculator", {}, "input.expression: expected a value, got none"],
    ["calculator", { expression: 5 }, "input.expression: expected string, got 5"],
    ["calculator", { expression: "1", extra: 1 }, "input: expected no members but expression, variables, got extra"],
    ["calculator", "1+1", "input: expected an object"],
    ["uuid-generator", { count: 0 }, "input.count: expected at least 1"],
    ["uuid-generator", { count: 1.5 }, "input.count: expected integer"],
    ["file-operations", { operation: "read", path: "" }, "input.path: expected at least 1 characters"],
    ["text-manipulator", { operation: "explode", text: "" }, "expected one of"],
    ["template", { template: "", values: { a: nested(40) } }, `nested at most ${limits.scriptDepth} deep`],
    ["template", { template: "x".repeat(limits.toolInputCharacters), values: {} }, "characters of data"],
    ["json-processor", { input: Number.NaN }, "expected finite numbers"],
    ["json-processor", { input: [() => 1] }, "expected JSON, got a function"],
  ])("%s refuses %j", async (name, input, message) => {
    const error = await failure(toolsOf().execute(name, input));
    expect([error.code, error.message]).toEqual(["tool-input", expect.stringContaining(message)]);
  });

  it("runs so many calls a minute, and no more", async () => {
    let now = 0;
    const tools = toolsOf({ tools: { rate_limit_per_minute: 2 } }, { now: () => now });
    const once = () => tools.execute("calculator", { expression: "1" });
    await once();
    now = 30_000;
    await once();
    const error = await failure(once());
    expect([error.code, error.retryable, error.details]).toEqual(["tool-rate", true, { seconds: 30 }]);
    now = 60_000;
    expect(await once()).toEqual({ result: 1 });
  });

  it("ends with its caller and with its spell", async () => {
    const hanging: Partial<Platform> = { isolate: { run: () => new Promise(() => undefined), dispose: async () => undefined } };
    const tools = toolsOf({}, hanging);
    const caller = new AbortController();
    const waiting = tools.execute("regex", { pattern: "a", text: "a" }, { signal: caller.signal });
    setTimeout(() => caller.abort(), 5);
    expect((await failure(waiting)).code).toBe("run-aborted");
    const spell = createSpell({ platform: { ...memoryPlatform(), ...hanging }, env: {} });
    const other = spell.tools.execute("regex", { pattern: "a", text: "a" });
    setTimeout(() => void spell.dispose(), 5);
    const closed = { code: "run-closed", message: "the spell was disposed" };
    expect(await failure(other)).toMatchObject(closed);
    expect(await failure(spell.tools.execute("calculator", { expression: "1" }))).toMatchObject(closed);
    const workflow = (await spell.workflows()).create({ steps: [{ tool: "calculator", input: { expression: "1" } }] }, "sequential");
    expect(await failure(workflow.execute())).toMatchObject(closed);
  });

  it("gives files and network only where the configuration does, and the host has them", async () => {
    const read = { operation: "exists", path: "a" };
    const some = { toolFiles: async () => ({ look: async () => undefined }) as never };
    expect((await failure(toolsOf({}, some).execute("file-operations", read))).where).toBe("runtime.security.allow_file_access");
    const allowed: ConfigInput = { runtime: { security: { allow_file_access: true } } };
    expect(await toolsOf(allowed, some).execute("file-operations", read)).toEqual({ result: false });
    expect((await failure(toolsOf(allowed).execute("file-operations", read))).code).toBe("script-denied");
    const closed = toolsOf({ runtime: { security: { allow_network_access: false } } });
    const error = await failure(closed.execute("http-request", { url: "https://example.org/" }));
    expect([error.code, error.where]).toEqual(["script-denied", "runtime.security.allow_network_access"]);
    expect([error.message, error.hint]).toEqual([expect.stringContaining("(configuration: object)"), expect.stringMatching(/^Tools/)]);
    const variable = "LLMSPELL_RUNTIME_SECURITY_ALLOW_NETWORK_ACCESS";
    const { tools } = createSpell({ platform: memoryPlatform(), config: {}, env: { [variable]: "false" } });
    const byVariable = await failure(tools.execute("http-request", { url: "https://example.org/" }));
    expect(byVariable.message).toContain(`(configuration: env:${variable})`);
  });
});
