/** What `http-request` asks, and what it does not: the list of storage for tools that make requests of others' words. */
import { describe, expect, it } from "vitest";
import { createSpell } from "../../../src/core/api/spell.ts";
import type { ConfigInput } from "../../../src/core/config/config.generated.ts";
import type { ToolHop, ToolReply } from "../../../src/core/platform.ts";
import { memoryPlatform } from "../../../src/core/testing/index.ts";
import { failure } from "../../support/failure.ts";

type Rules = NonNullable<NonNullable<ConfigInput["tools"]>["http_request"]>;
const encode = (text: string) => new TextEncoder().encode(text);

/** A host whose servers answer as the function says; what is asked is kept. */
function hostOf(answer: (hop: ToolHop) => Partial<ToolReply>, rules: Rules = {}) {
  const asked: ToolHop[] = [];
  const request = async (hop: ToolHop): Promise<ToolReply> => {
    asked.push(hop);
    return { status: 200, headers: { "content-type": "text/plain" }, body: encode("ok"), ...answer(hop) };
  };
  const { tools } = createSpell({ platform: { ...memoryPlatform(), request }, config: { tools: { http_request: rules } }, env: {} });
  const run = async (input: object) => (await tools.execute("http-request", input)) as Record<string, unknown>;
  return { asked, run };
}

