/** Tools of servers, over the SDK's own server in this process; what servers say, and what of it is believed. */
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import { McpServer } from "@modelcontextprotocol/sdk/server/mcp.js";
import { WebStandardStreamableHTTPServerTransport } from "@modelcontextprotocol/sdk/server/webStandardStreamableHttp.js";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import * as z from "zod";
import { createAgents } from "../../../src/core/agents/agents.ts";
import { createSpell } from "../../../src/core/api/spell.ts";
import type { ConfigInput } from "../../../src/core/config/config.generated.ts";
import type { SpellError } from "../../../src/core/errors.ts";
import type { LogEntry, McpHost, McpSdk } from "../../../src/core/platform.ts";
import { joinWords, splitWords } from "../../../src/core/spec/server-line.ts";
import { memoryPlatform, scriptedRuntime } from "../../../src/core/testing/index.ts";
import { judgeOf } from "../../../src/core/toolbox/judge.ts";
import { resultOf, serverTools } from "../../../src/core/toolbox/mcp/answers.ts";
import { isServerTool, readServers } from "../../../src/core/toolbox/mcp/lines.ts";
import { tinyLlama } from "../../fixtures/gguf/models.ts";
import { writeGguf } from "../../fixtures/gguf-writer.ts";
import { continuing } from "../../support/continuing.ts";
import { failure } from "../../support/failure.ts";

function garden(): McpServer {
  const server = new McpServer({ name: "garden", version: "1.2.3" });
  server.registerTool("bed", { description: "What grows\nthere\u202e", inputSchema: { name: z.enum(["north", "south"]) } }, ({ name }) => ({
    content: [{ type: "text", text: `${name}: leeks` }],
  }));
  server.registerTool("sum", { inputSchema: { values: z.array(z.number()) }, outputSchema: { sum: z.number() } }, ({ values }) => ({
    content: [],
    structuredContent: { sum: values.reduce((all, value) => all + value, 0) },
  }));
  server.registerTool("fail", {}, () => ({ isError: true, content: [{ type: "text", text: "no water\u0007 today" }] }));
  server.registerTool("picture", {}, () => ({ content: [{ type: "image", data: "/w==", mimeType: "image/png" }] }));
  server.registerTool("large", {}, () => ({ content: [{ type: "text", text: "x".repeat(3_000_000) }] }));
  return server;
}

/** The SDK on both sides; requests are answered without a socket. */
function toolsOf(config: NonNullable<NonNullable<ConfigInput["tools"]>["mcp"]>, more: Partial<McpHost> = {}, env = {}) {
  const log: LogEntry[] = [];
  const asked: Request[] = [];
  let opened: Promise<WebStandardStreamableHTTPServerTransport> | undefined;
  const open = async () => {
    const transport = new WebStandardStreamableHTTPServerTransport({ sessionIdGenerator: () => "1" });
    await garden().connect(transport);
    return transport;
  };
  const mcp: McpHost = {
    sdk: async () => ({ Client, StreamableHTTPClientTransport }) as unknown as McpSdk,
    fetch: async (problemOf) => async (input, init) => {
      const problem = problemOf("127.0.0.1");
      const request = new Request(input, init);
      if (problem !== undefined && new URL(request.url).hostname === "rebinds.example") throw new TypeError(problem);
      asked.push(request);
      if (request.url.endsWith("/away")) return new Response(null, { status: 302, headers: { location: "http://169.254.169.254/" } });
      if (request.url.endsWith("/closed")) return new Response("no", { status: 401 });
      opened ??= open();
      return (await opened).handleRequest(request);
    },
    ...more,
  };
  const gguf = scriptedRuntime({
    answer: (prompt) => {
      const [, result] = /<tool_response>\n(.*?)\n<\/tool_response>/s.exec(prompt) ?? [];
      const call = JSON.stringify({ name: "garden_bed", arguments: { name: "north" } });
      return continuing(result === undefined ? `<tool_call>\n${call}\n</tool_call>` : `There: ${result}`)(prompt);
    },
  });
  const files = {
    "./own.gguf": writeGguf(tinyLlama({ chatTemplate: "{% for m in messages %}<{{ m.role }}>{{ m.content }}{% endfor %}<assistant>" })),
  };
  const platform = { ...memoryPlatform({ log: (entry) => log.push(entry), gguf, files }), mcp, config: { env } };
  const spell = createSpell({ platform, config: { tools: { mcp: config } }, env: {} });
  return { ...spell.tools, spell, asked, log };
}

