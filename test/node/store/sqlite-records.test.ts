/** Records in SQLite, by this Node's own module and by the package: the contract, kills, several processes, damage. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, mkdtempSync, openSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { afterEach, describe, expect, it } from "vitest";
import type { RecordStore } from "../../../src/core/platform.ts";
import { builtinSqlite, packageSqlite, sqliteCode } from "../../../src/node/store/sqlite.ts";
import { sqliteRecords } from "../../../src/node/store/sqlite-records.ts";
import { describeRecords } from "../../contract/record-store.ts";
import { failure } from "../../support/failure.ts";
import { fromSource } from "../../support/from-source.mjs";
import { keptSessions } from "../../support/kept-sessions.ts";
import { isLong, root } from "../../support.ts";

const folders: string[] = [];
const opened: RecordStore[] = [];
function newFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "llmspell-records-"));
  folders.push(folder);
  return folder;
}
afterEach(async () => {
  for (const store of opened.splice(0)) await store.close();
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

const plenty = 1e9;
const drivers = [
  ["libsql", packageSqlite],
  ["node:sqlite", builtinSqlite()],
] as const;

for (const [name, driver] of drivers) {
  if (driver === undefined) {
    console.warn(`skipped: Node ${process.versions.node} has no ${name}`);
    continue;
  }
  const openAt = async (folder: string, log: string[] = []): Promise<RecordStore> => {
    const open = name === "libsql" ? packageSqlite() : driver;
    const store = await sqliteRecords(folder, open as Awaited<ReturnType<typeof packageSqlite>>, ({ message }) => log.push(message));
    opened.push(store);
    return store;
  };

  describeRecords(`in SQLite by ${name}`, async () => {
    const folder = newFolder();
    return () => openAt(folder);
  });

  describe(`records in SQLite by ${name}`, () => {
    it("are for their owner alone", async () => {
      const folder = join(newFolder(), "deep/state");
      await (await openAt(folder)).put("a", "x", "1", plenty);
      for (const file of readdirSync(folder)) expect(statSync(join(folder, file)).mode & 0o777, file).toBe(0o600);
      expect(statSync(folder).mode & 0o777).toBe(0o700);
    });

    it("are set aside where they are damaged, which is said, and an empty store takes their place", async () => {
      const folder = newFolder();
      const path = join(folder, "records.sqlite");
      writeFileSync(path, "this is no database, whatever its name says".repeat(100));
      const log: string[] = [];
      const store = await openAt(folder, log);
      expect(await store.tables()).toEqual([]);
      await store.put("a", "x", "1", plenty);
      expect(log.join("\n")).toMatch(/records\.sqlite is damaged; it was set aside as .*records\.sqlite\.damaged-/);
      const [kept = ""] = readdirSync(folder).filter((file) => file.includes("damaged"));
      expect(readFileSync(join(folder, kept), "utf8")).toContain("this is no database");
    });

    it("are set aside where damage shows later, once, and by one of two openers", async () => {
      const folder = newFolder();
      const path = join(folder, "records.sqlite");
      const first = await openAt(folder);
      for (let i = 0; i < 300; i++) await first.put("a", `${i}`, `"${"x".repeat(500)}"`, plenty);
      await first.close();
      const open = name === "libsql" ? packageSqlite() : (driver as Awaited<ReturnType<typeof packageSqlite>>);
      const database = open(path);
      database.prepare("PRAGMA wal_checkpoint(TRUNCATE)").get();
      database.close();
      const size = statSync(path).size;
      const file = openSync(path, "r+");
      writeSync(file, Buffer.alloc(size - 4096, 0xa5), 0, size - 4096, 4096); // all pages but the first
      closeSync(file);
      const [log1, log2]: [string[], string[]] = [[], []];
      const one = await openAt(folder, log1);
      const two = await openAt(folder, log2);
      expect(await one.get("a", "7")).toBeUndefined();
      await one.put("b", "new", "1", plenty);
      expect(await two.get("b", "new")).toBe("1");
      expect([...log1, ...log2]).toHaveLength(1);
    });

    it("of a newer format are left alone", async () => {
      const folder = newFolder();
      const store = await openAt(folder);
      await store.put("a", "x", "1", plenty);
      await store.close();
      const open = name === "libsql" ? packageSqlite() : (driver as Awaited<ReturnType<typeof packageSqlite>>);
      const database = open(join(folder, "records.sqlite"));
      database.exec("PRAGMA user_version = 2");
      database.close();
      const error = await failure(openAt(folder));
      expect(error).toMatchObject({ code: "store-denied" });
      expect(error.message).toContain("expected format 1, got 2");
    });

    it("in a place that is no folder, or may not be written, are refused with the path", async () => {
      const folder = newFolder();
      writeFileSync(join(folder, "file"), "");
      expect(await failure(openAt(join(folder, "file/state")))).toMatchObject({ code: "store-denied" });
    });

    it("beyond the room there is are refused, and what was there stays", async () => {
      const folder = newFolder();
      const open = name === "libsql" ? packageSqlite() : (driver as Awaited<ReturnType<typeof packageSqlite>>);
      // SQLite's own error of a full disk
      const small: typeof open = (path) => {
        const database = open(path);
        database.exec("PRAGMA max_page_count = 20");
        return database;
      };
      const store = await sqliteRecords(folder, small, () => undefined);
      opened.push(store);
      let written = 0;
      const fill = async () => {
        for (;;) {
          await store.put("a", String(written), JSON.stringify("x".repeat(4000)), plenty);
          written += 1;
        }
      };
      expect(await failure(fill())).toMatchObject({ code: "store-full", exitCode: 3 });
      expect(written).toBeGreaterThan(3);
      expect(await store.list("a")).toHaveLength(written);
      await store.clear("a");
      await store.put("a", "again", "1", plenty);
    });

    it("survive kill -9 of whoever wrote them, each one that was acknowledged, and several writers lose nothing; artifacts are there whole or not at all", async () => {
      const folder = newFolder();
      const { href, remove } = await fromSource(["node/store/sqlite.ts", "node/store/sqlite-records.ts", "core/sessions/sessions.ts"]);
      const store = await openAt(folder);
      const sessions = keptSessions(store);
      const { id } = await sessions.create();
      const acknowledged: string[] = [];
      const start = (writer: string): ChildProcess => {
        const child = spawn(process.execPath, [join(root, "test/support/record-writer.mjs"), href, folder, name, writer, id], {
          stdio: ["ignore", "pipe", "inherit"],
        });
        createInterface({ input: child.stdout as NodeJS.ReadableStream }).on("line", (key) => acknowledged.push(key));
        return child;
      };
      const steady = start("steady");
      const kill = async (victim: number): Promise<void> => {
        const child = start(`victim${victim}`);
        while (!acknowledged.includes(`victim${victim}-1`)) await new Promise((resolve) => setTimeout(resolve, 5));
        await new Promise((resolve) => setTimeout(resolve, (7 * victim) % 30));
        child.kill("SIGKILL");
        await once(child, "close");
      };
      for (let victim = 0; victim < (isLong ? 200 : 20); victim += 5) await Promise.all([0, 1, 2, 3, 4].map((more) => kill(victim + more)));
      steady.kill("SIGKILL");
      await once(steady, "close");
      remove();
      const kept = new Set(await store.list("kept"));
      expect(acknowledged.filter((key) => !kept.has(key))).toEqual([]);
      for (const key of acknowledged.slice(-5)) expect(await store.get("kept", key)).toBe(JSON.stringify(key));
      const artifacts = await sessions.artifacts.list(id);
      const names = new Set(artifacts.map((artifact) => artifact.name));
      expect(acknowledged.filter((key) => !names.has(key))).toEqual([]);
      for (const artifact of artifacts) expect((await sessions.artifacts.get(id, artifact))?.content).toBe(`${artifact.name} `.repeat(40));
    }, 900_000);

    it("give artifacts and calls of one session numbers of their own, from two processes at once", async () => {
      const folder = newFolder();
      const { href, remove } = await fromSource(["node/store/sqlite.ts", "node/store/sqlite-records.ts", "core/sessions/sessions.ts"]);
      const sessions = keptSessions(await openAt(folder));
      const { id } = await sessions.create();
      await Promise.all(
        ["one", "two"].map(async (writer) => {
          const child = spawn(process.execPath, [join(root, "test/support/record-writer.mjs"), href, folder, name, writer, id], {
            stdio: ["ignore", "pipe", "inherit"],
          });
          let written = 0;
          for await (const _ of createInterface({ input: child.stdout })) if (++written === 40) child.kill("SIGKILL");
        }),
      );
      remove();
      const sequences = (await sessions.artifacts.list(id)).map(({ sequence }) => sequence);
      const calls = (await sessions.calls.list(id)).map(({ call }) => call);
      for (const numbers of [sequences, calls]) {
        expect(numbers.length).toBeGreaterThanOrEqual(80);
        expect(new Set(numbers).size).toBe(numbers.length);
      }
    }, 120_000);
  });
}

describe("numbers of SQLite's errors", () => {
  it("are read from both drivers, without their extensions", () => {
    expect([{ errcode: 261 }, { rawCode: 5 }, { code: "ENOENT" }].map(sqliteCode)).toEqual([5, 5, undefined]);
  });
});

it("libsql leaves Node's report as it was", () => {
  const { getReport } = process.report;
  packageSqlite();
  expect(process.report.getReport).toBe(getReport);
});
