/** Proxies that variables name, with real ones on this machine: one that forwards and tunnels, one that speaks SOCKS. */
import { createServer, request as forward, type Server } from "node:http";
import { type AddressInfo, connect, createServer as createSocketServer, type Socket, type Server as SocketServer } from "node:net";
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import type { SpellError } from "../../src/core/errors.ts";
import { nodeFetch, passwordOf, proxyOf } from "../../src/node/proxy.ts";
import { cli } from "./cli/support.ts";

describe("proxyOf", () => {
  const both = { HTTP_PROXY: "http://plain:1", HTTPS_PROXY: "http://tls:2" };
  it.each<[string, string, Record<string, string>, string | undefined]>([
    ["by the scheme", "http://hub.example/x", both, "plain:1 HTTP_PROXY"],
    ["by the scheme", "https://hub.example/x", both, "tls:2 HTTPS_PROXY"],
    ["https is not sent through the proxy of http", "https://hub.example", { HTTP_PROXY: "http://plain:1" }, undefined],
    ["ALL_PROXY stands for both", "https://hub.example", { ALL_PROXY: "all:3" }, "all:3 ALL_PROXY"],
    ["the lower case wins", "https://hub.example", { ...both, https_proxy: "http://low:4" }, "low:4 https_proxy"],
    ["an empty variable is none", "https://hub.example", { https_proxy: " ", ...both }, "tls:2 HTTPS_PROXY"],
    ["SOCKS with names looked up there", "https://hub.example", { ALL_PROXY: "socks5h://s:5" }, "s:5 ALL_PROXY"],
    ["this machine", "http://127.0.0.1:11434", both, undefined],
    ["this machine by name", "http://localhost:11434", both, undefined],
    ["this machine by its IPv6 address", "http://[::1]:11434", both, undefined],
    ["this machine behind an IPv4-mapped address", "http://[::ffff:127.0.0.1]:11434", both, undefined],
    ["a host in NO_PROXY", "https://hub.example", { ...both, NO_PROXY: "a.example, hub.example" }, undefined],
    ["a name below one in NO_PROXY", "https://hub.corp.example", { ...both, no_proxy: "corp.example" }, undefined],
    ["a leading dot", "https://hub.corp.example", { ...both, NO_PROXY: ".corp.example" }, undefined],
    ["a leading star", "https://hub.corp.example", { ...both, NO_PROXY: "*.Corp.example" }, undefined],
    ["a name that only ends alike", "https://notcorp.example", { ...both, NO_PROXY: "corp.example" }, "tls:2 HTTPS_PROXY"],
    ["the port of NO_PROXY", "https://hub.example", { ...both, NO_PROXY: "hub.example:443" }, undefined],
    ["another port than that of NO_PROXY", "https://hub.example:8443", { ...both, NO_PROXY: "hub.example:443" }, "tls:2 HTTPS_PROXY"],
    ["NO_PROXY=*", "https://hub.example", { ...both, NO_PROXY: "*" }, undefined],
    ["a range of addresses", "http://10.1.2.3:8080", { ...both, NO_PROXY: "10.0.0.0/8" }, undefined],
    ["an address outside the range", "http://11.1.2.3", { ...both, NO_PROXY: "10.0.0.0/8" }, "plain:1 HTTP_PROXY"],
    ["a range of IPv6 addresses", "http://[fd00::7]", { ...both, NO_PROXY: "fd00::/8" }, undefined],
    ["an IPv6 address", "http://[fd00::7]", { ...both, NO_PROXY: "fd00::7" }, undefined],
  ])("%s: %s", (_, address, env, wanted) => {
    const proxy = proxyOf(new URL(address), env);
    expect(proxy && `${proxy.url.host} ${proxy.variable}`).toBe(wanted);
  });

  it.each(["socks4://p:1", "ftp://me:pw@p:1", "http://", "http://me:pw@p:x"])("an address that is none of a proxy: %s", (address) => {
    let error: unknown;
    try {
      proxyOf(new URL("https://hub.example"), { HTTPS_PROXY: address });
    } catch (thrown) {
      error = thrown;
    }
    expect(error).toMatchObject({ code: "env-value", where: "HTTPS_PROXY" });
    expect((error as SpellError).message).not.toContain("pw");
  });

  it.each([
    ["http://me:p@ss@host:1", "p@ss"],
    ["me:pw@host", "pw"],
    ["http://host:8080", ""],
    ["host:8080", ""],
  ])("the password in %s", (address, password) => expect(passwordOf(address)).toBe(password));
});

