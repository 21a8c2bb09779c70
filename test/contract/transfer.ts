/**
 * What a download survives, whatever keeps its bytes and whoever asks for them: rows D1–D26 as far as both hosts have them. It runs over a folder in
 * Node and over the private file system of a page in Chromium, against the same scripted server on real sockets.
 * Not here: what a page cannot see (raw answers, certificates, names and proxies, where a redirect leads: D15, half of D3 and D18, G88, G90, G93), which
 * test/core/download and test/node/tls.test.ts have; and what a process does to a folder (D20–D22, D24, D25, D29, D31), in test/node.
 */
import { beforeEach, describe, expect, it } from "vitest";
import type { Network } from "../../src/core/download/request.ts";
import { type RemoteFile, type TransferOptions, transferFile } from "../../src/core/download/transfer.ts";
import type { ArtifactStore } from "../../src/core/platform.ts";
import { failure } from "../support/failure.ts";
import { quickClock } from "../support/quick-clock.ts";
import type { ScriptedAction, ScriptedHub, SeenRequest } from "../support/scripted-hub.ts";
import { type CreateStore, noiseBytes, sha256Of } from "./artifact-store.ts";

export interface TransferHost {
  readonly create: CreateStore;
  hub(): ScriptedHub;
  /** the platform's own */
  readonly fetch: typeof globalThis.fetch;
  /** Hubs show a page of another origin a few headers only. */
  readonly seesRetryAfter: boolean;
  /** Leaves so many bytes of room for the store, until the returned function is called. */
  limitRoom(bytes: number): Promise<() => Promise<void>>;
  /** what no room is called there: a disk is full, or an origin has used its share */
  readonly noRoom: "store-full" | "store-quota";
}

/** Long enough for a break behind the first megabyte that is written. */
const size = 2_500_000;
const noise = { noise: 1, size };
const bytes = noiseBytes(size);

