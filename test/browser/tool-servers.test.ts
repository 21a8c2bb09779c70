/** Tools of a server on another origin, over streamable HTTP, with the SDK that a page imports. */
import { afterAll, beforeAll, expect, it } from "vitest";
import { commands } from "vitest/browser";
import { browserPlatform, createSpell } from "../../src/browser/index.ts";
import { failure } from "../support/failure.ts";
import type {} from "./service-commands.ts";

let address = "";
beforeAll(async () => {
  address = await commands.startToolServer();
});
afterAll(() => commands.stopToolServer());

const mcp = async () => ({
  ...(await import("@modelcontextprotocol/sdk/client/index.js")),
  ...(await import("@modelcontextprotocol/sdk/client/streamableHttp.js")),
});
const spellOf = (line: string) =>
  createSpell({ platform: browserPlatform({ mcp }), config: { tools: { mcp: { servers: [line], timeout_seconds: 20 } } }, env: {} });

it("a page finds and runs them, also from a script, each in one session of the server's", async () => {
  const spell = spellOf(`garden = ${address}/mcp`);
  expect(await spell.tools.connect({ url: `${address}/mcp` })).toEqual({ name: "garden", tools: ["garden_bed", "garden_sum"] });
  expect(await spell.tools.execute("garden_sum", { values: [1, 2, 3] })).toEqual({ result: { sum: 6 } });
  expect((await failure(spell.tools.execute("garden_bed", { name: "west" }))).code).toBe("tool-input");
  const source = 'return Tool.execute("garden_bed", {name = "north"}).result';
  expect((await spell.scripts.run(source, { engine: "lua" })).result).toBe("north: leeks");
  await spell.dispose();
  const seen = await commands.seenByToolServer();
  // the spell and the script
  expect(seen.filter(({ session }) => session === undefined)).toHaveLength(2);
  expect(new Set(seen.map(({ session }) => session)).size).toBe(3);
});

it("servers that let no page ask, that are not listed or not there, and a program, are refused by code", async () => {
  expect((await failure(spellOf(`garden = ${address}/closed`).tools.connect("garden"))).code).toBe("net-offline");
  expect((await failure(spellOf(`garden = ${address}/mcp`).tools.connect({ url: `${address}/other` }))).code).toBe("tool-denied");
  expect((await failure(spellOf("garden = http://127.0.0.1:9/mcp").tools.connect("garden"))).code).toBe("net-offline");
  expect(await failure(spellOf("garden = node server.mjs").tools.connect("garden"))).toMatchObject({
    code: "tool-denied",
    message: expect.stringContaining("starts no programs"),
  });
});
