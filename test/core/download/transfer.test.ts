/**
 * Rows D1–D19 on real sockets, what the suite of test/contract/transfer.ts leaves out: finer cases, and those a page cannot have. The server does what the
 * row says, the store is in memory, a minute passes in two or three seconds.
 */
import { createHash } from "node:crypto";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { realClock } from "../../../src/core/download/clock.ts";
import type { Network } from "../../../src/core/download/request.ts";
import { type RemoteFile, type TransferOptions, transferFile } from "../../../src/core/download/transfer.ts";
import type { SpellError } from "../../../src/core/errors.ts";
import type { ArtifactStore } from "../../../src/core/platform.ts";
import { memoryStore } from "../../../src/core/store/memory-store.ts";
import { noiseBytes } from "../../contract/artifact-store.ts";
import { failure } from "../../support/failure.ts";
import { startFaultServer } from "../../support/fault-server.mjs";
import { quickClock } from "../../support/quick-clock.ts";

const size = 3_000_000;
const bytes = noiseBytes(size);
const sha256 = createHash("sha256").update(bytes).digest("hex");

let server: Awaited<ReturnType<typeof startFaultServer>>;
let store: ArtifactStore;
beforeAll(async () => {
  server = await startFaultServer();
});
afterAll(() => server.close());
beforeEach(() => {
  server.reset();
  server.files.clear();
  server.files.set("m.gguf", bytes);
  store = memoryStore();
});

const network = (silence?: number): Network => ({ fetch, clock: quickClock(silence) });
const file = (more: Partial<RemoteFile> = {}): RemoteFile => ({
  path: "m.gguf",
  url: `${server.url}/files/m.gguf`,
  size,
  sha256,
  isTrusted: true,
  ...more,
});
const unpinned = (): RemoteFile => ({ path: "m.gguf", url: `${server.url}/files/m.gguf`, isTrusted: true });
const pull = (wanted: RemoteFile = file(), options: Partial<TransferOptions> & { readonly silence?: number } = {}) =>
  transferFile(wanted, store, network(options.silence), { maxParallel: 4, ...options });

/** Whole, under its name, byte for byte. */
async function isStored(): Promise<boolean> {
  const source = await store.openBlob(`sha256:${sha256}`, "m.gguf");
  return Buffer.compare(await source.read(0, source.size), bytes) === 0;
}

const gets = () => server.seen.filter(({ method }) => method === "GET");
const sent = () => server.seen.reduce((sum, one) => sum + one.sent, 0);
/** An earlier run that broke after about so many bytes: a reset takes what is under way with it. @returns bytes kept */
async function leavePart(length: number, wanted: RemoteFile = file()): Promise<number> {
  const abort = new AbortController();
  server.plan("/files/", [{ cutAt: length }, ...Array.from({ length: 8 }, () => ({ status: 404 }))]);
  expect((await failure(pull(wanted, { signal: abort.signal }))).code).toBe("net-not-found");
  const [part] = await store.listParts();
  expect(part?.size).toBeGreaterThan(0);
  server.reset();
  return part?.size ?? 0;
}

