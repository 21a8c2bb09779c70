import { describe, expect, it } from "vitest";
import type { RuntimeConfig } from "../../../src/core/config/config.generated.ts";
import type { RecordStore } from "../../../src/core/platform.ts";
import { createSessions, type Sessions } from "../../../src/core/sessions/sessions.ts";
import { memoryRecords } from "../../../src/core/store/memory-records.ts";
import { failure } from "../../support/failure.ts";

const settings: RuntimeConfig["sessions"] = {
  enabled: true,
  max_sessions: 100,
  max_artifacts_per_session: 1000,
  artifact_compression_threshold: 10_240,
  session_timeout_seconds: 3600,
  storage_backend: "file",
  directory: "/sessions",
};

/** Programs over one store, as several processes would be. */
function shared(store: RecordStore = memoryRecords()) {
  let time = Date.parse("2026-01-31T12:00:00Z");
  const log: string[] = [];
  const folders: string[] = [];
  const open = (changed: Partial<typeof settings> = {}): Sessions =>
    createSessions(
      { runtime: { sessions: { ...settings, ...changed } }, storage: { postgres_url_env: "DATABASE_URL" } },
      {
        name: "test",
        async records(folder) {
          folders.push(folder);
          return store;
        },
        log: ({ message }) => log.push(message),
        wallTime: () => time,
      },
    );
  return { open, store, log, folders, pass: (seconds: number) => (time += seconds * 1000) };
}