const own = { servers: ["garden = https://garden.example/mcp"] };

describe("lines of servers", () => {
  it("are a name and a command or an address", () => {
    expect(readServers(['a = $TOKEN node "my server.mjs" --x=1', "b-2=https://b.example/mcp $B"])).toEqual([
      { name: "a", command: ["node", "my server.mjs", "--x=1"], variables: ["TOKEN"] },
      { name: "b-2", url: new URL("https://b.example/mcp"), variables: ["B"] },
    ]);
    for (const words of [["node", "a b", 'say "x"'], ["x"]]) expect(splitWords(joinWords(words))).toEqual(words);
    expect([isServerTool("a_x", ["a = node"]), isServerTool("b_x", ["a = node"]), isServerTool("a", ["a = node"])]).toEqual([
      true,
      false,
      false,
    ]);
  });

  it.each([["node x"], ["A = node"], ["a ="], ["a = https://x.example/ y"], ["a = https://u:p@x.example/"], ["a = https://x/ $A $B"]])(
    "%s is refused",
    (line) => {
      expect(() => readServers([line])).toThrow("tools.mcp.servers: expected");
    },
  );

  it("have names of their own", () => expect(() => readServers(["a = x", "a = y"])).toThrow("a twice"));
});

describe("tools of a server", () => {
  it("are found, told and run as all others", async () => {
    const tools = toolsOf(own);
    expect(await tools.connect("garden")).toEqual({
      name: "garden",
      tools: ["garden_bed", "garden_sum", "garden_fail", "garden_picture", "garden_large"],
    });
    expect(await tools.connect({ url: "https://garden.example/mcp" })).toMatchObject({ name: "garden" });
    expect(await tools.info("garden_bed")).toMatchObject({
      description: "What grows there",
      category: "mcp",
      version: "1.2.3",
      tags: ["garden"],
    });
    expect(await tools.execute("garden_bed", { name: "north" })).toEqual({ result: "north: leeks" });
    expect(await tools.execute("garden_sum", { values: [1, 2] })).toEqual({ result: { sum: 3 } });
    expect(await tools.execute("garden_picture", {})).toEqual({ result: [{ type: "image", data: "/w==", mime_type: "image/png" }] });
    expect((await tools.list()).map(({ name }) => name)).toHaveLength(19);
    expect(await tools.categories()).toContainEqual({ name: "mcp", tools: 5 });
    const tool = await tools.get("garden_bed");
    expect(await tool.execute({ name: "south" }, { signal: new AbortController().signal })).toEqual({ result: "south: leeks" });
    await tools.spell.dispose();
    expect((await failure(tools.execute("garden_bed", { name: "north" }))).code).toBe("run-closed");
  });

  it("are opened with their first use, once", async () => {
    const tools = toolsOf(own);
    await Promise.all(["north", "south"].map((name) => tools.execute("garden_bed", { name })));
    expect(tools.asked.filter(({ method }) => method === "POST")).toHaveLength(5);
    expect((await failure(tools.execute("garden_bet", {}))).code).toBe("tool-unknown");
  });

  it("are called by agents that name them", async () => {
    const { spell } = toolsOf(own);
    const agents = createAgents({ spell, config: await spell.config() });
    const builder = () => agents.builder().set("model", "./own.gguf");
    const { text, metadata } = await builder().set("allowed_tools", ["garden_bed"]).build().execute("What grows?");
    expect([text, metadata.toolCalls]).toMatchObject([`There: {"result":"north: leeks"}`, [{ name: "garden_bed" }]]);
    expect(() => builder().set("allowed_tools", ["attic_bed"]).build()).toThrow("allowed_tools");
    await spell.dispose();
  });

  it.each([
    ["bed", { name: "west" }, "tool-input", 'garden_bed: input.name: expected one of "north", "south", got "west"'],
    ["sum", { values: [1, "2"] }, "tool-input", 'garden_sum: input.values[1]: expected number, got "2"'],
    ["fail", {}, "tool-failed", "garden_fail: no water today"],
    ["large", {}, "tool-limit", "garden: expected an answer of at most 2000000 bytes, got a longer one"],
  ])("%s %j fails with %s", async (name, input, code, message) => {
    const error = await failure(toolsOf({ ...own, timeout_seconds: 2 }).execute(`garden_${name}`, input));
    expect([error.code, error.message]).toEqual([code, message]);
  });

  it("are refused where the configuration does not list their server", async () => {
    for (const target of ["attic", { command: "node", args: ["-e", "evil()"] }, { url: "https://other.example/" }]) {
      const error = await failure(toolsOf(own).connect(target));
      expect([error.code, error.where, error.hint]).toEqual(["tool-denied", "tools.mcp.servers", expect.stringContaining("servers = [")]);
    }
    const both = { command: "node", url: "https://x.example/" } as never;
    expect((await failure(toolsOf(own).connect(both))).code).toBe("tool-input");
    expect((await failure(toolsOf({}).execute("garden_bed", {}))).code).toBe("tool-unknown");
  });

  it("are asked by the rules of the network", async () => {
    const refused = async (line: string, env = {}) => (await failure(toolsOf({ servers: [`a = ${line}`] }, {}, env).connect("a"))).message;
    expect(await refused("https://garden.example/away")).toContain("a redirect of garden.example is not followed");
    expect(await refused("https://rebinds.example/mcp")).toContain("private or local address");
    expect(await refused("http://garden.example/mcp $TOKEN", { TOKEN: "x" })).toContain("a token goes by https");
    expect(await refused("https://garden.example/mcp $TOKEN")).toContain("expected the variable TOKEN");
    expect(await refused("https://garden.example/closed")).toContain("refuses with status 401");
    expect(await refused("node server.mjs")).toContain("memory starts no programs");
    const local = toolsOf({ servers: ["a = http://localhost:1/mcp $TOKEN"] }, {}, { TOKEN: "secret" });
    await local.connect("a");
    expect(local.asked[0]?.headers.get("authorization")).toBe("Bearer secret");
    const offline = createSpell({
      platform: local.spell.platform,
      config: { runtime: { security: { allow_network_access: false } }, tools: { mcp: own } },
      env: {},
    });
    expect((await failure(offline.tools.connect("garden"))).where).toBe("runtime.security.allow_network_access");
  });

  it("are left out of lists with a warning where their server does not answer", async () => {
    const tools = toolsOf({ servers: [...own.servers, "b = https://garden.example/closed"] });
    expect((await tools.list()).map(({ tags }) => tags[0]).filter((tag) => tag === "garden" || tag === "b")).toHaveLength(5);
    expect(tools.log.filter(({ level }) => level === "warn")).toEqual([
      { level: "warn", message: "tools of b are left out: b: the server refuses with status 401" },
    ]);
  });

  it("are refused on hosts without the SDK", async () => {
    const spell = createSpell({ platform: memoryPlatform(), config: { tools: { mcp: own } }, env: {} });
    expect((await failure(spell.tools.connect("garden"))).message).toContain("no SDK of the protocol");
  });
});