describe("a download", () => {
  it("comes whole, in one request, hashed", async () => {
    const seen: number[] = [];
    const result = await pull(file(), { onProgress: (done) => seen.push(done) });
    expect(result).toMatchObject({ digest: `sha256-${sha256}`, size, verified: "sha256", fetched: size });
    expect(await isStored()).toBe(true);
    expect(gets()).toHaveLength(1);
    expect(gets()[0]?.headers["accept-encoding"]).toBe("identity");
    expect(seen.at(-1)).toBe(size);
    expect(await store.listParts()).toEqual([]);
  });

  it("tells what has come before a mebibyte of it is written, and never more than there is", async () => {
    server.plan("/files/", [{ pieceMs: 20 }]);
    const seen: number[] = [];
    await pull(file(), { onProgress: (done) => seen.push(done) });
    expect(seen.some((done) => done > 0 && done % (1024 * 1024) !== 0 && done < size)).toBe(true);
    expect([...seen].sort((a, b) => a - b)).toEqual(seen);
    expect(Math.max(...seen)).toBe(size);
  });

  it("asks nothing for what is there, unless forced", async () => {
    await pull();
    server.reset();
    expect((await pull()).fetched).toBe(0);
    expect(server.seen).toEqual([]);
    expect((await pull(file(), { force: true })).fetched).toBe(size);
  });

  it("without a stated hash is checked by size, and its own hash recorded", async () => {
    expect(await pull(unpinned())).toMatchObject({ digest: `sha256-${sha256}`, verified: "size" });
    expect(server.seen.map(({ method }) => method)).toEqual(["HEAD", "GET"]);
  });

  it("of a small file is checked by git's hash", async () => {
    const text = new TextEncoder().encode("{}\n");
    server.files.set("config.json", text);
    const gitSha1 = createHash("sha1").update(`blob ${text.length}\0`).update(text).digest("hex");
    const wanted = { path: "config.json", url: `${server.url}/files/config.json`, size: 3, isTrusted: true };
    expect(await pull({ ...wanted, gitSha1 })).toMatchObject({ verified: "sha256" });
    expect(await failure(pull({ ...wanted, gitSha1: "0".repeat(40) }))).toMatchObject({ code: "net-hash" });
  });

  it("D1 goes on at the recorded byte after a reset at 1 % of the file", async () => {
    const at = Math.floor(size * 0.01);
    server.plan("/files/", [{ cutAt: at }]);
    expect(await pull()).toMatchObject({ digest: `sha256-${sha256}` });
    expect(await isStored()).toBe(true);
    expect(sent()).toBeLessThanOrEqual(size + 16 * 1024 * 1024);
    expect(gets()[1]?.headers.range).toMatch(/^bytes=[1-9]\d*-2999999$/);
  });

  it("D1 survives a reset every 700 kB, because progress resets the count", async () => {
    server.plan(
      "/files/",
      Array.from({ length: 4 }, () => ({ cutAt: 700_000 })),
    );
    await pull();
    expect(await isStored()).toBe(true);
    expect(sent()).toBeLessThan(2 * size);
  });

  it("D1 goes on in the next run", async () => {
    const kept = await leavePart(1_234_567);
    const result = await pull();
    expect(result.fetched).toBe(size - kept);
    expect(gets()[0]?.headers).toMatchObject({ range: `bytes=${kept}-${size - 1}`, "if-range": expect.stringMatching(/^"/) });
    expect(await isStored()).toBe(true);
  });

  it("D2 a close that comes early is gone on from; a length that is too large is not believed", async () => {
    server.plan("/files/", [{ endAt: 1000 }, { headers: { "content-length": String(size + 5000) }, endAt: size }]);
    await pull();
    expect(await isStored()).toBe(true);
  });

  it("D2 a connection that breaks again and again, each time with more bytes, is the cause → net-reset, and what came is kept", async () => {
    server.plan(
      "/files/",
      Array.from({ length: 60 }, () => ({ endAt: 20_000 })),
    );
    expect(await failure(pull(file(), { maxParallel: 1 }))).toMatchObject({ code: "net-reset", retryable: true });
    server.reset();
    expect((await pull()).fetched).toBeLessThan(size);
    expect(await isStored()).toBe(true);
  });

  it("D3 a chunked body that is cut, a body without a length that is cut → tried again", async () => {
    const head = `HTTP/1.0 200 OK\r\netag: "x"\r\n\r\n`;
    server.plan("/files/", [{ chunked: true, endAt: 5000 }, { raw: head + Buffer.from(bytes.subarray(0, 900)).toString("latin1") }]);
    await pull();
    expect(await isStored()).toBe(true);
  });

  it("D5 right size, wrong hash → one clean try, then net-hash with both hashes; the part is gone, the older blob stays", async () => {
    await pull();
    const other = noiseBytes(size, 7);
    const otherSha = createHash("sha256").update(other).digest("hex");
    server.reset();
    server.plan(
      "/files/",
      Array.from({ length: 9 }, () => ({ body: other, ignoreRange: true })),
    );
    const error = await failure(pull(file(), { force: true }));
    expect(error).toMatchObject({ code: "net-hash", details: { wanted: sha256, got: otherSha } });
    expect(gets()).toHaveLength(2);
    expect(await store.listParts()).toEqual([]);
    expect(await isStored()).toBe(true);
  });

  it("D5 right at the second try → stored", async () => {
    server.plan("/files/", [{ body: noiseBytes(size, 7) }]);
    await pull();
    expect(await isStored()).toBe(true);
  });

  it.each<[string, (kept: number) => Record<string, string>]>([
    ["a wrong start", () => ({ "content-range": `bytes 0-${size - 1}/${size}` })],
    ["a wrong total", (kept) => ({ "content-range": `bytes ${kept}-${size - 1}/${size + 1}` })],
    ["no Content-Range", () => ({ "content-range": "" })],
    ["several parts", () => ({ "content-range": "", "content-type": "multipart/byteranges; boundary=x" })],
  ])("D8 206 with %s → the whole file is asked for", async (_, headers) => {
    server.plan("/files/", [{ headers: headers(await leavePart(1_000_000)) }]);
    await pull();
    expect(await isStored()).toBe(true);
    expect(gets().at(-1)?.headers.range).toBeUndefined();
  });

  it.each<[string, string]>([
    ["a weak", 'W/"other"'],
    ["none", ""],
  ])("D11 the kept version is gone, the server names %s etag → from the start", async (_, etag) => {
    const kept = await leavePart(1_000_000);
    server.plan("/files/", [
      { headers: { etag, "content-range": `bytes ${kept}-${size - 1}/${size}` }, status: 206, body: bytes.subarray(kept) },
    ]);
    await pull();
    expect(await isStored()).toBe(true);
    expect(sent()).toBeGreaterThanOrEqual(size);
  });

  it("D12 429 with Retry-After: seconds and a date are kept, too long is told, nonsense ignored", async () => {
    const waits: number[] = [];
    const onRetry = (_: SpellError, ms: number): void => void waits.push(Math.round(ms / 100) / 10);
    const date = new Date(Date.now() + 5000).toUTCString();
    server.plan(
      "/files/",
      ["2", date, "-5", "soon"].map((text) => ({ status: 429, headers: { "retry-after": text } })),
    );
    await pull(file(), { onRetry });
    expect(waits[0]).toBe(2);
    expect(waits[1]).toBeGreaterThan(3);
    expect(waits[1]).toBeLessThanOrEqual(5);
    expect(waits.slice(2).every((seconds) => seconds >= 0.2 && seconds <= 6)).toBe(true);
    server.reset();
    server.plan("/files/", [{ status: 429, headers: { "retry-after": "3600" } }]);
    const error = await failure(pull(file(), { force: true }));
    expect(error).toMatchObject({ code: "net-rate", details: { retryAfterSeconds: 3600 }, message: expect.stringContaining("3600 s") });
    expect(server.seen).toHaveLength(1);
  });

  it.each([500, 502, 503, 504, 408, 425])("D13 %d → five tries, then net-status", async (status) => {
    server.plan(
      "/files/",
      Array.from({ length: 9 }, () => ({ status })),
    );
    const error = await failure(pull());
    expect(error).toMatchObject({ code: "net-status", retryable: true, details: { status } });
    expect(server.seen).toHaveLength(5);
  });

  it.each([
    [400, "net-status"],
    [401, "net-auth"],
    [403, "net-status"],
    [404, "net-not-found"],
    [410, "net-not-found"],
    [451, "net-status"],
  ])("D13 G92 %d is not tried again → %s", async (status, code) => {
    server.plan(
      "/files/",
      Array.from({ length: 3 }, () => ({ status })),
    );
    expect((await failure(pull())).code).toBe(code);
    expect(server.seen).toHaveLength(1);
  });

  it("D14 a redirect to another host takes the range along and the secret not", async () => {
    server.addRepo("o/r", { files: { "m.gguf": bytes } });
    const hub = file({ url: `${server.url}/o/r/resolve/main/m.gguf`, secret: "Bearer hf_secret" });
    server.plan("/lfs/", [{ cutAt: 1_000_000 }], "cdn");
    await pull(hub);
    const cdn = server.seen.filter(({ host }) => host === "cdn");
    expect(cdn).toHaveLength(2);
    expect(cdn.map(({ headers }) => headers.authorization)).toEqual([undefined, undefined]);
    expect(cdn[1]?.headers.range).toMatch(/^bytes=[1-9]\d*-2999999$/);
    expect(server.seen.filter(({ host }) => host === "hub").map(({ headers }) => headers.authorization)).toEqual([
      "Bearer hf_secret",
      "Bearer hf_secret",
    ]);
    expect(JSON.stringify(cdn)).not.toContain("hf_secret");
  });

  it.each([
    ["to a private address", "http://10.1.2.3/m.gguf"],
    ["to this cloud's secrets", "http://169.254.169.254/latest"],
    ["to an address with a password", "http://user:pw@example.org/m.gguf"],
    ["to file:", "file:///etc/passwd"],
    ["to data:", "data:text/plain,x"],
    ["without end", "self"],
    ["to nowhere", ""],
  ])("D15 G91 a redirect %s → net-redirect", async (_, location) => {
    const target = location === "self" ? `${server.url}/files/m.gguf` : location;
    server.plan(
      "/files/",
      Array.from({ length: 20 }, () => ({ status: 302, headers: location === "" ? {} : { location: target } })),
    );
    expect((await failure(pull())).code).toBe("net-redirect");
    expect(server.seen.length).toBeLessThanOrEqual(6);
  });

  it("D15 a redirect to a private address names the host to allow, one of another kind none", async () => {
    const plan = (location: string) => server.plan("/files/", [{ status: 302, headers: { location } }]);
    plan("http://10.1.2.3:8080/m.gguf");
    expect(await failure(pull())).toMatchObject({
      code: "net-redirect",
      hint: expect.stringContaining("allow it"),
      details: { allowHost: "10.1.2.3" },
    });
    plan("file:///etc/passwd");
    expect((await failure(pull())).details?.["allowHost"]).toBeUndefined();
  });

  it("D15 G91 a redirect from https to http → net-redirect", async () => {
    const answers = [new Response(null, { status: 302, headers: { location: "http://example.org/m.gguf" } })];
    const fake: Network = { fetch: async () => answers.shift() ?? new Response("x"), clock: realClock(() => 0) };
    const wanted = { path: "m.gguf", url: "https://example.org/m.gguf", size: 1, sha256 };
    expect((await failure(transferFile(wanted, store, fake, { maxParallel: 1 }))).code).toBe("net-redirect");
  });

  it("D15 a public name that leads inside → spec-host; after a redirect net-redirect", async () => {
    const lookup = async (host: string) => (host === "evil.example" ? ["10.0.0.7"] : ["93.184.216.34"]);
    const fake: Network = {
      fetch: async () => new Response(null, { status: 302, headers: { location: "https://evil.example/m.gguf" } }),
      clock: realClock(() => 0),
      lookup,
    };
    const at = (url: string) => failure(transferFile({ path: "m.gguf", url, size: 1, sha256 }, store, fake, { maxParallel: 1 }));
    expect((await at("https://evil.example/m.gguf")).code).toBe("spec-host");
    expect(await at("https://good.example/m.gguf")).toMatchObject({ code: "net-redirect", details: { allowHost: "evil.example" } });
  });

  it.each<[string, string, RegExp, RegExp]>([
    ["a resolver that makes addresses up", "198.18.0.7", /leads to 198\.18\.0\.7, an address that a resolver made up/, /fake-IP/],
    ["a network with its own copy", "10.0.0.7", /leads to 10\.0\.0\.7, a private or local address/, /models\.allow_hosts/],
    ["NAT64 of a private address", "64:ff9b::a00:7", /leads to 64:ff9b::a00:7, a private/, /models\.allow_hosts/],
  ])("%s → an error with the way out, and the way out holds", async (_, address, message, hint) => {
    const fake: Network = { fetch: async () => new Response(bytes.slice()), clock: realClock(() => 0), lookup: async () => [address] };
    const wanted = { path: "m.gguf", url: "https://cdn.hub.example/m.gguf", size, sha256 };
    const at = (allowHosts?: readonly string[]) => transferFile({ ...wanted, allowHosts }, store, fake, { maxParallel: 1 });
    expect(await failure(at())).toMatchObject({
      code: "spec-host",
      message: expect.stringMatching(message),
      hint: expect.stringMatching(hint),
      details: { allowHost: "cdn.hub.example" },
    });
    expect((await failure(at(["*.other.example", "hub.example"]))).code).toBe("spec-host");
    expect(await at(["*.hub.example"])).toMatchObject({ verified: "sha256" });
  });

  it.each(["64:ff9b::5db8:d822", "64:ff9b::93.184.216.34", "0064:FF9B::5DB8:D822"])(
    "NAT64 of a public address is public: %s",
    async (address) => {
      const fake: Network = { fetch: async () => new Response(bytes.slice()), clock: realClock(() => 0), lookup: async () => [address] };
      const wanted = { path: "m.gguf", url: "https://cdn.hub.example/m.gguf", size, sha256 };
      expect(await transferFile(wanted, store, fake, { maxParallel: 1 })).toMatchObject({ verified: "sha256" });
    },
  );

  it("a server that refuses every range → whole in one stream", async () => {
    const refusing: Network = {
      clock: quickClock(),
      fetch: (input, init) => {
        const isRange = new Headers(init?.headers).has("range");
        return isRange ? Promise.resolve(new Response(null, { status: 416 })) : fetch(input, init);
      },
    };
    expect(await transferFile(file(), store, refusing, { partBytes: 1_000_000, maxParallel: 2 })).toMatchObject({ verified: "sha256" });
    expect(await isStored()).toBe(true);
  });

  it("D17 silence for ever → net-stall after five tries", async () => {
    server.plan(
      "/files/",
      Array.from({ length: 9 }, () => ({ hang: true })),
    );
    expect((await failure(pull(file(), { silence: 200 }))).code).toBe("net-stall");
    expect(server.seen).toHaveLength(5);
  });

  it("D17 a byte now and then is no progress → net-stall", async () => {
    // 60 s of the clock pass in 0.6 s, a byte each 20 ms: far under 1 KiB/s
    server.plan(
      "/files/",
      Array.from({ length: 9 }, () => ({ trickleMs: 20 })),
    );
    expect((await failure(pull(file(), { silence: 100 }))).code).toBe("net-stall");
  });

  it("D18 no server there → net-offline at once, the host named", async () => {
    const error = await failure(pull(file({ url: "http://127.0.0.1:9/m.gguf" })));
    expect(error).toMatchObject({ code: "net-offline", message: expect.stringContaining("127.0.0.1") });
    const dns = await failure(pull(file({ url: "https://no-such-host.invalid/m.gguf" })));
    expect(dns).toMatchObject({ code: "net-offline", message: expect.stringContaining("no-such-host.invalid") });
  });

  it("D18 a proxy that wants a password → net-offline", async () => {
    server.plan("/files/", [{ status: 407 }]);
    expect((await failure(pull())).code).toBe("net-offline");
  });

  it("D19 a full store → stop at once, the part stays", async () => {
    store = memoryStore({ quota: 1_500_000 });
    const error = await failure(pull());
    expect(error.code).toBe("store-quota");
    expect(gets()).toHaveLength(1);
    expect((await store.listParts())[0]?.size).toBeGreaterThan(0);
  });

  it("D27 the network goes away for a while, midway → resumed", async () => {
    let asked = 0;
    const flaky: Network = {
      clock: quickClock(),
      fetch: (input, init) => {
        asked += 1;
        if (asked >= 2 && asked <= 4)
          return Promise.reject(new TypeError("fetch failed", { cause: Object.assign(new Error("getaddrinfo"), { code: "ENOTFOUND" }) }));
        return fetch(input, init);
      },
    };
    server.plan("/files/", [{ cutAt: 1_000_000 }]);
    await transferFile(file(), store, flaky, { maxParallel: 1 });
    expect(await isStored()).toBe(true);
  });

  it.each<[string, object, string]>([["89 a body that was packed", { headers: { "content-encoding": "gzip" } }, "net-status"]])(
    "%s → nothing stored",
    async (_, action, code) => {
      server.plan(
        "/files/",
        Array.from({ length: 9 }, () => action),
      );
      expect((await failure(pull())).code).toBe(code);
      expect(await store.listBlobs()).toEqual([]);
    },
  );

  it.each<[string, string, RegExp]>([
    ["two lengths", "content-length: 5\r\ncontent-length: 6\r\n\r\nhello", /^net-size$/],
    ["a negative length", "content-length: -5\r\n\r\nhello", /^net-(size|status)$/],
    ["a wrong length", "content-length: 5\r\n\r\nhello", /^net-size$/],
    ["no length", "\r\nhello", /^net-size$/],
  ])("G88: %s → net-size", async (_, head, code) => {
    server.plan(
      "/files/",
      Array.from({ length: 30 }, () => ({ raw: `HTTP/1.1 200 OK\r\nconnection: close\r\n${head}` })),
    );
    expect((await failure(pull())).code).toMatch(code);
    expect(await store.listBlobs()).toEqual([]);
  });

  it.each<[string, string]>([
    ["a header of 1 MiB", `x: ${"a".repeat(1_048_576)}\r\n`],
    ["1,000 headers", Array.from({ length: 1000 }, (_, i) => `x-${i}: ${"v".repeat(40)}\r\n`).join("")],
  ])("G90: %s → net-status, or ignored", async (_, lines) => {
    const head = `HTTP/1.1 200 OK\r\nconnection: close\r\n${lines}content-length: 5\r\n\r\nhello`;
    server.plan(
      "/files/",
      Array.from({ length: 30 }, () => ({ raw: head })),
    );
    expect((await failure(pull())).code).toMatch(/^net-(status|size)$/);
  });

  it("G90: an etag is never a path, a name in Content-Disposition is not looked at", async () => {
    server.plan("/files/", [{ headers: { etag: '"../../x"', "content-disposition": 'attachment; filename="../../evil"' } }]);
    await pull();
    expect((await store.listBlobs()).map(({ digest }) => digest)).toEqual([`sha256-${sha256}`]);
  });
});

describe("a long file", () => {
  it("comes in parts, several at once", async () => {
    server.plan("/files/", [{}, { cutAt: 100_000 }]);
    await pull(file(), { partBytes: 700_000, maxParallel: 3 });
    expect(await isStored()).toBe(true);
    const ranges = gets().map(({ headers }) => headers.range);
    expect(ranges).toContain("bytes=0-699999");
    expect(ranges).toContain("bytes=2800000-2999999");
    expect(ranges.length).toBeGreaterThan(5);
    expect(sent()).toBeLessThan(size + 200_000);
  });

  it("that is not what it should be is fetched once more", async () => {
    server.plan("/files/", [
      {},
      { status: 206, headers: { "content-range": `bytes 700000-1399999/${size}` }, body: new Uint8Array(700_000) },
    ]);
    await pull(file(), { partBytes: 700_000 });
    expect(await isStored()).toBe(true);
  });

  it("whose server names no version is put together only under a known hash", async () => {
    const plain = { headers: { etag: "" } };
    server.plan(
      "/files/",
      Array.from({ length: 20 }, () => plain),
    );
    await pull(file(), { partBytes: 700_000 });
    expect(gets()).toHaveLength(5);
    store = memoryStore();
    server.reset();
    server.plan(
      "/files/",
      Array.from({ length: 20 }, () => plain),
    );
    await pull(unpinned(), { partBytes: 700_000 });
    expect(await isStored()).toBe(true);
    expect(gets().at(-1)?.headers.range).toBeUndefined();
  });
});
