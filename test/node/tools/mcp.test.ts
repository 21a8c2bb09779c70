/** Servers of tools as programs and over sockets of this machine: those of the SDK, and hostile ones. */
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { inspect } from "node:util";
import { McpServer } from "@modelcontextprotocol/sdk/server/mcp.js";
import { StreamableHTTPServerTransport } from "@modelcontextprotocol/sdk/server/streamableHttp.js";
import { afterAll, describe, expect, it } from "vitest";
import { wordActions } from "../../../src/node/cli/advice.ts";
import { createSpell, type Spell } from "../../../src/node/main.ts";
import { isAlive } from "../../../src/node/processes.ts";
import { start } from "../../../src/node/tools/mcp.ts";
import { failure } from "../../support/failure.ts";
import { fromSource } from "../../support/from-source.mjs";
import { isLong, root } from "../../support.ts";

const folder = mkdtempSync(join(tmpdir(), "llmspell-mcp-"));
const open: Spell[] = [];
afterAll(async () => {
  await Promise.all(open.map((spell) => spell.dispose()));
  rmSync(folder, { recursive: true, force: true });
});

function toolsOf(line: string, timeout_seconds = 20) {
  const spell = createSpell({ config: { tools: { mcp: { servers: [`s = ${line}`], timeout_seconds } } }, env: {} });
  open.push(spell);
  return { ...spell.tools, spell };
}

const examples = "node_modules/@modelcontextprotocol/sdk/dist/esm/examples/server";

/** Speaks the protocol by hand, and breaks it as its argument says. */
const hostile = join(folder, "hostile.mjs");
writeFileSync(
  hostile,
  `
const mode = process.argv[2];
const say = (message) => process.stdout.write(JSON.stringify({ jsonrpc: "2.0", ...message }) + "\\n");
const tool = (name, more) => ({ name, inputSchema: { type: "object" }, ...more });
const lists = {
  endless: (id) => say({ id, result: { tools: [tool("t" + id)], nextCursor: String(id) } }),
  many: (id) => say({ id, result: { tools: Array.from({ length: 300 }, (_, i) => tool("t" + i)) } }),
  twins: (id) => say({ id, result: { tools: [tool("a.b"), tool("a/b")] } }),
  control: (id) => say({ id, result: { tools: [tool("a\\u001b[2J")] } }),
  schema: (id) => say({ id, result: { tools: [{ name: "a", inputSchema: "none" }] } }),
  line: () => { const piece = "x".repeat(65536); const more = () => { while (process.stdout.write(piece)); process.stdout.once("drain", more); }; more(); },
  rubbish: () => { for (let i = 0; i < 200; i += 1) process.stdout.write("hello " + i + "\\n"); },
  silent: () => {},
};
const answers = {
  crash: () => { console.error("Cannot find the garden"); process.exit(3); },
  env: (id) => say({ id, result: { content: [{ type: "text", text: Object.keys(process.env).sort().join(" ") }] } }),
  pid: (id) => say({ id, result: { content: [{ type: "text", text: String(process.pid) }] } }),
  form: (id) => say({ id, result: { content: [], structuredContent: { sum: "many" } } }),
  costly: (id) => say({ id, result: { content: [{ type: "text", text: "done" }] } }),
  mute: () => {},
  babbles: () => process.stdout.write("let me see\\n"),
  tells: (id) => say({ id, result: { isError: true, content: [{ type: "text", text: "x".repeat(980) + token }] } }),
  raises: (id) => say({ id, error: { code: -32603, message: "no " + encodeURIComponent(token), data: token } }),
  parts: (id) => say({ id, result: { content: token } }),
  sum: (id) => say({ id, result: { content: [], structuredContent: { sum: "x".repeat(60) + token } } }),
  boom: (id) => say({ id, error: { code: -32000, message: "boom" } }),
  early: (id) => say({ id, error: { code: -32001, message: "too busy" } }),
  nothing: (id) => say({ id, result: null }),
  cries: () => { console.error("early ".repeat(100) + token + " late ".repeat(46)); process.exit(3); },
};
const token = process.env.MCP_TEST_TOKEN;
const costly = { anyOf: [{ $ref: "#/properties/x" }, { $ref: "#/properties/x" }, { type: "string" }] };
const more = {
  sum: { outputSchema: { type: "object", properties: { sum: { type: "number" } }, required: ["sum"] } },
  form: { outputSchema: { type: "object", properties: { sum: { type: "number" } }, required: ["sum"] } },
  costly: { inputSchema: { type: "object", properties: { x: costly } } },
};
if (mode === "pid") { process.on("SIGTERM", () => {}); setInterval(() => {}, 1000); }
if (mode === "chatty") process.stdout.write("Welcome!\\n");
process.stdin.on("end", () => mode === "pid" || process.exit(0));
let rest = "";
process.stdin.on("data", (piece) => {
  const lines = (rest + piece).split("\\n");
  rest = lines.pop();
  for (const line of lines) {
    const { id, method, params } = JSON.parse(line);
    if (method === "initialize") {
      if (mode === "deaf") continue;
      say({ id, result: { protocolVersion: params.protocolVersion, capabilities: { tools: {} }, serverInfo: { name: "hostile", version: "1\\u0007" } } });
    } else if (method === "tools/list") (lists[mode] ?? ((id) => say({ id, result: { tools: [tool("run", more[mode])] } })))(id);
    else if (method === "tools/call") (answers[mode] ?? answers.env)(id);
  }
});
`,
);
const run = (mode: string) => `$MCP_TEST_TOKEN node ${hostile} ${mode}`;
process.env["MCP_TEST_TOKEN"] = "for the server";
process.env["MCP_TEST_SECRET"] = "for nobody";

