/** Records in Postgres: the contract, two processes, kills, rights, a newer format. Runs where the machine has a Postgres. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createRequire } from "node:module";
import { createInterface } from "node:readline";
import { afterAll, beforeAll, expect, it } from "vitest";
import type { RecordStore } from "../../../src/core/platform.ts";
import { createSessions } from "../../../src/core/sessions/sessions.ts";
import { postgresRecords } from "../../../src/node/store/postgres-records.ts";
import { describeRecords } from "../../contract/record-store.ts";
import { failure } from "../../support/failure.ts";
import { fromSource } from "../../support/from-source.mjs";
import { onlyWhere } from "../../support/only-where.ts";
import { type PostgresServer, postgresPrograms, startPostgres } from "../../support/postgres-server.ts";
import { isLong, root } from "../../support.ts";

const isHere = process.env["LLMSPELL_TEST_POSTGRES"] !== undefined || (isLong && postgresPrograms() !== undefined);
const where = onlyWhere(isHere ? undefined : "needs Postgres: LLMSPELL_TEST_POSTGRES, or its programs in the long run");

where.describe("Postgres", () => {
  let server: PostgresServer;
  const opened: RecordStore[] = [];
  beforeAll(async () => {
    server = await startPostgres();
  }, 60_000);
  afterAll(async () => {
    for (const store of opened) await store.close();
    await server?.stop();
  });
  const openAt = async (space: string, url = server.url): Promise<RecordStore> => {
    const store = await postgresRecords(url, space);
    opened.push(store);
    return store;
  };
  const query = async (text: string): Promise<void> => {
    const postgres = createRequire(import.meta.url)("postgres") as (url: string) => {
      unsafe(query: string): Promise<unknown>;
      end(): Promise<void>;
    };
    const sql = postgres(server.url);
    await sql.unsafe(text);
    await sql.end();
  };
  let spaces = 0;
  describeRecords("in Postgres", async () => {
    spaces += 1;
    const space = `contract ${spaces}`;
    return () => openAt(space);
  });

  it("keeps spaces apart, and takes names longer than an index", async () => {
    const [one, two] = [await openAt("one"), await openAt("two")];
    const long = Array.from({ length: 2000 }, (_, i) => i.toString(36)).join("");
    await one.put(long, long, "1", 1e9);
    expect(await two.tables()).toEqual([]);
    expect(await one.entries(long)).toEqual([[long, "1"]]);
    expect(one.place).toMatch(/^postgres:\/\/127\.0\.0\.1:\d+\/postgres$/);
  });

  it("is made once by many who open it at once", async () => {
    await query("DROP SCHEMA IF EXISTS llmspell CASCADE");
    const stores = await Promise.all(Array.from({ length: 6 }, () => openAt("made")));
    await Promise.all(stores.map((store, i) => store.put("a", String(i), "1", 1e9)));
    expect(await stores[0]?.list("a")).toHaveLength(6);
  });

  it("holds its limit, whoever writes", async () => {
    const stores = await Promise.all([openAt("limit"), openAt("limit"), openAt("limit")]);
    // three bytes each, nine in all
    const sizes = await Promise.all(stores.flatMap((store, i) => [0, 1, 2].map((n) => store.put("a", `${3 * i + n}`, "1", 9))));
    expect(sizes.filter((size) => size <= 9)).toHaveLength(3);
    expect(await stores[0]?.list("a")).toHaveLength(3);
  });

  it("loses nothing that a killed process has acknowledged, while another writes", async () => {
    const { href, remove } = await fromSource(["node/store/postgres-records.ts"]);
    const acknowledged: string[] = [];
    const start = (writer: string) => {
      const program = `const { postgresRecords } = await import(process.argv[1]); const s = await postgresRecords(process.argv[2], "kills");
        for (let i = 0; ; i++) { const k = process.argv[3] + i; await s.put("kept", k, "1", 1e9); process.stdout.write(k + "\\n"); }`;
      const child = spawn(process.execPath, ["--input-type=module", "-e", program, href, server.url, writer], {
        cwd: root,
        stdio: ["ignore", "pipe", "inherit"],
      });
      createInterface({ input: child.stdout }).on("line", (key) => acknowledged.push(key));
      return child;
    };
    const steady = start("steady-");
    for (let victim = 0; victim < 5; victim++) {
      const child = start(`victim${victim}-`);
      while (!acknowledged.includes(`victim${victim}-3`)) await new Promise((resolve) => setTimeout(resolve, 5));
      child.kill("SIGKILL");
      await once(child, "close");
    }
    steady.kill("SIGKILL");
    await once(steady, "close");
    remove();
    const kept = new Set(await (await openAt("kills")).list("kept"));
    expect(acknowledged.filter((key) => !kept.has(key))).toEqual([]);
  }, 60_000);

  it("keeps sessions and artifacts for two machines", async () => {
    const open = () =>
      createSessions(
        {
          runtime: {
            sessions: {
              ...{ enabled: true, storage_backend: "postgres", directory: "", max_sessions: 9, max_artifacts_per_session: 100 },
              ...{ artifact_compression_threshold: 100, session_timeout_seconds: 3600 },
            },
          },
          storage: { postgres_url: server.url, postgres_url_env: "" },
        },
        { name: "test", sharedRecords: postgresRecords, log: () => undefined },
      );
    const [one, two] = [open(), open()];
    const { id } = await one.create({ name: "shared" });
    await Promise.all([one, two].map((each, i) => each.artifacts.store(id, "text", `of ${i}`, "x ".repeat(500))));
    expect((await two.artifacts.list(id)).map(({ name }) => name).sort()).toEqual(["of 0", "of 1"]);
    await one.close();
    await two.close();
  });

  it("of a newer format is left alone, and so is one that cannot be used; the password stays out of messages", async () => {
    await openAt("newer");
    await query("INSERT INTO llmspell.format VALUES (2)");
    const newer = await failure(openAt("newer"));
    await query("DELETE FROM llmspell.format WHERE version = 2");
    expect(newer).toMatchObject({ code: "store-denied", message: expect.stringContaining("expected format 1, got 2") });
    const away = await failure(openAt("x", "postgres://me:pass-word@127.0.0.1:9/db"));
    expect(away).toMatchObject({ code: "store-denied", message: expect.stringContaining("postgres://127.0.0.1:9/db does not answer") });
    expect(await failure(openAt("x", server.url.replace(/postgres$/, "nobody")))).toMatchObject({ code: "store-denied" });
    expect(await failure(openAt("x", "mysql://me:pass-word@localhost/db"))).toMatchObject({ where: "storage.postgres_url" });
    expect(JSON.stringify(away)).not.toContain("pass-word");
  });
});
