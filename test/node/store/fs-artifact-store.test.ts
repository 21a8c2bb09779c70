import { mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, truncateSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeEach, describe, expect, it } from "vitest";
import type { ArtifactStore } from "../../../src/core/platform.ts";
import { fsArtifactStore } from "../../../src/node/store/fs-artifact-store.ts";
import { artifactStoreContract, noiseBytes, sha256Of } from "../../contract/artifact-store.ts";
import { failure } from "../../support/failure.ts";
import { posix } from "../../support/only-where.ts";

const folder = mkdtempSync(join(tmpdir(), "llmspell-store-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
let made = 0;

artifactStoreContract("a folder", async () => {
  made += 1;
  const place = join(folder, `store ${made} – ü`, "models");
  return () => fsArtifactStore(place);
});

describe("a folder that others wrote into", () => {
  const key = "ab".repeat(32);
  let place: string;
  let store: ArtifactStore;
  const at = (...parts: readonly string[]): string => join(place, ...parts);
  const minutesAgo = (path: string): void => utimesSync(path, Date.now() / 1000 - 120, Date.now() / 1000 - 120);

  beforeEach(() => {
    made += 1;
    place = join(folder, `store ${made}`);
    store = fsArtifactStore(place);
  });

  /** An unfinished file of 100 bytes that nobody owns, and the path of its record. */
  async function leavePart(): Promise<{ readonly part: string; readonly record: string }> {
    const part = await store.openPart(key);
    await part.write(0, noiseBytes(100));
    await part.save({ url: "u", etag: '"1"', done: [[0, 100]] });
    await part.release();
    const names = readdirSync(at("parts"));
    const name = names.find((other) => other.endsWith(".part")) ?? "";
    return { part: at("parts", name), record: at("parts", name.replace(/\.part$/, ".json")) };
  }

  it("a part with its record is kept", async () => {
    await leavePart();
    const part = await store.openPart(key);
    expect(part.kept).toMatchObject({ url: "u", done: [[0, 100]] });
    await part.discard();
  });

  it.each([
    ["no JSON", "{"],
    ["a list", "[]"],
    ["nothing", "null"],
    ["no address", '{"done":[[0,100]]}'],
    ["no ranges", '{"url":"u"}'],
    ["ranges that overlap", '{"url":"u","done":[[0,60],[50,100]]}'],
    ["a range that runs backwards", '{"url":"u","done":[[100,0]]}'],
    ["a range of one number", '{"url":"u","done":[[100]]}'],
    ["a range of fractions", '{"url":"u","done":[[0,99.5]]}'],
    ["more bytes than there are", '{"url":"u","done":[[0,101]]}'],
    ["five megabytes", JSON.stringify({ url: "u", done: [[0, 100]], note: "x".repeat(5_000_000) })],
  ])("a record with %s is not believed: the file begins anew", async (_, text) => {
    const { record, part: path } = await leavePart();
    writeFileSync(record, text);
    minutesAgo(path);
    const part = await store.openPart(key);
    expect(part.kept).toBeUndefined();
    await part.write(0, noiseBytes(100));
    expect(await part.commit({ size: 100 })).toMatchObject({ digest: `sha256-${await sha256Of(noiseBytes(100))}` });
  });

  it("a part that was cut under its owner is store-corrupt, by the byte", async () => {
    const part = await store.openPart(key);
    await part.write(0, noiseBytes(100));
    const name = readdirSync(at("parts")).find((other) => other.endsWith(".part")) ?? "";
    truncateSync(at("parts", name), 40);
    const error = await failure(part.read(0, 100));
    expect(error).toMatchObject({ code: "store-corrupt", message: expect.stringContaining("ends at byte 40") });
    await part.discard();
  });

  posix.it("a link or a folder in the place of a file is store-corrupt, and not followed", async () => {
    const digest = `sha256-${key}`;
    mkdirSync(at("blobs"), { recursive: true });
    symlinkSync("/etc/hosts", at("blobs", digest));
    expect(await failure(store.lookBlob(digest))).toMatchObject({
      code: "store-corrupt",
      message: expect.stringContaining("a symbolic link"),
    });
    rmSync(at("blobs", digest));
    mkdirSync(at("blobs", digest));
    expect(await failure(store.lookBlob(digest))).toMatchObject({
      code: "store-corrupt",
      message: expect.stringContaining("regular file"),
    });
    const { record, part: path } = await leavePart();
    rmSync(record);
    symlinkSync("/etc/hosts", record);
    minutesAgo(path);
    const part = await store.openPart(key);
    expect(part.kept).toBeUndefined();
    await part.discard();
  });

  it("what is no manifest of ours is not listed; one that is broken is told when it is read", async () => {
    await store.writeManifest(["hf", "ours"], { fine: true });
    for (const name of [".hidden.json", "Upper.json", "%zz.json", "notes"]) writeFileSync(at("manifests", name), "{}");
    writeFileSync(at("manifests", "half.json"), '{"fine":');
    writeFileSync(at("manifests", "huge.json"), JSON.stringify("x".repeat(5_000_000)));
    expect(await store.listManifests()).toEqual([["half"], ["hf", "ours"], ["huge"]]);
    for (const name of ["half", "huge"]) expect((await failure(store.readManifest([name]))).code).toBe("store-corrupt");
    // its folder stays: something else lies there
    writeFileSync(at("manifests", "hf", "notes"), "mine");
    await store.removeManifest(["hf", "ours"]);
    expect(readdirSync(at("manifests", "hf"))).toEqual(["notes"]);
  });

  it("of strange files beside the parts only our own leftovers are listed, and removed once they are old", async () => {
    mkdirSync(at("parts"), { recursive: true });
    const leftover = ".0123456789abcdef.tmp";
    const record = `${key}.0123456789abcdef.json`;
    for (const name of [leftover, record, "notes.txt"]) writeFileSync(at("parts", name), "12345");
    const list = async () => (await store.listParts()).map(({ id, inUse }) => [id, inUse]);
    expect(await list()).toEqual([
      [leftover, true],
      [record, true],
    ]);
    expect(await store.removePart(leftover)).toBe(0);
    for (const name of [leftover, record, "notes.txt"]) minutesAgo(at("parts", name));
    expect(await list()).toEqual([
      [leftover, false],
      [record, false],
    ]);
    for (const id of ["notes.txt", "../manifests", `${key}.fedcba9876543210.json`, "ab".repeat(16).concat("/x")])
      expect(await store.removePart(id), id).toBe(0);
    expect(await store.removePart(leftover)).toBe(5);
    expect(await store.removePart(record)).toBe(5);
    expect(readdirSync(at("parts"))).toEqual(["notes.txt"]);
  });

  it("keys that are none are mistakes of the caller", async () => {
    expect((await failure(store.openPart("../x"))).code).toBe("internal-error");
    for (const name of ["", "ü".repeat(100)]) expect((await failure(store.writeManifest([name], {}))).code).toBe("internal-error");
  });
});