describe("sessions", () => {
  it("are made, found and listed, the one used last first, by other programs too", async () => {
    const { open, pass, folders } = shared();
    const sessions = open();
    expect(folders).toEqual([]);
    const first = await sessions.create({ name: "first", description: "d", tags: ["a", "b"], customMetadata: { someName: [1, null] } });
    pass(10);
    const second = await sessions.create({ parentSessionId: first.id });
    const other = open();
    expect(await other.get(first.id)).toEqual({
      id: first.id,
      name: "first",
      description: "d",
      tags: ["a", "b"],
      status: "active",
      createdAt: "2026-01-31T12:00:00.000Z",
      updatedAt: "2026-01-31T12:00:00.000Z",
      customMetadata: { someName: [1, null] },
    });
    expect(second).toMatchObject({ name: `session ${second.id.slice(0, 8)}`, parentSessionId: first.id });
    expect((await other.list()).map(({ id }) => id)).toEqual([second.id, first.id]);
    pass(10);
    await sessions.save(first.id);
    expect((await other.list()).map(({ id }) => id)).toEqual([first.id, second.id]);
    expect((await other.list({ tags: ["b", "a"] })).map(({ id }) => id)).toEqual([first.id]);
    expect(await other.list({ limit: 1 })).toHaveLength(1);
    expect(await other.list({ status: "completed" })).toEqual([]);
    expect(await other.get("nobody")).toBeUndefined();
    expect(await failure(other.load("nobody"))).toMatchObject({ code: "session-unknown", exitCode: 1 });
    expect(await failure(sessions.create({ parentSessionId: "nobody" }))).toMatchObject({ code: "session-unknown" });
    expect(await failure(sessions.create({ nam: "x" } as never))).toMatchObject({ code: "run-option" });
    expect(folders).toEqual(["/sessions", "/sessions"]);
  });

  it("go from state to state as allowed, and no other way", async () => {
    const sessions = shared().open();
    const { id } = await sessions.create();
    expect((await sessions.suspend(id)).status).toBe("suspended");
    expect(await failure(sessions.suspend(id))).toMatchObject({ code: "session-status", details: { status: "suspended" } });
    expect(await failure(sessions.artifacts.store(id, "t", "n", "x"))).toMatchObject({ code: "session-status" });
    expect((await sessions.resume(id)).status).toBe("active");
    expect((await sessions.complete(id)).status).toBe("completed");
    for (const change of [sessions.resume, sessions.suspend, sessions.complete, sessions.save, sessions.setCurrent] as const)
      expect(await failure(change(id))).toMatchObject({
        code: "session-status",
        hint: "A completed session stays as it is; begin another one.",
      });
    expect((await failure(sessions.artifacts.store(id, "t", "n", "x"))).hint).not.toContain("Resume");
    expect((await sessions.load(id)).status).toBe("completed");
  });

  it.each([10, 7200])("expire when they are left alone for session_timeout_seconds: %i", async (seconds) => {
    const { open, pass } = shared();
    const sessions = open({ session_timeout_seconds: seconds });
    const { id } = await sessions.create();
    const laid = await sessions.create();
    await sessions.suspend(laid.id);
    pass(seconds - 1);
    await sessions.artifacts.store(id, "t", "n", "x");
    pass(seconds);
    expect((await sessions.get(id))?.status).toBe("active");
    pass(1);
    expect((await sessions.get(id))?.status).toBe("expired");
    expect(await failure(sessions.artifacts.store(id, "t", "n", "x"))).toMatchObject({ code: "session-status" });
    expect((await sessions.list({ status: "expired" })).map((each) => each.id)).toEqual([id]);
    expect((await sessions.get(laid.id))?.status).toBe("suspended");
    expect((await sessions.resume(id)).status).toBe("active");
  });

  it("what one program changes, another's use does not undo", async () => {
    const { open, pass } = shared();
    const [one, two] = [open(), open()];
    const { id } = await one.create();
    pass(5);
    await Promise.all([one.complete(id), two.save(id)]);
    expect((await one.get(id))?.status).toBe("completed");
  });

  it.each([1, 3])("are at most max_sessions: %i", async (most) => {
    const sessions = shared().open({ max_sessions: most });
    const made = [];
    for (let i = 0; i < most; i++) made.push(await sessions.create());
    expect(await failure(sessions.create())).toMatchObject({
      code: "session-full",
      where: "runtime.sessions.max_sessions",
      details: { limit: most },
    });
    expect(await sessions.delete(made[0]?.id ?? "")).toBe(true);
    await sessions.create();
  });

  it("are deleted with all that is in them, and are current no longer", async () => {
    const { open, store } = shared();
    const sessions = open();
    const { id } = await sessions.create();
    await sessions.setCurrent(id);
    await sessions.artifacts.store(id, "t", "n", "x");
    const call = await sessions.calls.begin(id);
    await call.end({ kind: "tool", name: "t", input: 1, output: 2, ms: 1, startedAt: "" });
    expect(sessions.current).toBe(id);
    expect([await sessions.delete(id), await sessions.delete(id)]).toEqual([true, false]);
    expect(sessions.current).toBeUndefined();
    expect(await store.tables()).toEqual([]);
  });

  it("are switched off by their key, and go with the object in memory", async () => {
    const off = shared().open({ enabled: false });
    for (const call of [off.create(), off.get("x"), off.list(), off.artifacts.list("x"), off.calls.list("x"), off.delete("x")])
      expect(await failure(call)).toMatchObject({
        code: "session-disabled",
        where: "runtime.sessions.enabled",
        actions: [
          { kind: "use-profile", profile: "sessions" },
          { kind: "set-variable", name: "LLMSPELL_RUNTIME_SESSIONS_ENABLED", value: "true" },
        ],
      });
    const { open, folders } = shared();
    await open({ storage_backend: "memory" }).create();
    expect(await open({ storage_backend: "memory" }).list()).toEqual([]);
    expect(folders).toEqual([]);
    await open({ directory: "/elsewhere" }).create();
    expect(folders).toEqual(["/elsewhere"]);
    expect(await failure(open({ storage_backend: "postgres" }).create())).toMatchObject({ where: "runtime.sessions.storage_backend" });
  });
});

