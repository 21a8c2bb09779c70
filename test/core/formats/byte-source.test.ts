import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { type ByteSource, blobSource, bytesSource, httpSource } from "../../../src/core/formats/byte-source.ts";
import { createSourceRig, type SourceRig, sourceKinds } from "../gguf/sources.ts";

const content = Uint8Array.from({ length: 1000 }, (_, i) => i % 251);

let rig: SourceRig;
beforeAll(async () => {
  rig = await createSourceRig();
});
afterAll(() => rig.close());

describe.each(sourceKinds)("a %s source", (kind) => {
  it("says name and size, and reads exactly the range asked for", async () => {
    const source = await rig.open(kind, "näme 1.gguf", content);
    expect(source).toMatchObject({ name: "näme 1.gguf", size: 1000 });
    for (const [offset, length] of [
      [0, 1000],
      [0, 1],
      [999, 1],
      [250, 500],
      [1000, 0],
      [0, 0],
    ] as const) {
      expect(Array.from(await source.read(offset, length))).toEqual(Array.from(content.subarray(offset, offset + length)));
    }
  });

  it.each([
    [0, 1001],
    [1000, 1],
    [5000, 10],
    [1, Number.MAX_SAFE_INTEGER],
  ])("refuses %s + %s as beyond the end, with wanted and got", async (offset, length) => {
    const source = await rig.open(kind, "short.gguf", content);
    await expect(source.read(offset, length)).rejects.toMatchObject({
      code: "gguf-truncated",
      details: { offset, wanted: length, got: Math.max(0, 1000 - offset) },
    });
  });

  it.each([
    [-1, 1],
    [0, -1],
    [0.5, 1],
    [0, Number.NaN],
    [2 ** 53, 1],
  ])("takes no nonsense: %s + %s", async (offset, length) => {
    const source = await rig.open(kind, "short.gguf", content);
    await expect(source.read(offset, length)).rejects.toMatchObject({ code: "internal-error" });
  });

  it("reads nothing once the signal is aborted", async () => {
    const source = await rig.open(kind, "a.gguf", content);
    await expect(source.read(0, 10, AbortSignal.abort())).rejects.toMatchObject({ code: "run-aborted" });
  });

  it("reads several ranges at once", async () => {
    const source = await rig.open(kind, "a.gguf", content);
    const parts = await Promise.all(Array.from({ length: 20 }, (_, i) => source.read(i * 50, 50)));
    expect(Array.from(parts.flatMap((part) => Array.from(part)))).toEqual(Array.from(content));
  });
});

describe("a bytes source", () => {
  it("gives views, not copies", async () => {
    expect((await bytesSource("a", content).read(10, 5)).buffer).toBe(content.buffer);
  });
});

describe("a Blob source", () => {
  it("says that a file can no longer be read", async () => {
    const gone = {
      size: 10,
      slice: () => ({ arrayBuffer: () => Promise.reject(new DOMException("gone", "NotReadableError")) }),
    } as unknown as Blob;
    await expect(blobSource("a.gguf", gone).read(0, 5)).rejects.toMatchObject({
      code: "gguf-truncated",
      cause: { name: "NotReadableError" },
    });
  });
});