describe("a program", () => {
  it("of the SDK gives its tools", async () => {
    const tools = toolsOf("node examples/mcp/server.mjs");
    expect((await tools.connect({ command: "node", args: ["examples/mcp/server.mjs"] })).tools).toEqual(["s_bed", "s_water"]);
    expect(await tools.execute("s_water", { square_metres: 12, degrees: 24 })).toEqual({ result: { litres: 36 } });
  });

  it("among the SDK's examples says what its results look like, and how far it came", async () => {
    const weather = toolsOf(`node ${examples}/mcpServerOutputSchema.js`);
    expect((await weather.connect("s")).tools).toEqual(["s_get_weather"]);
    const { result } = await weather.execute("s_get_weather", { city: "Oslo", country: "NO" });
    expect(result).toMatchObject({ humidity: expect.any(Number), temperature: { celsius: expect.any(Number) } });
    expect((await failure(weather.execute("s_get_weather", { city: "Oslo" }))).message).toContain("country");
    expect(await failure(weather.execute("s_get_wether", {}))).toMatchObject({ code: "tool-unknown", hint: "Its tools: s_get_weather." });
    expect(await weather.info("s_get_wether")).toBeUndefined();
    const counter = toolsOf(`node ${examples}/progressExample.js`);
    expect(await counter.execute("s_count", { n: 3 })).toEqual({ result: "Counted to 3" });
    expect((await failure(counter.execute("s_count", { n: 1000 }))).message).toContain("100");
  });

  it.each([
    ["endless", "tool-limit", "expected at most 256 tools, got more"],
    ["many", "tool-limit", "expected at most 256 tools, got more"],
    ["control", "tool-failed", "expected tools named by letters"],
    ["schema", "tool-failed", "inputSchema"],
    ["line", "tool-limit", "of at most 2000000 bytes"],
    ["rubbish", "tool-failed", 'expected messages of the protocol, got other text: "hello 0"'],
    ...(isLong ? [["silent", "tool-limit", "within 1 s"]] : []),
    ["deaf", "tool-limit", "within 1 s"],
  ])("that is %s ends in %s", async (mode, code, message) => {
    const error = await failure(toolsOf(run(mode), mode === "silent" || mode === "deaf" ? 1 : 20).connect("s"));
    expect([error.code, error.message]).toEqual([code, expect.stringContaining(message)]);
    if (mode === "deaf") expect(error.hint).toContain("tools.mcp.timeout_seconds");
  });

  it.each([
    ['"\\u001b[31mhello " + process.env.MCP_TEST_TOKEN + "\\u0007 nonsense\\n"', '"[31mhello ******** nonsense"'],
    [`'{"level":"info"}\\n'`, String.raw`"{\"level\":\"info\"}"`],
  ])("that writes %s and no message is no server", async (text, told) => {
    const program = join(folder, "babbler.mjs");
    writeFileSync(program, `process.stdout.write(${text}); setTimeout(() => {}, 60000);`);
    const started = performance.now();
    const error = await failure(toolsOf(`$MCP_TEST_TOKEN node ${program}`, 60).connect("s"));
    expect([error.code, error.message]).toEqual(["tool-failed", `s: expected messages of the protocol, got other text: ${told}`]);
    expect(performance.now() - started).toBeLessThan(20_000);
  });

  it("that does not end its line is told of with it, when the time is over", async () => {
    const program = join(folder, "prompter.mjs");
    writeFileSync(program, `process.stdout.write("Name? "); setTimeout(() => {}, 60000);`);
    const error = await failure(toolsOf(`node ${program}`, 1).connect("s"));
    expect([error.code, error.message]).toEqual(["tool-limit", expect.stringMatching(/got none; it wrote "Name\?", which is no message$/)]);
  });

  it("is ended once, however often that is asked for", async () => {
    const program = await start([process.execPath, "-e", "process.stdin.resume()"], {}, 1000);
    await (program.transport as unknown as { start(): Promise<void> }).start();
    const child = Reflect.get(program.transport, "_process") as ChildProcess;
    const killed = Array.from({ length: 5 }, () => program.kill());
    const listeners = child.listenerCount("exit");
    await Promise.all(killed);
    // its own, and that of the exit of this process
    expect(listeners).toBe(2);
  });

  it.runIf(process.platform !== "win32")("goes with this process when that is killed, though it ignores the end of its input", async () => {
    const module = await fromSource(["node/tools/mcp.ts"]);
    const deaf = "process.stdin.on('end', () => {}).resume(); setInterval(() => {}, 1000); process.on('SIGTERM', () => {});";
    const work = `const { start } = await import(${JSON.stringify(module.href)});
      const { transport } = await start([process.execPath, "-e", ${JSON.stringify(deaf)}], {}, 1000);
      await transport.start();
      console.log(Reflect.get(transport, "_process").pid);
      setInterval(() => {}, 1000);`;
    const parent = spawn(process.execPath, ["--input-type=module", "-e", work], { cwd: root, stdio: ["ignore", "pipe", "inherit"] });
    try {
      const [line] = (await once(parent.stdout, "data")) as [Buffer];
      const pid = Number(String(line));
      expect(isAlive(pid)).toBe(true);
      parent.kill("SIGKILL");
      await expect.poll(() => isAlive(pid), { timeout: 10_000, interval: 50 }).toBe(false);
    } finally {
      parent.kill("SIGKILL");
      module.remove();
    }
  });

  it("with a tool that cannot be told apart keeps the others", async () => {
    expect((await toolsOf(run("twins")).connect("s")).tools).toEqual(["s_a_b"]);
  });

  it("that is not there is named", async () => {
    expect((await failure(toolsOf("llmspell-no-such-program").connect("s"))).message).toContain("s: expected a program that is there");
  });

  it("has only the variables it is given", async () => {
    const names = String((await toolsOf(run("env")).execute("s_run", {})).result).split(" ");
    expect(names).toContain("MCP_TEST_TOKEN");
    expect(names).not.toContain("MCP_TEST_SECRET");
  });

  it("that writes its secret and ends is told of without it", async () => {
    const program = join(folder, "teller.mjs");
    writeFileSync(program, "console.error('began with ' + process.env.MCP_TEST_TOKEN); process.exit(1);");
    const error = await failure(toolsOf(`$MCP_TEST_TOKEN node ${program}`).connect("s"));
    expect(error.message).toContain("began with ********");
  });

  it.each([
    ["tells", /^s_run: x{980}\*{8}$/, "tool info"],
    ["raises", /no \*{8}$/, "works by itself"],
    ["parts", /^s_run: content: expected a list of parts, got "\*{8}"$/, "no result of the protocol"],
    ["sum", /^s_run: output.result.sum: expected number, got "x{60}\*{8}"$/, "breaks the schema"],
    ["cries", /; its last words: … (early )+\*{8} late/, "works by itself"],
  ])("that %s its secret where it fails has it hidden, from programs and from scripts", async (mode, message, next) => {
    const tools = toolsOf(run(mode));
    const error = await failure(tools.execute("s_run", {}));
    expect([error.code, error.message]).toEqual(["tool-failed", expect.stringMatching(message)]);
    expect(`${error.hint} ${wordActions(error.actions, []).join()}`).toContain(next);
    let output = "";
    const source = 'local ok, e = pcall(Tool.execute, "s_run", {}) print(e.message, e.hint, JSON.stringify(e))';
    const onOutput = (text: string): void => {
      output += text;
    };
    await tools.spell.scripts.run(source, { engine: "lua", onOutput });
    expect(output).toContain("********");
    for (const shown of [inspect(error, { depth: 10 }), output]) expect(shown).not.toMatch(/for( |%20)the/);
  });

  it.each([
    ["boom", "s: MCP error -32000: boom"],
    ["early", "s: MCP error -32001: too busy"],
    ["nothing", "s: expected messages of the protocol, got others: result: Invalid input: expected object, received null"],
  ])("that answers %s is told of at once, in its words", async (mode, message) => {
    const error = await failure(toolsOf(run(mode)).execute("s_run", {}));
    expect([error.code, error.message]).toEqual(["tool-failed", message]);
  });

  it("may greet, crash and break its own schema, and is started again", async () => {
    expect(await toolsOf(run("chatty")).execute("s_run", {})).toMatchObject({ result: expect.stringContaining("PATH") });
    const tools = toolsOf(run("crash"));
    for (let i = 0; i < 2; i += 1) {
      const error = await failure(tools.execute("s_run", {}));
      expect([error.code, error.message]).toEqual([
        "tool-failed",
        "s: the server ended with status 3; its last words: Cannot find the garden",
      ]);
    }
    expect((await failure(toolsOf(run("form")).execute("s_run", {}))).message).toBe(
      's_run: output.result.sum: expected number, got "many"',
    );
    expect((await failure(toolsOf(run("mute"), 1).execute("s_run", {}))).message).toContain("within 1 s");
    const babbles = await failure(toolsOf(run("babbles"), 1).execute("s_run", {}));
    expect([babbles.code, babbles.message]).toEqual(["tool-limit", expect.stringContaining('it wrote "let me see", which is no message')]);
    expect(await toolsOf(run("costly")).execute("s_run", { x: 1 })).toEqual({ result: "done" });
  });

  it("that ends is told of with how it ended", async () => {
    for (const [code, how] of [
      ["process.exit(4)", "with status 4"],
      ["process.kill(process.pid,9)", "by SIGKILL"],
    ])
      expect((await failure(toolsOf(`node -e "${code}"`).execute("s_run", {}))).message).toBe(`s: the server ended ${how}`);
    const port = await failure(toolsOf("http://127.0.0.1:9/mcp").execute("s_run", {}));
    expect([port.code, port.message, port.hint]).toEqual([
      "net-offline",
      "s: fetch asks no server at this port",
      expect.stringContaining("another port"),
    ]);
  });

  it("is gone with its spell, whatever it does", async () => {
    const tools = toolsOf(run("pid"));
    const pid = Number((await tools.execute("s_run", {})).result);
    expect(isAlive(pid)).toBe(true);
    await tools.spell.dispose();
    expect(isAlive(pid)).toBe(false);
  });
});