describe("what a server says", () => {
  const schema = { type: "object" };
  const deep = JSON.parse(`{"type":"object","properties":${'{"a":'.repeat(40)}{}${"}".repeat(40)}}`) as unknown;
  const wrong: readonly (readonly [tool: unknown, message: string])[] = [
    [{ name: "a/b", inputSchema: schema }, "s_a_b twice"],
    [{ name: "a\u0007", inputSchema: schema }, "named by letters"],
    [{ name: "x".repeat(64), inputSchema: schema }, "named by letters"],
    [5, "named by letters"],
    [{ name: { toString: 1 }, inputSchema: schema }, 'got {"toString":1}'],
    [{ name: "a" }, "s_a: inputSchema: expected an object, got nothing"],
    [{ name: "a", inputSchema: { type: "string" } }, 's_a: inputSchema.type: expected "object", got "string"'],
    [{ name: "a", inputSchema: { ...schema, properties: [] } }, "s_a: inputSchema.properties: expected an object, got []"],
    [
      { name: "a", inputSchema: { ...schema, properties: { "x\u001b[2J": 5 } } },
      "s_a: inputSchema.properties.x[2J: expected a schema, got 5",
    ],
    [{ name: "a", inputSchema: { ...schema, required: "x" } }, 's_a: inputSchema.required: expected a list of names, got "x"'],
    [{ name: "a", inputSchema: schema, outputSchema: 7 }, "s_a: outputSchema: expected an object, got 7"],
    [{ name: "a", inputSchema: deep }, "s_a: inputSchema: expected data nested at most"],
  ];
  it.each(wrong)("%j is left out, and the rest stays", (tool, message) => {
    const problems: SpellError[] = [];
    const rest = [{ name: "a.b", inputSchema: schema }];
    expect(serverTools("s", "1", [...rest, tool], (problem) => problems.push(problem)).map(({ name }) => name)).toEqual(["s_a_b"]);
    expect(problems.map((problem) => [problem.code, problem.message])).toEqual([["tool-failed", expect.stringContaining(message)]]);
  });

  it("is refused where no tool is left", () => {
    expect(() =>
      serverTools(
        "s",
        "1",
        wrong.slice(1).map(([tool]) => tool),
        () => undefined,
      ),
    ).toThrow("named by letters");
    expect(serverTools("s", "1", [], () => undefined)).toEqual([]);
  });

  it("never breaks what judges inputs, whatever stands in a schema", () => {
    const json = fc.jsonValue({ maxDepth: 4 });
    const keyword = fc.constantFrom(
      "type",
      "enum",
      "const",
      "properties",
      "required",
      "items",
      "minimum",
      "anyOf",
      "$ref",
      "~standard",
      "pattern",
    );
    const any = fc.dictionary(keyword, json, { maxKeys: 5 });
    fc.assert(
      fc.property(any, json, (inner, value) => {
        const [tool] = serverTools("s", "1", [{ name: "a", inputSchema: { type: "object", properties: { x: inner } } }], () => undefined);
        const told = judgeOf(tool!.parameters, "input", true)({ x: value });
        expect(["string", "undefined"]).toContain(typeof told);
      }),
    );
  });

  it("gives results of every form", () => {
    const text = (value: string) => ({ type: "text", text: value });
    expect(resultOf("t", { content: [text("a"), text("b")] })).toEqual({ result: "a\nb" });
    expect(resultOf("t", { content: [], structuredContent: { a: 1 } })).toEqual({ result: { a: 1 } });
    expect(resultOf("t", { content: [{ type: "resource", resource: { uri: "u:1", text: "x" } }] })).toEqual({
      result: [expect.objectContaining({ type: "resource", uri: "u:1", text: "x" })],
    });
    expect(() => resultOf("t", { isError: true })).toThrow("t: the server says that it failed");
    expect(() => resultOf("t", "text")).toThrow('t: expected an object as the result, got "text"');
    expect(() => resultOf("t", { content: "text" })).toThrow('t: content: expected a list of parts, got "text"');
    expect(() => resultOf("t", { content: [text("a"), null] })).toThrow("t: content: expected parts that are objects, got null");
  });
});
