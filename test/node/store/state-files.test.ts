/** States of models on disk: what is found, what is refused, limits, kills, several processes, disks that fail. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import {
  chmodSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import * as realFs from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type KeptState, type StateFiles, shortHash, stateFiles } from "../../../src/node/store/state-files.ts";
import type { StoreFs } from "../../../src/node/store/store-files.ts";
import { failure } from "../../support/failure.ts";
import { fromSource } from "../../support/from-source.mjs";
import { isLong, root } from "../../support.ts";

let folder: string;
let files: StateFiles;
beforeEach(() => {
  folder = join(mkdtempSync(join(tmpdir(), "llmspell-states-")), "states");
  files = stateFiles(folder);
});
afterEach(() => rmSync(join(folder, ".."), { recursive: true, force: true }));

const group = shortHash("a model");
const place = (): string => join(folder, group);
const tokens = (count: number): readonly number[] => Array.from({ length: count }, (_, index) => (index * 7919) % 32_000);
const much = 1e9;

function keep(name: string | undefined, count: number, bytes = 1000, mostBytes = much, store = files): Promise<void> {
  const record = { model: "m", name, tokens: tokens(count) };
  return store.keep(group, record, (path) => realFs.writeFile(path, Buffer.alloc(bytes, count)), mostBytes);
}

async function best(asked: readonly number[], store = files): Promise<{ readonly state: KeptState | undefined; readonly damaged: number }> {
  let damaged = 0;
  const state = await store.best(
    group,
    asked,
    () => true,
    () => {
      damaged += 1;
    },
  );
  return { state, damaged };
}

describe("a state", () => {
  it("is found by the longest beginning it shares, and is private", async () => {
    await keep("short", 10);
    await keep("long", 30);
    const { state } = await best(tokens(20));
    expect(state).toMatchObject({ name: "long", shared: 20, bytes: 1000, model: "m" });
    expect(state?.tokens).toEqual(tokens(30));
    expect((await best([...tokens(5), 1, 2])).state?.shared).toBe(5);
    expect((await best([1, 2])).state).toBeUndefined();
    expect(
      await files.best(
        shortHash("another model"),
        tokens(20),
        () => true,
        () => undefined,
      ),
    ).toBeUndefined();
    if (process.platform === "win32") return;
    expect(statSync(folder).mode & 0o777).toBe(0o700);
    for (const name of readdirSync(place())) expect(statSync(join(place(), name)).mode & 0o777).toBe(0o600);
  });

  it("takes the place of what its name had, and of equal tokens where it has none", async () => {
    for (const count of [10, 20]) await keep("chat", count);
    for (const bytes of [10, 20]) await keep(undefined, 15, bytes);
    expect((await files.list()).map(({ name, bytes }) => [name, bytes > 1000])).toHaveLength(2);
    expect(readdirSync(place()).filter((name) => name.endsWith(".state"))).toHaveLength(2);
    expect((await best(tokens(40))).state?.tokens).toHaveLength(20);
  });

  it("is not kept where it alone has no room, and takes that of those used longest ago", async () => {
    expect(await failure(keep("huge", 10, 5000, 4000))).toMatchObject({ code: "store-full" });
    expect(readdirSync(place())).toEqual([]);
    for (const [index, name] of ["a", "b", "c"].entries()) {
      await keep(name, 10 + index);
      const state = await files.best(
        group,
        tokens(9),
        (record) => record.name === name,
        () => undefined,
      );
      utimesSync(state?.recordPath ?? "", 1000 + index, 1000 + index);
    }
    // a use counts
    const first = await files.best(
      group,
      tokens(9),
      ({ name }) => name === "a",
      () => undefined,
    );
    await files.check(first as KeptState);
    await keep("d", 20, 1000, 3000);
    expect((await files.list()).map(({ name }) => name).sort()).toEqual(["a", "d"]);
  });

  it("is removed by its id, and so is what a killed process left, after a while", async () => {
    await keep("chat", 10);
    const left = join(place(), `${shortHash("x")}.0123456789abcdef.state`);
    writeFileSync(left, "half");
    expect(await files.list()).toHaveLength(1);
    utimesSync(left, 1000, 1000);
    const found = await files.list();
    expect(found.map(({ model }) => model).sort()).toEqual(["", "m"]);
    for (const { id } of found) await files.remove(id);
    expect(await files.list()).toEqual([]);
    expect(existsSync(place())).toBe(false);
    for (const id of ["../x", "..", `${group}/../../x`, ""]) await files.remove(id);
    expect(existsSync(folder)).toBe(true);
  });
});

describe("damage", () => {
  it("of any byte of record or state is refused: never a state that passes for another", async () => {
    const rounds = isLong ? 2000 : 150;
    let [refused, kept] = [0, 0];
    for (let round = 0; round < rounds; round += 1) {
      await keep("chat", 12, 64);
      const [path = ""] = readdirSync(place())
        .filter((name) => name.endsWith(round % 3 === 0 ? ".state" : ".json"))
        .map((name) => join(place(), name));
      const bytes = readFileSync(path);
      const at = (round * 7919) % bytes.length;
      if (round % 5 === 4) writeFileSync(path, bytes.subarray(0, at));
      else {
        bytes[at] = (bytes[at] ?? 0) ^ (1 << (round % 8));
        writeFileSync(path, bytes);
      }
      const { state } = await best(tokens(12));
      const isRight =
        state !== undefined &&
        (await files.check(state).then(
          () => true,
          () => false,
        ));
      // What is still taken is the very state, for tokens that are in the prompt: a flip in a name or in white space. The engine compares the tokens.
      if (!isRight) refused += 1;
      else {
        kept += 1;
        expect(readFileSync(state.path)).toEqual(Buffer.alloc(64, 12));
      }
      rmSync(place(), { recursive: true });
    }
    expect(refused).toBeGreaterThan(kept);
  });

  it("is deleted, and told once", async () => {
    await keep("chat", 12);
    const [record = ""] = readdirSync(place()).filter((name) => name.endsWith(".json"));
    for (const text of [
      "",
      "{",
      "[]",
      '{"format":2}',
      readFileSync(join(place(), record), "utf8").replace(/"file": "[^"]+"/, '"file": "../../../secret"'),
    ]) {
      writeFileSync(join(place(), record), text);
      expect(await best(tokens(12))).toEqual({ state: undefined, damaged: 1 });
      expect(await best(tokens(12))).toEqual({ state: undefined, damaged: 0 });
      await keep("chat", 12);
    }
  });

  it.skipIf(process.platform === "win32")("planted: links, and folders that others write to, are refused", async () => {
    await keep("chat", 12);
    const { state } = await best(tokens(12));
    const moved = join(folder, "moved");
    await realFs.rename(state?.path ?? "", moved);
    symlinkSync(moved, state?.path ?? "");
    expect(await failure(files.check(state as KeptState))).toMatchObject({ code: "store-corrupt" });
    for (const path of [place(), folder]) {
      chmodSync(path, 0o777);
      expect(
        await failure(
          files.best(
            group,
            tokens(12),
            () => true,
            () => undefined,
          ),
        ),
      ).toMatchObject({ code: "store-denied" });
      expect(await failure(keep("other", 12))).toMatchObject({ code: "store-denied" });
      chmodSync(path, 0o700);
    }
    const real = join(folder, "..", "real");
    await realFs.rename(folder, real);
    symlinkSync(real, folder);
    expect(await failure(best(tokens(12)))).toMatchObject({ code: "store-denied" });
  });
});

/** Calls through a gate, those of opened files included. */
function gated(gate: () => void): StoreFs {
  const guarded = <T extends object>(target: T, isFile: boolean): T =>
    new Proxy(target, {
      get(_, key) {
        const value: unknown = Reflect.get(target, key);
        if (typeof value !== "function") return value;
        return async (...args: unknown[]) => {
          if (!isFile || key !== "close") gate();
          const result: unknown = await (value as (...all: unknown[]) => unknown).apply(target, args);
          return key === "open" ? guarded(result as object, true) : result;
        };
      },
    });
  return guarded({ ...realFs }, false) as unknown as StoreFs;
}