describe("an HTTP source on a server that misbehaves", () => {
  type Answer = (request: IncomingMessage, response: ServerResponse) => void;
  const servers: Server[] = [];
  afterEach(async () => {
    for (const server of servers.splice(0)) {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    }
  });

  const headers = { "accept-ranges": "bytes", "content-length": content.length };

  /** A server whose answers to HEAD and to everything else are given. */
  async function serve(
    get: Answer,
    head: Answer = (_, response) => response.writeHead(200, headers).end(),
  ): Promise<{ url: string; requests: IncomingMessage[] }> {
    const requests: IncomingMessage[] = [];
    const server = createServer((request, response) => {
      requests.push(request);
      (request.method === "HEAD" ? head : get)(request, response);
    });
    servers.push(server);
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/m.gguf`, requests };
  }

  const range: Answer = (request, response) => {
    const [first, last] = (request.headers.range ?? "").replace("bytes=", "").split("-").map(Number) as [number, number];
    response.writeHead(206, { "content-range": `bytes ${first}-${last}/1000` }).end(content.subarray(first, last + 1));
  };

  const open = async (get: Answer, head?: Answer): Promise<ByteSource> => httpSource((await serve(get, head)).url, fetch);

  it("asks for bytes as they are, and for nothing else", async () => {
    const { url, requests } = await serve(range);
    await (await httpSource(url, fetch)).read(3, 4);
    expect(requests.map(({ method, headers }) => [method, headers.range, headers["accept-encoding"], headers.authorization])).toEqual([
      ["HEAD", undefined, "identity", undefined],
      ["GET", "bytes=3-6", "identity", undefined],
    ]);
  });

  it.each([
    ["refuses HEAD", (_: IncomingMessage, response: ServerResponse) => response.writeHead(403).end()],
    [
      "does not say the size",
      (_: IncomingMessage, response: ServerResponse) => response.writeHead(200, { "accept-ranges": "bytes" }).end(),
    ],
    [
      "does not announce ranges",
      (_: IncomingMessage, response: ServerResponse) => response.writeHead(200, { "content-length": 1000 }).end(),
    ],
  ])("finds the size by a range when the server %s", async (_, head) => {
    const source = await open(range, head);
    expect(source.size).toBe(1000);
    expect(await source.read(998, 2)).toEqual(content.slice(998));
  });

  it("takes an empty file for one of 0 bytes", async () => {
    const source = await open(
      (_, response) => response.writeHead(416, { "content-range": "bytes */0" }).end(),
      (_, response) => response.writeHead(405).end(),
    );
    expect(source.size).toBe(0);
  });

  it.each([404, 403, 500])("status %s is net-status", async (status) => {
    const answer: Answer = (_, response) => response.writeHead(status).end("<html>");
    await expect(open(answer, answer)).rejects.toMatchObject({ code: "net-status", details: { status } });
    const source = await open(answer);
    await expect(source.read(0, 5)).rejects.toMatchObject({ code: "net-status", details: { status } });
  });

  it("the whole file instead of a range is net-range, and is not downloaded", async () => {
    const whole: Answer = (_, response) => response.writeHead(200, { "content-length": 1000 }).end(content);
    await expect(open(whole, (_, response) => response.writeHead(405).end())).rejects.toMatchObject({ code: "net-range" });
    await expect((await open(whole)).read(0, 5)).rejects.toMatchObject({ code: "net-range" });
  });

  it.each([
    ["another start", "bytes 1-5/1000", 5],
    ["another total", "bytes 0-4/999", 5],
    ["no Content-Range", undefined, 5],
    ["a shorter body", "bytes 0-4/1000", 3],
    ["a longer body", "bytes 0-4/1000", 900],
  ])("%s is net-range", async (_, contentRange, length) => {
    const source = await open((_, response) => {
      response.writeHead(206, contentRange === undefined ? {} : { "content-range": contentRange }).end(content.subarray(0, length));
    });
    await expect(source.read(0, 5)).rejects.toMatchObject({ code: "net-range" });
  });

  it("a compressed body is net-range", async () => {
    const source = await open((_, response) => {
      response.writeHead(206, { "content-range": "bytes 0-4/1000", "content-encoding": "br" }).end(content.subarray(0, 5));
    });
    await expect(source.read(0, 5)).rejects.toMatchObject({ code: "net-range" });
  });

  it("a connection that breaks within the body is net-range", async () => {
    const source = await open((_, response) => {
      response.writeHead(206, { "content-range": "bytes 0-499/1000", "content-length": 500 });
      response.write(content.subarray(0, 100), () => response.destroy());
    });
    await expect(source.read(0, 500)).rejects.toMatchObject({ code: "net-range" });
  });

  it("a file that changes between reads is net-range, by its strong etag", async () => {
    let etag = '"one"';
    const source = await open(
      (request, response) =>
        request.headers["if-range"] === etag ? range(request, response) : response.writeHead(200, { etag }).end(content),
      (_, response) => response.writeHead(200, { ...headers, etag }).end(),
    );
    expect(await source.read(0, 5)).toEqual(content.slice(0, 5));
    etag = '"two"';
    await expect(source.read(5, 5)).rejects.toMatchObject({ code: "net-range" });
  });

  it("no server is net-status, naming the host", async () => {
    const { url } = await serve(range);
    const [server] = servers.splice(0);
    await new Promise((resolve) => server?.close(resolve));
    await expect(httpSource(url, fetch)).rejects.toMatchObject({ code: "net-status", message: expect.stringContaining("127.0.0.1") });
  });

  it("an answer that never comes ends with the signal", async () => {
    const source = await open(() => undefined);
    const abort = new AbortController();
    const reading = source.read(0, 5, abort.signal);
    setTimeout(() => abort.abort(), 20);
    await expect(reading).rejects.toMatchObject({ code: "run-aborted" });
  });

  it("a body that stalls ends with the signal", async () => {
    const source = await open((_, response) => {
      response.writeHead(206, { "content-range": "bytes 0-499/1000" }).write(content.subarray(0, 10));
    });
    const abort = new AbortController();
    const reading = source.read(0, 500, abort.signal);
    setTimeout(() => abort.abort(), 50);
    await expect(reading).rejects.toMatchObject({ code: "run-aborted" });
  });
});
