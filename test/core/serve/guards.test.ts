/** Heads of requests against the guards of a server (H2 – H9, H18). Over sockets: test/node/serve. */
import { describe, expect, it } from "vitest";
import { bodyBytes } from "../../../src/core/serve/body.ts";
import { type GuardOptions, guard, hostsOf, type RequestHead } from "../../../src/core/serve/guards.ts";

const token = "0123456789abcdef0123456789abcdef";
const origin = "https://app.example.org";
const options: GuardOptions = { hosts: hostsOf(8088, "127.0.0.1", []), origins: new Set([origin]), bodyBytes };

function head(
  given: Readonly<Record<string, string | readonly string[]>> = {},
  method = "POST",
  target = "/v1/chat/completions",
): RequestHead {
  const all = { host: "127.0.0.1:8088", ...given };
  return {
    method,
    target,
    headers: Object.entries(all).flatMap(([name, values]) => [values].flat().map((value): [string, string] => [name, value])),
  };
}
/** `pass`, `preflight`, or the code of the refusal. */
function verdict(given: Parameters<typeof head>[0], more: Partial<GuardOptions> = {}, ...rest: string[]): string {
  const found = guard(head(given, ...rest), { ...options, ...more });
  return found.kind === "refused" ? found.error.code : found.kind;
}

describe("guard()", () => {
  it.each([
    ["evil.example:8088"],
    ["localhost.evil.com:8088"],
    ["127.0.0.1.nip.io:8088"],
    ["localhost.:8088"],
    ["LOCALHOST:8088"],
    ["[::ffff:127.0.0.1]:8088"],
    ["localhost:8089"],
    ["localhost"],
    ["0.0.0.0:8088"],
    [""],
    ["localhost:8088,evil.example"],
  ])("H2: refuses the Host %s", (host) => {
    expect(verdict({ host })).toBe("http-host");
  });

  it("H2: takes exact loopback names alone, once, and no absolute target", () => {
    for (const host of ["127.0.0.1:8088", "localhost:8088", "[::1]:8088"]) expect(verdict({ host })).toBe("pass");
    expect(verdict({ host: ["localhost:8088", "evil.example"] })).toBe("http-host");
    expect(verdict({ host: [] })).toBe("http-host");
    expect(verdict({}, {}, "GET", "http://evil.example/v1/models")).toBe("http-host");
    expect(verdict({ host: "localhost" }, { hosts: hostsOf(80, "127.0.0.1", []) })).toBe("pass");
  });

  it("H3: takes names that were allowed, and the address that is listened on", () => {
    const hosts = hostsOf(8088, "192.168.1.5", ["llm.example.org"]);
    const taken = ["192.168.1.5:8088", "llm.example.org", "llm.example.org:8088", "llm.example.org:8443", "localhost:8088"];
    for (const host of taken) expect(verdict({ host }, { hosts })).toBe("pass");
    for (const host of ["192.168.1.6:8088", "other.example.org", "llm.example.org:*", "llm.example.org:x", "a.llm.example.org:8443"])
      expect(verdict({ host }, { hosts })).toBe("http-host");
    const one = hostsOf(8088, "127.0.0.1", ["llm.example.org:8443"]);
    const named = ["llm.example.org:8443", "llm.example.org:8088", "llm.example.org"].map((host) => verdict({ host }, { hosts: one }));
    expect(named).toEqual(["pass", "http-host", "http-host"]);
    expect(verdict({ host: "0.0.0.0:8088" }, { hosts: hostsOf(8088, "0.0.0.0", []) })).toBe("http-host");
    expect(verdict({ host: "[fd00::1]:8088" }, { hosts: hostsOf(8088, "fd00::1", []) })).toBe("pass");
  });

  it("H4, H6: refuses pages of other origins, and names the one that may", () => {
    const others = ["https://evil.example", "null", "http://localhost:9999", "chrome-extension://abc", `${origin}.evil.com`, "*"];
    for (const other of others) expect(verdict({ origin: other })).toBe("http-origin");
    expect(verdict({ origin: [origin, "https://evil.example"] })).toBe("http-origin");
    for (const site of ["cross-site", "same-site"]) expect(verdict({ "sec-fetch-site": site })).toBe("http-origin");
    for (const site of ["none", "same-origin"]) expect(verdict({ "sec-fetch-site": site })).toBe("pass");
    expect(guard(head({ origin, "sec-fetch-site": "cross-site" }), options)).toEqual({
      kind: "pass",
      headers: { "access-control-allow-origin": origin, vary: "origin" },
    });
    // a page reads why, where it may
    expect(guard(head({ origin }, "PUT"), options).headers).toHaveProperty("access-control-allow-origin", origin);
  });

  it("H7: answers the preflight of an allowed origin with what it asks for, as far as it is names", () => {
    const asked = {
      origin,
      "access-control-request-headers": "Authorization, x-stainless-lang,b\u00e4d,x y",
      "access-control-request-private-network": "true",
    };
    expect(guard(head(asked, "OPTIONS"), options)).toEqual({
      kind: "preflight",
      headers: {
        "access-control-allow-origin": origin,
        vary: "origin",
        "access-control-allow-methods": "GET, HEAD, POST",
        "access-control-allow-headers": "authorization, x-stainless-lang",
        "access-control-max-age": "600",
        "access-control-allow-private-network": "true",
      },
    });
    // it carries no token
    expect(verdict({ origin }, { token }, "OPTIONS")).toBe("preflight");
    expect(verdict({ origin: "https://evil.example" }, {}, "OPTIONS")).toBe("http-origin");
    // a program of no page: the path says what it has
    expect(verdict({}, {}, "OPTIONS")).toBe("pass");
  });

  it("H8: wants the whole token, in one of two headers", () => {
    const wrong = [
      "",
      token,
      `Bearer ${token.slice(0, -1)}`,
      `Bearer ${token}x`,
      `Basic ${token}`,
      "Bearer ",
      `Bearer ${"a".repeat(10_000)}`,
    ];
    for (const authorization of wrong) expect(verdict({ authorization }, { token })).toBe("http-token");
    expect(verdict({}, { token }, "GET", `/v1/models?token=${token}`)).toBe("http-token");
    for (const right of [{ authorization: `Bearer ${token}` }, { authorization: `bearer ${token}` }, { "x-api-key": token }])
      expect(verdict(right, { token })).toBe("pass");
    expect(verdict({ "x-api-key": "other", authorization: `Bearer ${token}` }, { token })).toBe("http-token");
  });

  it("H9: takes bodies of some size", () => {
    expect(verdict({ "content-length": String(bodyBytes) })).toBe("pass");
    expect(verdict({ "content-length": String(bodyBytes + 1) })).toBe("http-size");
  });

  it("H18: leaves to the path which methods it has, of those that a Request may have", () => {
    for (const method of ["TRACE", "CONNECT", "TRACK", "BREW", "get"]) expect(verdict({}, {}, method)).toBe("http-method");
    for (const method of ["GET", "HEAD", "POST", "PUT", "DELETE", "PATCH"]) expect(verdict({}, {}, method)).toBe("pass");
  });
});