describe("a disk that fails at its n-th call", () => {
  it.each(["ENOSPC", "EIO", "EACCES"])("%s: the old state stays whole, and nothing half is left", async (code) => {
    await keep("chat", 12);
    for (let failing = 1; ; failing += 1) {
      let calls = 0;
      const broken = stateFiles(
        folder,
        gated(() => {
          calls += 1;
          if (calls === failing) throw Object.assign(new Error(code), { code });
        }),
      );
      const error = await keep("chat", 14 + failing, 100, much, broken).then(
        () => undefined,
        (thrown: unknown) => thrown,
      );
      if (error !== undefined) expect(error).toMatchObject({ code: code === "ENOSPC" ? "store-full" : "store-denied" });
      const { state, damaged } = await best(tokens(99));
      expect(damaged).toBe(0);
      await files.check(state as KeptState);
      const names = readdirSync(place());
      expect(names.filter((name) => name.endsWith(".json"))).toHaveLength(1);
      if (calls < failing) return;
    }
  });
});

describe("processes", () => {
  const writer = join(root, "test/support/state-writer.mjs");

  it("killed while they write, and others that write the same name: each state found is whole", async () => {
    const { href, remove } = await fromSource(["node/store/state-files.ts"]);
    let written = 0;
    const start = (): ChildProcess => {
      const child = spawn(process.execPath, [writer, href, folder, group], { stdio: ["ignore", "pipe", "inherit"] });
      createInterface({ input: child.stdout as NodeJS.ReadableStream }).on("line", () => {
        written += 1;
      });
      return child;
    };
    const steady = start();
    for (let round = 0; round < (isLong ? 40 : 5); round += 1) {
      const before = written;
      const victim = start();
      while (written < before + 4) {
        await new Promise((resolve) => setTimeout(resolve, 3));
        const { state, damaged } = await best(tokens(50));
        expect(damaged).toBe(0);
        if (state === undefined) continue;
        // between look and read another may have taken its place; what can be read is right
        const bytes = await realFs.readFile(state.path).catch(() => undefined);
        if (bytes !== undefined) await files.check(state).catch((error: unknown) => expect(String(error)).toMatch(/ENOENT/));
      }
      await new Promise((resolve) => setTimeout(resolve, round * 3));
      victim.kill("SIGKILL");
      await once(victim, "close");
    }
    steady.kill("SIGKILL");
    await once(steady, "close");
    remove();
    const { state } = await best(tokens(50));
    await files.check(state as KeptState);
    expect((await files.list()).map(({ name }) => name)).toEqual(["chat"]);
  }, 30_000);
});