describe("artifacts", () => {
  it("of more than 50 MB, or that are no JSON, are refused", async () => {
    const sessions = shared().open();
    const { id } = await sessions.create();
    // read as JSON they would take minutes, and end in a RangeError
    expect(await failure(sessions.artifacts.store(id, "t", "b", new Uint8Array(50_000_001)))).toMatchObject({ code: "session-full" });
    const circular: Record<string, unknown> = {};
    circular["self"] = circular;
    for (const content of [circular, undefined, () => 1])
      expect(await failure(sessions.artifacts.store(id, "t", "b", content))).toMatchObject({ code: "run-option", where: "b" });
  });

  it("are kept with the hash of their content, and given back as they were", async () => {
    const { open } = shared();
    const sessions = open();
    const { id } = await sessions.create();
    const bytes = Uint8Array.from({ length: 300 }, (_, i) => i);
    const contents = ["abc", "é😀\0\u2028", JSON.parse('{"list":[1,null,"x"],"__proto__":1}') as unknown, bytes, ""];
    for (const [i, content] of contents.entries()) {
      const stored = await sessions.artifacts.store(id, "kind", `name ${i}`, content, { tags: ["x"], metadata: { i } });
      expect(stored).toMatchObject({ sessionId: id, sequence: i + 1 });
      const found = await open().artifacts.get(id, stored);
      expect(found).toMatchObject({ type: "kind", name: `name ${i}`, tags: ["x"], metadata: { i }, isCompressed: false });
      expect(found?.content).toEqual(content);
    }
    // printf abc | sha256sum
    expect((await sessions.artifacts.list(id))[0]?.contentHash).toBe(
      "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
    );
    expect((await sessions.artifacts.get(id, 4))?.size).toBe(300);
    expect(await sessions.artifacts.get(id, { sequence: 1, contentHash: "sha256:0" })).toBeUndefined();
    expect([await sessions.artifacts.delete(id, 2), await sessions.artifacts.delete(id, 2)]).toEqual([true, false]);
    expect((await sessions.artifacts.store(id, "kind", "next", "x")).sequence).toBe(6);
    expect(await failure(sessions.artifacts.list("nobody"))).toMatchObject({ code: "session-unknown" });
  });

  it("that earlier builds gave one number are read; the number alone is refused with what they are", async () => {
    const { open, store } = shared();
    const sessions = open();
    const { id } = await sessions.create();
    const texts = ["one", "two"];
    for (const text of texts) {
      const { sequence } = await sessions.artifacts.store(id, "t", text, text);
      if (sequence === 1) continue;
      // as two programs left them at once
      for (const table of [`artifacts/${id}`, `contents/${id}`]) {
        const [[key, value] = ["", ""]] = (await store.entries(table)).filter(([key]) => key.startsWith("000000002"));
        await store.remove(table, key);
        await store.put(table, "000000001-ffffffff", value.replace('"sequence":2', '"sequence":1'), 1e9);
      }
      await store.clear(`numbers/${id}`);
    }
    const [one, two] = await sessions.artifacts.list(id);
    expect([one?.sequence, two?.sequence]).toEqual([1, 1]);
    for (const call of [sessions.artifacts.get(id, 1), sessions.artifacts.delete(id, { sequence: 1 })]) {
      const error = await failure(call);
      expect(error).toMatchObject({ code: "run-option", where: "sequence" });
      for (const each of [one, two]) expect(error.message).toContain(`1 ${each?.contentHash} (${each?.name})`);
    }
    const named = await Promise.all([one, two].map((each) => sessions.artifacts.get(id, each ?? 0)));
    expect(named.map((each) => each?.content).sort()).toEqual(texts);
    expect((await sessions.artifacts.store(id, "t", "next", "x")).sequence).toBe(2);
    expect(await sessions.artifacts.delete(id, one ?? 0)).toBe(true);
    expect((await sessions.artifacts.get(id, 1))?.name).toBe(two?.name);
  });

  it("get numbers of their own from programs that store at once, and so do calls", async () => {
    const { open } = shared();
    const programs = [open(), open(), open()];
    const { id } = (await programs[0]?.create()) ?? { id: "" };
    const stored = await Promise.all(programs.flatMap(({ artifacts }) => [1, 2, 3].map(() => artifacts.store(id, "t", "n", "the same"))));
    const begun = await Promise.all(programs.flatMap(({ calls }) => [1, 2, 3].map(() => calls.begin(id))));
    const numbers = Array.from({ length: 9 }, (_, i) => i + 1);
    expect(stored.map(({ sequence }) => sequence).sort()).toEqual(numbers);
    expect(begun.map(({ call }) => call).sort()).toEqual(numbers);
  });

  it.each([
    [100, 99, false],
    [100, 100, true],
    [5000, 4999, false],
    [5000, 5000, true],
  ])("are compressed from artifact_compression_threshold on: %i, %i bytes", async (threshold, size, isCompressed) => {
    const { open, store } = shared();
    const sessions = open({ artifact_compression_threshold: threshold });
    const { id } = await sessions.create();
    await sessions.artifacts.store(id, "t", "n", "x".repeat(size));
    const found = await sessions.artifacts.get(id, 1);
    expect(found).toMatchObject({ isCompressed, size, content: "x".repeat(size) });
    const [[, kept] = ["", ""]] = await store.entries(`contents/${id}`);
    expect(kept.length < size).toBe(isCompressed);
  });

  it("stay as they are where that would not make them smaller", async () => {
    const sessions = shared().open({ artifact_compression_threshold: 0 });
    const { id } = await sessions.create();
    await sessions.artifacts.store(id, "t", "n", crypto.getRandomValues(new Uint8Array(1000)));
    expect((await sessions.artifacts.get(id, 1))?.isCompressed).toBe(false);
  });

  it.each([1, 2])("are at most max_artifacts_per_session: %i", async (most) => {
    const sessions = shared().open({ max_artifacts_per_session: most });
    const { id } = await sessions.create();
    for (let i = 0; i < most; i++) await sessions.artifacts.store(id, "t", "n", "x");
    expect(await failure(sessions.artifacts.store(id, "t", "n", "x"))).toMatchObject({
      code: "session-full",
      where: "runtime.sessions.max_artifacts_per_session",
    });
  });

  it("of two programs that write at once are all there", async () => {
    const { open } = shared();
    const [one, two] = [open(), open()];
    const { id } = await one.create();
    const stores = [one, two].flatMap((each, program) =>
      Array.from({ length: 20 }, (_, i) => each.artifacts.store(id, "t", `${program}-${i}`, i)),
    );
    const ids = await Promise.all(stores);
    expect(await one.artifacts.list(id)).toHaveLength(40);
    for (const [i, each] of ids.entries()) expect((await two.artifacts.get(id, each))?.content).toBe(i % 20);
  });

  it("are found by what is known of them", async () => {
    const { open, pass } = shared();
    const { artifacts, create } = open();
    const [a, b] = [await create(), await create()];
    await artifacts.store(a.id, "report", "day 1", "short", { tags: ["x", "y"] });
    pass(60);
    await artifacts.store(a.id, "report", "day 12", "much longer", { tags: ["y"] });
    pass(60);
    await artifacts.store(b.id, "code", "main.lua", "print(1)");
    const names = async (query: Parameters<typeof artifacts.query>[0]) => (await artifacts.query(query)).map(({ name }) => name);
    expect(await names({})).toEqual(["main.lua", "day 12", "day 1"]);
    expect(await names({ sessionId: a.id })).toEqual(["day 12", "day 1"]);
    expect(await names({ type: "report", tags: ["x"] })).toEqual(["day 1"]);
    expect(await names({ namePattern: "day ?" })).toEqual(["day 1"]);
    expect(await names({ namePattern: "*a*" })).toEqual(["main.lua", "day 12", "day 1"]);
    expect(await names({ minSize: 6, maxSize: 8 })).toEqual(["main.lua"]);
    expect(await names({ createdAfter: "2026-01-31T12:00:30Z", createdBefore: Date.parse("2026-01-31T12:01:30Z") })).toEqual(["day 12"]);
    expect(await names({ limit: 1 })).toEqual(["main.lua"]);
    expect(await failure(artifacts.query({ createdAfter: "soon" }))).toMatchObject({ code: "run-option" });
  });

  it("whose content was changed are not given out", async () => {
    const { open, store } = shared();
    const sessions = open();
    const { id } = await sessions.create();
    await sessions.artifacts.store(id, "t", "n", "right");
    const [[key = "", text = ""] = []] = await store.entries(`contents/${id}`);
    for (const wrong of [
      text.replace("right", "wrong"),
      '{"form":"text","as":"gzip","data":"AAAA"}',
      "[]",
      "{torn",
      '{"form":"text","as":"base64","data":"*"}',
    ]) {
      await store.put(`contents/${id}`, key, wrong, 1e9);
      expect(await failure(sessions.artifacts.get(id, 1)), wrong).toMatchObject({ code: "store-corrupt" });
    }
    await store.remove(`contents/${id}`, key);
    expect(await failure(sessions.artifacts.get(id, 1))).toMatchObject({ code: "store-corrupt" });
    expect(await sessions.artifacts.list(id)).toHaveLength(1);
  });
});
