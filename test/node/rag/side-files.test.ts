/** Audit, backups and dumps of an index on a real disk. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { resolveConfig } from "../../../src/core/api/configuration.ts";
import type { ConfigInput } from "../../../src/core/config/config.generated.ts";
import type { LogEntry } from "../../../src/core/platform.ts";
import { createRag } from "../../../src/core/rag/rag.ts";
import { nodePlatform } from "../../../src/node/platform.ts";

const day = 86_400_000;
let folder = "";
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "rag-side-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

async function open(
  settings: NonNullable<ConfigInput["rag"]>,
  wallTime = (): number => Date.UTC(2026, 0, 1),
  log?: (entry: LogEntry) => void,
) {
  const platform = nodePlatform({ log });
  const rag = { vector_storage: { persistence_path: join(folder, "index"), save_interval_seconds: 0 }, ...settings };
  const { config } = await resolveConfig({ config: { rag }, env: {} }, platform);
  return createRag({ platform, settings: config.rag, wallTime, embeddings: () => Promise.reject(new Error("no model was expected")) });
}
const note = { id: "secret", text: "The password of the shed is swordfish." };

describe("files beside an index", () => {
  it("are an audit for its owner alone, without a text of anybody, of several programs", async () => {
    const path = join(folder, "logs", "audit.log");
    const settings = { security: { enable_audit_logging: true, audit_log_path: path } };
    const programs = await Promise.all([open(settings), open(settings)]);
    await Promise.all(programs.map((rag, i) => rag.ingest({ ...note, id: String(i) }, { tenantId: `t${i}` })));
    await expect(programs[0]?.search("")).rejects.toThrow();
    await programs[0]?.search("swordfish");
    for (const rag of programs) await rag.close();
    if (process.platform !== "win32") expect(statSync(path).mode & 0o777).toBe(0o600);
    const text = readFileSync(path, "utf8");
    expect(text).not.toContain("swordfish");
    const lines = text
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(
      lines
        .slice(0, 2)
        .map(({ tenant }) => tenant)
        .sort(),
    ).toEqual(["t0", "t1"]);
    expect(lines[2]).toMatchObject({ operation: "search", ok: false, code: "rag-input", time: "2026-01-01T00:00:00.000Z" });
    expect(lines[3]).toMatchObject({ operation: "search", tenant: "default", ok: true });
  });

  it("refuse a call that the audit would miss before anything is done, and name its key; a dump that fails is told once", async () => {
    writeFileSync(join(folder, "file"), "");
    const log: string[] = [];
    const audited = await open({ security: { enable_audit_logging: true, audit_log_path: join(folder, "file", "audit.log") } });
    for (const call of [() => audited.ingest(note), () => audited.search("shed"), () => audited.save()])
      await expect(call()).rejects.toMatchObject({ code: "store-denied", hint: expect.stringContaining("rag.security.audit_log_path") });
    expect(await audited.documents()).toEqual([]);
    const debug = { save_debug_dumps: true, debug_dump_path: join(folder, "file", "dumps") };
    const dumped = await open({ debug }, undefined, (entry) => log.push(`${entry.level} ${entry.message}`));
    await dumped.ingest(note);
    expect(await dumped.search("shed")).toHaveLength(1);
    expect(log.filter((line) => line.startsWith("warn"))).toEqual([
      expect.stringMatching(/^warn rag: no dump was written \(rag\.debug\.debug_dump_path\): .*file/),
    ]);
  });

  it("name the tenant of a save: that of the last call", async () => {
    const path = join(folder, "audit.log");
    const rag = await open({ multi_tenant: true, security: { enable_audit_logging: true, audit_log_path: path } });
    await rag.ingest(note, { tenantId: "a" });
    await rag.save();
    await rag.save();
    await rag.search("shed", { tenantId: "b" });
    await rag.ingest(note, { tenantId: "c" });
    await rag.save();
    await rag.close();
    const lines = readFileSync(path, "utf8").trimEnd().split("\n");
    const told = lines.map((line) => JSON.parse(line) as { operation: string; tenant: string });
    expect(told.flatMap(({ operation, tenant }) => (operation === "save" ? [tenant] : []))).toEqual(["a", "a", "c"]);
  });

  it("are whole copies that open as the index did; old ones go, others stay", async () => {
    const copies = join(folder, "copies");
    let time = Date.UTC(2026, 0, 1);
    const backup = { enable_auto_backup: true, backup_path: copies, backup_interval_hours: 24, backup_retention_days: 2 };
    const rag = await open({ backup }, () => time);
    await rag.ingest(note);
    await rag.save();
    expect(readdirSync(copies)).toEqual(["rag-2026-01-01T00-00-00Z"]);
    writeFileSync(join(copies, "mine"), "not ours");
    for (let i = 0; i < 4; i += 1) {
      time += day;
      await rag.ingest({ id: `more ${i}`, text: `More of it, ${i}.` });
      await rag.save();
    }
    await rag.close();
    expect(readdirSync(copies).sort()).toEqual([
      "mine",
      "rag-2026-01-03T00-00-00Z",
      "rag-2026-01-04T00-00-00Z",
      "rag-2026-01-05T00-00-00Z",
    ]);
    const restored = await open({ vector_storage: { persistence_path: join(copies, "rag-2026-01-03T00-00-00Z") } });
    expect(await restored.documents()).toEqual(["more 0", "more 1", "secret"]);
    expect((await restored.search("swordfish"))[0]?.id).toBe("secret");
    await restored.close();
  });

  it("are dumps of what a search saw", async () => {
    const rag = await open({ debug: { save_debug_dumps: true, debug_dump_path: join(folder, "dumps") } });
    await rag.ingest(note);
    await rag.search("shed");
    await rag.close();
    const names = readdirSync(join(folder, "dumps"));
    expect(names).toEqual(["2026-01-01T00-00-00-000Z-0001-ingest.json", "2026-01-01T00-00-00-000Z-0002-search.json"]);
    const { data } = JSON.parse(readFileSync(join(folder, "dumps", names[1] ?? ""), "utf8")) as {
      data: { query: string; results: { id: string }[] };
    };
    expect([data.query, data.results[0]?.id]).toEqual(["shed", "secret"]);
  });
});
