/** Requests of tools over real sockets: the address that was judged is the address that is connected to. Loopback only. */
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { ToolHop } from "../../../src/core/platform.ts";
import { hostProblem } from "../../../src/core/spec/model-spec.ts";
import { createSpell } from "../../../src/node/main.ts";
import { type Lookup, requestOnce } from "../../../src/node/tools/request.ts";
import { failure } from "../../support/failure.ts";

let server: Server;
let port = 0;
let asked = 0;
beforeAll(async () => {
  server = createServer((request, response) => {
    asked += 1;
    if (request.url === "/large") response.end(Buffer.alloc(3_000_000, "x"));
    else if (request.url === "/break") response.destroy();
    else if (request.url === "/go") response.writeHead(302, { location: "/end" }).end();
    else {
      const parts: Buffer[] = [];
      request.on("data", (part: Buffer) => parts.push(part));
      request.on("end", () => {
        response.setHeader("set-cookie", ["a=1", "b=2"]);
        response.end(`${request.method} ${request.headers.host} ${request.headers["x-own"] ?? "-"} ${Buffer.concat(parts).toString()}`);
      });
    }
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  port = (server.address() as AddressInfo).port;
});
afterAll(() => new Promise((resolve) => server.close(resolve)));

const hopTo = (host: string, more: Partial<ToolHop> = {}): ToolHop => ({
  url: new URL(`http://${host}:${port}/`),
  method: "GET",
  headers: {},
  mostBytes: 1_000_000,
  problemOf: hostProblem,
  signal: new AbortController().signal,
  ...more,
});
/** A resolver that says this, one answer a call. */
const resolver = (...answers: readonly (readonly string[])[]): { readonly lookup: Lookup; readonly calls: () => number } => {
  let calls = 0;
  return {
    lookup(_, __, done) {
      const addresses = answers[Math.min(calls, answers.length - 1)] ?? [];
      calls += 1;
      done(
        null,
        addresses.map((address) => ({ address, family: address.includes(":") ? 6 : 4 })),
      );
    },
    calls: () => calls,
  };
};

describe("requestOnce()", () => {
  it.each([["127.0.0.1"], ["::ffff:127.0.0.1"], ["::1"], ["10.0.0.1"], ["169.254.169.254"], ["fd00::1"], ["64:ff9b::7f00:1"]])(
    "refuses a name that leads to %s, with nothing sent",
    async (address) => {
      const before = asked;
      const error = await failure(requestOnce(hopTo("evil.example"), resolver([address]).lookup));
      expect([error.code, asked]).toEqual(["tool-denied", before]);
    },
  );

  it("refuses all where one address of several is private, and a name that leads nowhere", async () => {
    expect((await failure(requestOnce(hopTo("evil.example"), resolver(["93.184.216.34", "127.0.0.1"]).lookup))).code).toBe("tool-denied");
    expect((await failure(requestOnce(hopTo("none.example"), resolver([]).lookup))).message).toContain("leads nowhere");
  });

  it("looks a name up once: one that answers differently the second time gains nothing", async () => {
    const rebinding = resolver(["93.184.216.34"], ["127.0.0.1"]);
    const seen: string[] = [];
    const before = asked;
    const problemOf = (address: string) => {
      seen.push(address);
      return "judged, and refused so that nothing leaves this machine";
    };
    await failure(requestOnce(hopTo("rebind.example", { problemOf }), rebinding.lookup));
    expect([seen, rebinding.calls(), asked]).toEqual([["93.184.216.34"], 1, before]);
    // the same for a name that is connected to: one look, and that address is asked
    const listed = resolver(["127.0.0.1"], ["127.0.0.2"]);
    const answer = await requestOnce(hopTo("good.example", { problemOf: () => undefined }), listed.lookup);
    expect([Buffer.from(answer.body).toString(), listed.calls()]).toEqual([`GET good.example:${port} - `, 1]);
  });

  it("sends a body and headers, and joins headers that come twice", async () => {
    const body = new TextEncoder().encode("data");
    const hop = hopTo("127.0.0.1", { method: "PUT", body, headers: { "x-own": "1" } });
    const { status, headers, body: said } = await requestOnce(hop);
    expect([status, headers["set-cookie"], Buffer.from(said).toString()]).toEqual([200, "a=1, b=2", `PUT 127.0.0.1:${port} 1 data`]);
  });

  it("ends with answers that are too long, break off, or are not wanted any more", async () => {
    const to = (path: string) => hopTo("127.0.0.1", { url: new URL(`http://127.0.0.1:${port}${path}`) });
    expect((await failure(requestOnce(to("/large")))).code).toBe("tool-limit");
    expect((await failure(requestOnce(to("/break")))).code).toBe("net-reset");
    expect((await failure(requestOnce({ ...to("/"), url: new URL("http://127.0.0.1:1/") }))).code).toBe("net-offline");
    await expect(requestOnce({ ...to("/"), signal: AbortSignal.abort() })).rejects.toThrow();
  });
});

describe("http-request in Node", () => {
  it("asks a listed host of this machine, and follows it there alone", async () => {
    const config = { tools: { http_request: { allowed_hosts: [`127.0.0.1:${port}`] } } };
    await using spell = createSpell({ config, env: {} });
    const answer = await spell.tools.execute("http-request", { url: `http://127.0.0.1:${port}/go` });
    expect(answer).toMatchObject({ status: 200, url: `http://127.0.0.1:${port}/end` });
    const closed = createSpell({ config: {}, env: {} });
    expect((await failure(closed.tools.execute("http-request", { url: `http://127.0.0.1:${port}/` }))).code).toBe("tool-denied");
    await closed.dispose();
  });
});