describe("http-request", () => {
  it.each(
    [
      "127.0.0.1",
      "2130706433",
      "0x7f.1",
      "017700000001",
      "0",
      "[::1]",
      "[::ffff:7f00:1]",
      "[::ffff:127.0.0.1]",
      "[64:ff9b::7f00:1]",
      "[2002:7f00:1::]",
      "169.254.169.254",
      "localhost",
      "localhost.",
      "a.localhost",
      "10.0.0.1",
      "192.168.1.1",
      "172.31.0.1",
      "100.64.0.1",
      "[fe80::1]",
      "[fc00::1]",
      "[::]",
      "printer",
      "router.local",
      "metadata.google.internal",
      "224.0.0.1",
    ].map((host) => [host]),
  )("does not ask %s", async (host) => {
    const { asked, run } = hostOf(() => ({}));
    const error = await failure(run({ url: `http://${host}/` }));
    expect([error.code, asked]).toEqual(["tool-denied", []]);
  });

  it.each([["file:///etc/passwd"], ["data:text/plain,x"], ["ftp://example.org/"], ["https://me:pw@example.org/"]])(
    "does not ask %s",
    async (url) => {
      const error = await failure(hostOf(() => ({})).run({ url }));
      expect(error.code).toBe("tool-denied");
      expect(error.message).not.toContain("pw");
    },
  );

  it("asks hosts that are listed, private ones too, and then no others", async () => {
    const { run, asked } = hostOf(() => ({}), { allowed_hosts: ["127.0.0.1", "*.example.org"], blocked_hosts: ["bad.example.org"] });
    expect(await run({ url: "http://127.0.0.1:8080/" })).toMatchObject({ result: "ok", ok: true, status: 200 });
    expect(asked[0]?.problemOf("127.0.0.1")).toBeUndefined();
    await run({ url: "https://api.example.org/" });
    for (const url of ["https://bad.example.org/", "https://example.com/", "http://[::1]/"])
      expect((await failure(run({ url }))).code).toBe("tool-denied");
  });

  it("hands on how addresses are judged", async () => {
    const { run, asked } = hostOf(() => ({}));
    await run({ url: "https://example.org/" });
    const { problemOf } = asked[0] as ToolHop;
    expect(["127.0.0.1", "::1", "10.1.2.3", "::ffff:127.0.0.1", "fe80::1"].filter((address) => problemOf(address) === undefined)).toEqual(
      [],
    );
    expect(problemOf("93.184.216.34")).toBeUndefined();
  });

  it("follows redirects by hand, each judged anew", async () => {
    const way: Record<string, string> = {
      "https://a.org/": "https://b.org/x",
      "https://b.org/x": "/y",
      "http://in.org/": "http://127.0.0.1/secret",
      "https://down.org/": "http://down.org/",
      "https://loop.org/": "https://loop.org/",
      "https://file.org/": "file:///etc/passwd",
    };
    const { run, asked } = hostOf(({ url }) =>
      way[url.href] === undefined ? {} : { status: 302, headers: { location: way[url.href] ?? "" } },
    );
    const secret = { authorization: "Bearer x", Cookie: "a=b", "x-own": "1" };
    expect(await run({ url: "https://a.org/", method: "POST", body: "data", headers: secret })).toMatchObject({ url: "https://b.org/y" });
    expect(
      asked.map(({ method, body, headers }) => [method, body?.length, headers["authorization"], headers["cookie"], headers["x-own"]]),
    ).toEqual([
      ["POST", 4, "Bearer x", "a=b", "1"],
      ["GET", undefined, undefined, undefined, "1"],
      ["GET", undefined, undefined, undefined, "1"],
    ]);
    expect((await failure(run({ url: "http://in.org/" }))).code).toBe("tool-denied");
    expect((await failure(run({ url: "https://file.org/" }))).code).toBe("tool-denied");
    expect((await failure(run({ url: "https://down.org/" }))).message).toContain("from https to http");
    expect((await failure(run({ url: "https://loop.org/" }))).message).toContain("more than 5 redirects");
    const none = hostOf(() => ({ status: 302, headers: { location: "https://b.org/" } }), { max_redirects: 0 });
    expect(await none.run({ url: "https://a.org/" })).toMatchObject({ status: 302, url: "https://a.org/" });
  });

  it("gives JSON as a value, and bytes that are no text as base64", async () => {
    const json = hostOf(() => ({
      status: 404,
      headers: { "content-type": "application/problem+json; charset=utf-8" },
      body: encode('{"a":1}'),
    }));
    expect(await json.run({ url: "https://a.org/" })).toMatchObject({ result: { a: 1 }, ok: false, status: 404, bytes: 7 });
    const bytes = hostOf(() => ({ body: Uint8Array.of(0xff, 0) }));
    expect(await bytes.run({ url: "https://a.org/" })).toMatchObject({ result: "/wA=", is_base64: true });
    const broken = hostOf(() => ({ headers: { "content-type": "application/json" }, body: encode("{") }));
    expect(await broken.run({ url: "https://a.org/" })).toMatchObject({ result: "{" });
  });

  it("sends JSON, and refuses headers that break a request", async () => {
    const { run, asked } = hostOf(() => ({}), { max_request_size: 10 });
    await run({ url: "https://a.org/", json: { a: 1 } });
    expect(asked[0]).toMatchObject({ method: "POST", headers: { "content-type": "application/json" }, body: encode('{"a":1}') });
    expect((await failure(run({ url: "https://a.org/", body: "x".repeat(11) }))).code).toBe("tool-limit");
    for (const headers of [{ "a b": "1" }, { a: "1\r\nb: 2" }, { Host: "b.org" }, { "Transfer-Encoding": "chunked" }])
      expect((await failure(run({ url: "https://a.org/", headers }))).code).toBe("tool-failed");
  });

  it("ends in time", async () => {
    const request = ({ signal }: ToolHop) =>
      new Promise<ToolReply>((_, reject) =>
        signal.addEventListener("abort", () => reject(new DOMException("over", "AbortError")), { once: true }),
      );
    const config = { tools: { http_request: { timeout_seconds: 1 } } };
    const { tools } = createSpell({ platform: { ...memoryPlatform(), request }, config, env: {} });
    const error = await failure(tools.execute("http-request", { url: "https://a.org/" }));
    expect([error.code, error.where]).toEqual(["tool-limit", "tools.http_request.timeout_seconds"]);
  });

  it("asks by fetch where the host has nothing better: in a page the browser follows redirects, and where it ended is judged", async () => {
    const calls: RequestInit[] = [];
    const pageOf = (end: string, isPage = true) => {
      const fetch = async (_: unknown, init?: RequestInit) => {
        calls.push(init ?? {});
        const response = new Response("page", { headers: { "content-type": "text/plain" } });
        Object.defineProperty(response, "url", { value: end });
        return response;
      };
      return createSpell({ platform: { ...memoryPlatform({ fetch: fetch as typeof globalThis.fetch }), isPage }, env: {} }).tools;
    };
    const url = { url: "https://a.org/" };
    expect(await pageOf("https://b.org/").execute("http-request", url)).toMatchObject({ result: "page", url: "https://b.org/" });
    expect(calls[0]).toMatchObject({ redirect: "follow", credentials: "omit" });
    expect((await failure(pageOf("http://127.0.0.1/").execute("http-request", url))).code).toBe("tool-denied");
    expect((await failure(pageOf("").execute("http-request", { url: "http://localhost/" }))).code).toBe("tool-denied");
    await pageOf("", false).execute("http-request", url);
    expect(calls.at(-1)).toMatchObject({ redirect: "manual" });
  });
});