export function transferContract(name: string, host: TransferHost): void {
  describe(`transferFile: ${name}`, () => {
    let hub: ScriptedHub;
    let store: ArtifactStore;
    let sha256: string;
    beforeEach(async () => {
      store = (await host.create())();
      sha256 ??= await sha256Of(bytes);
      hub = host.hub();
      await hub.reset();
      await hub.serve("m.gguf", noise);
    });

    const network = (silence?: number): Network => ({ fetch: host.fetch, clock: quickClock(silence) });
    const file = (more: Partial<RemoteFile> = {}): RemoteFile => ({
      path: "m.gguf",
      url: `${hub.url}/files/m.gguf`,
      size,
      sha256,
      isTrusted: true,
      ...more,
    });
    const pull = (wanted = file(), { silence, ...options }: Partial<TransferOptions> & { readonly silence?: number } = {}) =>
      transferFile(wanted, store, network(silence), { maxParallel: 4, ...options });
    const plan = (...actions: readonly ScriptedAction[]): Promise<void> => hub.plan("/files/", actions);
    const often = (action: ScriptedAction, times = 20): Promise<void> => plan(...Array.from({ length: times }, () => action));
    const gets = async (): Promise<readonly SeenRequest[]> => (await hub.seen()).filter(({ method }) => method === "GET");

    /** Whole, under its name, byte for byte; and nothing else is left. */
    async function expectStored(): Promise<void> {
      const source = await store.openBlob(`sha256:${sha256}`, "m.gguf");
      expect(await sha256Of(new Uint8Array(await source.read(0, source.size)))).toBe(sha256);
      expect(await store.listParts()).toEqual([]);
    }

    /** An earlier run that broke after about so many bytes. @returns bytes kept */
    async function leavePart(length: number): Promise<number> {
      await hub.reset();
      await hub.serve("m.gguf", noise);
      await plan({ cutAt: length }, ...Array.from({ length: 8 }, () => ({ status: 404 })));
      expect((await failure(pull())).code).toBe("net-not-found");
      const [part] = await store.listParts();
      await hub.reset();
      await hub.serve("m.gguf", noise);
      return part?.size ?? 0;
    }

    it.each([0, 0.5, 0.999])("D1 goes on at the recorded byte after a reset at %d of the file", async (share) => {
      await plan({ cutAt: Math.floor(size * share) });
      await pull();
      await expectStored();
      const [, second] = await gets();
      if (share === 0) expect(second?.range).toBeNull();
      else expect(second?.range).toMatch(/^bytes=[1-9]\d*-2499999$/);
    });

    it("D1 R15 goes on in the next run", async () => {
      const kept = await leavePart(1_500_000);
      expect(kept).toBeGreaterThan(0);
      expect((await pull()).fetched).toBe(size - kept);
      expect((await gets())[0]?.range).toBe(`bytes=${kept}-${size - 1}`);
      await expectStored();
    });

    it("D2 D3 an early end, and a body without a length that is cut, are gone on from", async () => {
      await plan({ endAt: 1_200_000 }, { chunked: true, endAt: 5000 });
      await pull();
      const ranges = (await gets()).map(({ range }) => range);
      expect(ranges).toEqual([null, expect.stringMatching(/^bytes=[1-9]\d*-/), expect.stringMatching(/^bytes=[1-9]\d*-/)]);
      await expectStored();
    });

    it("D2 a file that is always short → net-size, never accepted", async () => {
      await often({ ignoreRange: true, body: { ...noise, to: 1000 }, chunked: true });
      expect((await failure(pull())).code).toBe("net-size");
      expect(await store.listBlobs()).toEqual([]);
    });

    it("D4 a body that does not end → net-too-big, the part deleted", async () => {
      await often({ body: { noise: 1, size: size + 10 }, chunked: true, ignoreRange: true }, 3);
      expect((await failure(pull())).code).toBe("net-too-big");
      expect([await store.listParts(), await store.listBlobs()]).toEqual([[], []]);
    });

    it("D5 right size, wrong hash → one clean try, then net-hash with both hashes, nothing kept", async () => {
      await often({ body: { noise: 7, size }, ignoreRange: true });
      const got = await sha256Of(noiseBytes(size, 7));
      expect(await failure(pull())).toMatchObject({ code: "net-hash", details: { wanted: sha256, got } });
      expect(await gets()).toHaveLength(2);
      expect([await store.listParts(), await store.listBlobs()]).toEqual([[], []]);
    });

    it("D6 a bit flipped in the kept part → found by the hash, started over", async () => {
      const kept = await leavePart(1_500_000);
      const part = await store.openPart(sha256);
      await part.write(5, new Uint8Array([(bytes[5] ?? 0) ^ 4]));
      await part.release();
      expect((await pull()).fetched).toBe(size - kept + size);
      await expectStored();
    });

    it("D7 200 instead of 206 → from the start, never appended; progress goes back", async () => {
      const kept = await leavePart(1_500_000);
      await plan({ ignoreRange: true });
      const seen: number[] = [];
      await pull(file(), { onProgress: (done) => seen.push(done) });
      expect([seen[0], Math.min(...seen)]).toEqual([kept, 0]);
      await expectStored();
    });

    it("D8 206 with a wrong start → the whole file is asked for", async () => {
      await leavePart(1_500_000);
      await plan({ headers: { "content-range": `bytes 0-${size - 1}/${size}` } });
      await pull();
      expect((await gets()).at(-1)?.range).toBeNull();
      await expectStored();
    });

    it("D9 a part that is complete → hash check, nothing is fetched", async () => {
      const part = await store.openPart(sha256);
      await part.write(0, noiseBytes(size));
      await part.save({ url: file().url, etag: '"x"', sha256, size, done: [[0, size]] });
      await part.release();
      expect((await pull()).fetched).toBe(0);
      await expectStored();
    });

    it("D10 416 with another length → started over once; for ever → an end", async () => {
      const wrong = { status: 416, headers: { "content-range": "bytes */999" } };
      await leavePart(1_500_000);
      await often(wrong, 50);
      expect((await failure(pull())).code).toBe("net-changed");
      expect((await gets()).length).toBeLessThan(10);
      await leavePart(1_500_000);
      await plan(wrong);
      await pull();
      expect((await gets()).map(({ range }) => range)).toEqual([expect.stringMatching(/^bytes=[1-9]/), null]);
      await expectStored();
    });

    it("D11 another etag → from the start; other bytes under the pinned hash → net-changed", async () => {
      const kept = await leavePart(1_500_000);
      const answer = { status: 206, headers: { etag: '"other"', "content-range": `bytes ${kept}-${size - 1}/${size}` } };
      await plan({ ...answer, body: { ...noise, from: kept } });
      expect((await pull()).fetched).toBeGreaterThanOrEqual(size);
      await expectStored();
      await store.removeBlob(`sha256:${sha256}`);
      await leavePart(1_500_000);
      await hub.serve("m.gguf", { noise: 9, size });
      expect((await failure(pull())).code).toBe("net-changed");
      expect(await store.listBlobs()).toEqual([]);
    });

    if (host.seesRetryAfter) {
      it("D12 Retry-After is kept; one that is too long is told", async () => {
        const waits: number[] = [];
        await plan({ status: 429, headers: { "retry-after": "2" } });
        await pull(file(), { onRetry: (_, ms) => waits.push(ms) });
        expect(waits).toEqual([2000]);
        await store.removeBlob(`sha256:${sha256}`);
        await plan({ status: 429, headers: { "retry-after": "3600" } });
        expect(await failure(pull())).toMatchObject({ code: "net-rate", details: { retryAfterSeconds: 3600 } });
      });
    } else {
      it("D12 where Retry-After cannot be seen the wait is our own, and it is tried again", async () => {
        const waits: number[] = [];
        await plan({ status: 429, headers: { "retry-after": "3600" } });
        await pull(file(), { onRetry: ({ code }, ms) => waits.push(code === "net-rate" ? ms : Number.NaN) });
        expect(waits).toEqual([expect.any(Number)]);
        expect(waits[0]).toBeGreaterThanOrEqual(250);
        expect(waits[0]).toBeLessThanOrEqual(750);
        await expectStored();
      });
    }

    it("D13 503 → five tries, then net-status; 404 → net-not-found at once", async () => {
      await often({ status: 503 }, 5);
      expect(await failure(pull())).toMatchObject({ code: "net-status", retryable: true });
      expect(await gets()).toHaveLength(5);
      await plan({ status: 404 });
      expect((await failure(pull())).code).toBe("net-not-found");
      expect(await gets()).toHaveLength(6);
    });

    it("D14 D16 a redirect to another host takes no secret along; a link that expired is replaced", async () => {
      await hub.plan("/lfs/", [{ cutAt: 1_500_000 }, { status: 403 }], "cdn");
      await pull(file({ url: `${hub.url}/o/r/resolve/main/m.gguf`, secret: "Bearer hf_secret" }));
      await expectStored();
      const seen = await gets();
      expect(seen.filter(({ host: of }) => of === "cdn").map(({ authorization }) => authorization)).toEqual([null, null, null]);
      expect(seen.find(({ host: of }) => of === "hub")?.authorization).toBe("Bearer hf_secret");
    });

    it("D17 headers and then nothing, no headers, silence midway → net-stall, tried again", async () => {
      await plan({ hang: true }, { status: 0, hang: true }, { hang: true, cutAt: 500_000 });
      const codes: string[] = [];
      await pull(file(), { silence: 30, onRetry: ({ code }) => codes.push(code) });
      expect(codes).toEqual(["net-stall", "net-stall", "net-stall"]);
      await expectStored();
    });

    it("D17 a slow server that goes on is waited for", async () => {
      await plan({ pieceMs: 10 });
      await pull();
      expect(await gets()).toHaveLength(1);
      await expectStored();
    });

    it("D18 no server there → net-offline at once, the host named", async () => {
      const error = await failure(pull(file({ url: "http://127.0.0.1:9/m.gguf" })));
      expect(error).toMatchObject({ code: "net-offline", message: expect.stringContaining("127.0.0.1") });
    });

    it(`D19 R16 no room midway → ${host.noRoom}, what came is kept; with room it goes on`, async () => {
      const giveBack = await host.limitRoom(1_500_000);
      try {
        expect((await failure(pull())).code).toBe(host.noRoom);
      } finally {
        await giveBack();
      }
      expect(await store.listParts()).toHaveLength(1);
      expect((await gets()).length).toBe(1);
      await pull();
      expect((await gets()).slice(1).map(({ range }) => range)).toEqual([expect.stringMatching(/^bytes=[1-9]/)]);
      await expectStored();
    });

    it("D23 two at once → one waits, both succeed, one transfer", async () => {
      let waits = 0;
      // whichever comes second
      const onWait = (): void => {
        waits += 1;
      };
      await Promise.all([pull(file(), { onWait }), pull(file(), { onWait })]);
      expect([waits, (await gets()).length]).toEqual([1, 1]);
      await expectStored();
    });

    it("D26 told to stop → run-aborted, what came is kept for the next run", async () => {
      const abort = new AbortController();
      await plan({ hang: true, cutAt: 2_200_000 });
      const stopped = pull(file(), { signal: abort.signal, onProgress: (done) => done > 1_500_000 && abort.abort() });
      expect(await failure(stopped)).toMatchObject({ code: "run-aborted", details: { keptBytes: expect.any(Number), totalBytes: size } });
      expect(await store.listParts()).toMatchObject([{ inUse: false }]);
      expect((await pull()).fetched).toBeLessThan(1_100_000);
      await expectStored();
    });

    it("G85 a login page → net-status, nothing stored", async () => {
      await often({ body: "<!doctype html><title>Log in</title>", headers: { "content-type": "text/html" } }, 9);
      expect((await failure(pull())).code).toBe("net-status");
      expect(await store.listBlobs()).toEqual([]);
      expect((await store.listParts()).map((part) => part.size)).toEqual([0]);
    });
  });
}