describe("a program of ours", () => {
  it("ends although a server is open, and takes it along", async () => {
    const source = `
      import { createSpell } from "./dist/node/main.js";
      const { tools } = createSpell({ config: { tools: { mcp: { servers: [${JSON.stringify(`s = node ${hostile} pid`)}] } } }, env: {} });
      console.log((await tools.execute("s_run", {})).result);`;
    const pid = Number(
      execFileSync(process.execPath, ["--input-type=module", "-e", source], { cwd: root, encoding: "utf8", timeout: 30_000 }),
    );
    // killed as it ended: the system may take a moment
    await expect.poll(() => isAlive(pid)).toBe(false);
  });
});

describe("an address", () => {
  it("of this machine is asked where it is listed", async () => {
    const server = createServer(async (request, response) => {
      const own = new McpServer({ name: "web", version: "1" });
      own.registerTool("hello", {}, () => ({ content: [{ type: "text", text: String(request.headers.authorization) }] }));
      const transport = new StreamableHTTPServerTransport();
      response.on("close", () => void own.close());
      await own.connect(transport as never);
      await transport.handleRequest(request, response);
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const { port } = server.address() as AddressInfo;
    try {
      const tools = toolsOf(`http://localhost:${port}/mcp $MCP_TEST_TOKEN`);
      expect(await tools.execute("s_hello", {})).toEqual({ result: "Bearer for the server" });
      await tools.spell.dispose();
    } finally {
      server.close();
      server.closeAllConnections();
    }
    expect((await failure(toolsOf(`http://127.0.0.1:${port}/mcp`).connect("s"))).code).toBe("net-offline");
  });

  it("of the SDK's example keeps a session, and streams", async () => {
    const place = createServer().listen(0, "127.0.0.1");
    await once(place, "listening");
    const { port } = place.address() as AddressInfo;
    await new Promise((resolve) => place.close(resolve));
    const child = spawn("node", [`${examples}/simpleStreamableHttp.js`], { env: { ...process.env, MCP_PORT: String(port) } });
    try {
      await once(child.stdout, "data");
      const tools = toolsOf(`http://localhost:${port}/mcp`);
      expect((await tools.connect("s")).tools).toEqual(expect.arrayContaining(["s_greet", "s_multi-greet"]));
      expect(await tools.execute("s_greet", { name: "Ada" })).toEqual({ result: "Hello, Ada!" });
    } finally {
      child.kill();
    }
  });
});
