/** Mirrors of the hub as they are: lists of names alone, no answer to HEAD, packed bodies. What can be verified is; what cannot is told as it is. */
import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { brotliCompressSync, gzipSync } from "node:zlib";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { failure } from "../../support/failure.ts";
import { tinyGguf as gguf, openLocalLlm, sha256 } from "../support/local-llm.ts";

interface Mirror {
  /** of the one file in the list */
  readonly listed?: Readonly<Record<string, unknown>>;
  /** headers of answers to HEAD; undefined: 405 */
  readonly head?: Readonly<Record<string, string>> | undefined;
  readonly body?: Buffer;
  readonly headers?: Readonly<Record<string, string>>;
  readonly chunked?: boolean;
}

const commit = "0123456789abcdef0123456789abcdef01234567";
const hash = sha256(gguf);
const length = { "content-length": String(gguf.length) };
const linked = { "x-repo-commit": commit, "x-linked-size": String(gguf.length), "x-linked-etag": `"${hash}"` };

let server: Server;
let url = "";
let mirror: Mirror = {};
let folder = "";

function answer({ method, url: path = "" }: IncomingMessage, response: ServerResponse): void {
  if (path.startsWith("/api/")) {
    response.setHeader("content-type", "application/json");
    response.end(JSON.stringify({ id: "o/r", sha: commit, siblings: [{ rfilename: "m.Q8_0.gguf", ...mirror.listed }] }));
  } else if (method === "HEAD") {
    response.writeHead(mirror.head === undefined ? 405 : 200, mirror.head).end();
  } else {
    const body = mirror.body ?? gguf;
    response.writeHead(200, { ...(mirror.chunked === true ? {} : { "content-length": String(body.length) }), ...mirror.headers });
    response.write(body.subarray(0, 1000));
    response.end(body.subarray(1000));
  }
}

beforeAll(async () => {
  server = createServer(answer);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(() => server.close());
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "llmspell-mirror-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const withHash = { size: gguf.length, lfs: { size: gguf.length, sha256: hash } };

describe("a mirror", () => {
  it.each<[string, Mirror, "sha256" | "size" | "none"]>([
    ["that lists names alone, and says the rest of each file", { head: { ...linked, ...length } }, "sha256"],
    ["that marks its versions as weak", { head: { ...linked, "x-linked-etag": `W/"${hash}"` } }, "sha256"],
    ["that knows sizes alone", { head: length }, "size"],
    ["that lists sizes alone", { listed: { size: gguf.length } }, "size"],
    ["that answers no HEAD", {}, "size"],
    ["that says no length anywhere", { chunked: true }, "none"],
    ["that lists hashes without sizes", { listed: { lfs: { sha256: hash } } }, "sha256"],
    ["that packs files", { listed: withHash, body: gzipSync(gguf), headers: { "content-encoding": "gzip" } }, "sha256"],
    ["that packs files otherwise", { listed: withHash, body: brotliCompressSync(gguf), headers: { "content-encoding": "br" } }, "sha256"],
    [
      "that packs files, and says their packed length",
      {
        head: { ...linked, "x-linked-size": "", "content-length": "7", "content-encoding": "gzip" },
        body: gzipSync(gguf),
        headers: { "content-encoding": "gzip" },
      },
      "sha256",
    ],
  ])("%s serves a pull", async (_, habits, verified) => {
    mirror = habits;
    const { llm } = openLocalLlm({ folder, url });
    expect(await llm.pull("hf:o/r")).toMatchObject({ verified, bytesTotal: gguf.length, status: "complete" });
    expect((await llm.generate("hf:o/r", "Once", { maxTokens: 1 })).usage.completionTokens).toBe(1);
  });

  it.each<[string, Mirror, string]>([
    ["G89: packs what no hash vouches for", { body: gzipSync(gguf), headers: { "content-encoding": "gzip" } }, "net-status"],
    ["G89: packs badly", { listed: withHash, headers: { "content-encoding": "gzip" } }, "net-status"],
    [
      "sends another file, packed",
      { listed: withHash, body: gzipSync(Buffer.alloc(gguf.length)), headers: { "content-encoding": "gzip" } },
      "net-hash",
    ],
    [
      "packs a bomb",
      { listed: withHash, body: gzipSync(Buffer.alloc(50_000_000)), headers: { "content-encoding": "gzip" } },
      "net-too-big",
    ],
    ["sends another file than its HEAD says", { head: linked, body: Buffer.alloc(gguf.length) }, "net-hash"],
  ])("that %s → nothing stored", async (_, habits, code) => {
    mirror = habits;
    const { llm, platform } = openLocalLlm({ folder, url });
    const { code: got, hint, message } = await failure(llm.pull("hf:o/r"));
    expect(got).toBe(code);
    if (message.includes("Content-Encoding")) expect(hint).toContain("uncompressed");
    expect(await platform.store.listBlobs()).toEqual([]);
  });
});