describe("a request through a proxy", () => {
  const seen: string[] = [];
  const servers: (Server | SocketServer)[] = [];
  let origin = "";
  let proxy = "";
  let socks = "";
  let strict = "";

  const listen = async (server: Server | SocketServer): Promise<string> => {
    servers.push(server);
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    return `127.0.0.1:${(server.address() as AddressInfo).port}`;
  };

  beforeAll(async () => {
    origin = await listen(createServer((request, response) => response.end(`origin ${request.headers.host} ${request.url}`)));
    const [host, port] = origin.split(":");
    const relay = createServer((request, response) => {
      seen.push(`${request.method} ${request.url}`);
      const { pathname } = new URL(request.url ?? "");
      forward({ host, port, path: pathname, headers: request.headers }, (answer) => answer.pipe(response)).end();
    });
    relay.on("connect", (request, socket: Socket) => {
      seen.push(`CONNECT ${request.url}`);
      socket.end("HTTP/1.1 502 Bad Gateway\r\n\r\n");
    });
    proxy = `http://${await listen(relay)}`;
    const refusing = createServer((_, response) => response.writeHead(407).end());
    refusing.on("connect", (_, socket: Socket) => socket.end("HTTP/1.1 407 Proxy Authentication Required\r\n\r\n"));
    strict = `http://me:geheim77@${await listen(refusing)}`;
    const server = createSocketServer((socket) => {
      socket.once("data", () => {
        socket.write(Buffer.from([5, 0])); // no login is needed
        socket.once("data", (asked) => {
          seen.push(`SOCKS ${asked.subarray(5, 5 + (asked[4] ?? 0)).toString()}`);
          const end = connect(Number(port), host, () => {
            socket.write(Buffer.from([5, 0, 0, 1, 0, 0, 0, 0, 0, 0]));
            socket.pipe(end).pipe(socket);
          });
          for (const each of [socket, end]) each.on("error", () => undefined);
        });
      });
    });
    socks = `socks5h://${await listen(server)}`;
  });
  beforeEach(() => {
    seen.length = 0;
  });
  afterAll(() => {
    for (const server of servers) {
      server.close();
      if ("closeAllConnections" in server) server.closeAllConnections();
    }
  });

  it("without variables is one of Node's own", () => expect(nodeFetch({ PATH: "/bin" })).toBe(globalThis.fetch));

  it("is forwarded", async () => {
    const response = await nodeFetch({ HTTP_PROXY: proxy })("http://hub.example/file?x=1");
    expect(await response.text()).toBe("origin hub.example /file");
    expect(seen).toEqual(["GET http://hub.example/file?x=1"]);
  });

  it("speaks SOCKS, and leaves the name to the proxy; nobody is warned of that", async () => {
    const warned = vi.spyOn(process, "emitWarning");
    const response = await nodeFetch({ all_proxy: socks })("http://hub.example/file");
    expect(await response.text()).toBe("origin hub.example /file");
    expect(seen).toEqual(["SOCKS hub.example"]);
    expect(warned).not.toHaveBeenCalled();
    warned.mockRestore();
  });

  it("to this machine goes there directly", async () => {
    const response = await nodeFetch({ HTTP_PROXY: proxy, ALL_PROXY: proxy })(`http://${origin}/file`);
    expect(await response.text()).toBe(`origin ${origin} /file`);
    expect(seen).toEqual([]);
  });

  it("D18: of which the proxy demands a password → net-offline that names the variable, never the password", async () => {
    const outcome = await cli(["model", "pull", "hf:o/r", "--trace", "debug"], {
      env: { HF_ENDPOINT: "https://hub.example", HTTPS_PROXY: strict },
    });
    expect(outcome).toMatchObject({ status: 5, stdout: "" });
    expect(outcome.stderr).toMatch(/through the proxy 127\.0\.0\.1:\d+ of HTTPS_PROXY: it needs a password/);
    expect(outcome.stderr).toContain("[net-offline]");
    expect(outcome.stderr).not.toContain("geheim77");
  });

  it("that the proxy does not tunnel, or to a proxy that is not there → the error names it", async () => {
    for (const [address, why] of [
      [proxy, /through the proxy \S+ of HTTPS_PROXY: it answered 502/],
      ["http://127.0.0.1:9", /through the proxy 127\.0\.0\.1:9 of HTTPS_PROXY: .*ECONNREFUSED/],
    ] as const) {
      const asked = nodeFetch({ HTTPS_PROXY: address })("https://hub.example/file");
      await expect(asked).rejects.toMatchObject({ cause: { message: expect.stringMatching(why) } });
    }
  });

  it("leaves Ollama on this machine alone, whatever the variables say", async () => {
    const variables = { HTTP_PROXY: proxy, ALL_PROXY: proxy, NODE_USE_ENV_PROXY: "1", OLLAMA_HOST: origin };
    await cli(["model", "list", "--backend", "ollama"], { env: variables });
    expect(seen).toEqual([]);
  });
});
