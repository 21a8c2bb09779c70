/** The same bytes through every kind of source, so that a suite can hold all of them to one behaviour. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type ByteSource, blobSource, bytesSource, httpSource } from "../../../src/core/formats/byte-source.ts";
import { openFileSource } from "../../../src/node/file-source.ts";

export const sourceKinds = ["bytes", "file", "Blob", "HTTP"] as const;
export type SourceKind = (typeof sourceKinds)[number];

export interface SourceRig {
  open(kind: SourceKind, name: string, bytes: Uint8Array): Promise<ByteSource>;
  close(): Promise<void>;
}

/** A folder and a server for as long as a suite runs. */
export async function createSourceRig(): Promise<SourceRig> {
  const folder = mkdtempSync(join(tmpdir(), "llmspell-sources-"));
  const served = new Map<string, Uint8Array>();
  const server = await serveRanges(served);
  const { port } = server.address() as AddressInfo;
  let count = 0;
  return {
    async open(kind, name, bytes) {
      switch (kind) {
        case "bytes":
          return bytesSource(name, bytes);
        case "Blob":
          return blobSource(name, new Blob([bytes as Uint8Array<ArrayBuffer>]));
        case "file": {
          const path = join(mkdtempSync(join(folder, "case-")), name);
          writeFileSync(path, bytes);
          return openFileSource(path);
        }
        case "HTTP": {
          const path = `/${count++}/${encodeURIComponent(name)}`;
          served.set(path, bytes);
          return httpSource(`http://127.0.0.1:${port}${path}`, fetch);
        }
        default:
          return kind satisfies never;
      }
    },
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      rmSync(folder, { recursive: true });
    },
  };
}

/** A plain file server: HEAD, and one range per request. */
async function serveRanges(files: ReadonlyMap<string, Uint8Array>): Promise<Server> {
  const server = createServer((request, response) => {
    const bytes = files.get(request.url ?? "");
    if (bytes === undefined) return response.writeHead(404).end();
    if (request.method === "HEAD") return response.writeHead(200, { "accept-ranges": "bytes", "content-length": bytes.length }).end();
    const [, first, last] = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? "") ?? [];
    if (first === undefined || last === undefined) return response.writeHead(200).end(bytes);
    const part = bytes.subarray(Number(first), Number(last) + 1);
    return response
      .writeHead(206, {
        "content-range": `bytes ${first}-${Number(first) + part.length - 1}/${bytes.length}`,
        "content-length": part.length,
      })
      .end(part);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return server;
}
