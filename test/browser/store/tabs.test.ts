/** What a page keeps, in several tabs: over a reload, of writers at once, of tabs that are closed while they save, and where there is no room. */
import { expect, it, vi } from "vitest";
import { commands } from "vitest/browser";
import { createSpell } from "../../../src/browser/index.ts";
import { indexedRecords } from "../../../src/browser/store/indexed-records.ts";
import { keptSessions } from "../../support/kept-sessions.ts";
import type {} from "../tab-commands.ts";

// a tab fetches some hundred modules as they are written, which a busy machine takes its time for
vi.setConfig({ testTimeout: 300_000 });

const isLong = import.meta.env["LLMSPELL_LONG"] === "1";
let places = 0;
/** Everything switched on, in a place of its own. */
function keeping() {
  places += 1;
  const place = `~/tabs/${Date.now()}-${places}`;
  return {
    runtime: {
      state_persistence: { backend_type: "file", directory: `${place}/state` },
      sessions: { enabled: true, storage_backend: "file", directory: `${place}/sessions` },
    },
    rag: { enabled: true, vector_storage: { persistence_path: `${place}/rag` } },
  } as const;
}

it("a reload keeps State, sessions, artifacts and the index", async () => {
  const config = keeping();
  const tab = await commands.openTab(location.origin);
  await commands.inTab(
    tab,
    "run",
    config,
    `State.save("notes", "today", {rain = true})
    local id = Session.create{name = "trip"}
    Artifact.store(id, "report", "day 1", ("It rained. "):rep(3000))
    RAG.ingest{{id = "bread", text = "Flour, water and salt."}, {id = "tent", text = "Poles first, then the pegs."}}
    RAG.save()`,
  );
  const look = `local session = Session.list()[1]
    local artifact = Artifact.list(session.id)[1]
    local hits = RAG.search("pegs of the tent", {top_k = 1}).results
    return {State.load("notes", "today").rain, session.name, artifact.name, #Artifact.get(session.id, artifact).content, hits[1].id, hits[1].content}`;
  const kept = [true, "trip", "day 1", 33_000, "tent", "Poles first, then the pegs."];
  await commands.reloadTab(tab);
  expect(await commands.inTab(tab, "run", config, look)).toEqual(kept);
  await commands.closeTab(tab);
  expect((await createSpell({ config, env: {} }).scripts.run(look)).result).toEqual(kept);
});

it("R18 two tabs that write at once lose nothing", async () => {
  const config = keeping();
  const tabs = [await commands.openTab(location.origin), await commands.openTab(location.origin)];
  await commands.inTab(tabs[0] ?? 0, "run", config, `return Session.create{name = "both"}`);
  const write = (writer: number) => `
    local id = Session.list()[1].id
    for i = 1, 20 do
      State.save("kept", "${writer}-" .. i, i)
      Artifact.store(id, "text", "${writer}-" .. i, "note " .. i)
      if i % 5 == 0 then
        RAG.ingest{id = "${writer}-" .. i, text = "note " .. i .. " of writer ${writer}"}
        RAG.save()
      end
    end`;
  await Promise.all(tabs.map((tab, writer) => commands.inTab(tab, "run", config, write(writer))));
  const spell = createSpell({ config, env: {} });
  const all = [0, 1].flatMap((writer) => Array.from({ length: 20 }, (_, i) => `${writer}-${i + 1}`));
  const { result } = await spell.scripts.run(`
    local names = {}
    for _, artifact in ipairs(Artifact.list(Session.list()[1].id)) do names[#names + 1] = artifact.name end
    return {State.list_keys("kept"), names}`);
  const [keys, names] = result as [string[], string[]];
  expect([...keys].sort()).toEqual([...all].sort());
  expect([...names].sort()).toEqual([...all].sort());
  expect(await (await spell.rag()).documents()).toEqual(all.filter((name) => /-(5|10|15|20)$/.test(name)).sort());
  // what another saved is seen without opening anything again
  await commands.inTab(tabs[0] ?? 0, "run", config, `State.save("kept", "late", 1)`);
  expect(await commands.inTab(tabs[1] ?? 0, "run", config, `return State.load("kept", "late")`)).toBe(1);
  for (const tab of tabs) await commands.closeTab(tab);
  await spell.dispose();
});

it("R15 no save that has returned is lost with a tab that is closed among others; artifacts are there whole or not at all", async () => {
  const folder = `cut-${Date.now()}`;
  const told: string[] = [];
  const channel = new BroadcastChannel(folder);
  channel.onmessage = ({ data }) => told.push(data);
  const store = await indexedRecords(folder);
  const sessions = keptSessions(store);
  const { id } = await sessions.create();
  const writers = ["steady", ...Array.from({ length: isLong ? 20 : 3 }, (_, i) => `victim${i}`)];
  const tabs = await Promise.all(writers.map(() => commands.openTab(location.origin)));
  const closeAmongSaves = async (tab: number, at: number): Promise<void> => {
    const writer = writers[at] ?? "";
    await commands.inTab(tab, "write", folder, id, writer, folder);
    await expect.poll(() => told.includes(`${writer}-1`), { interval: 5 }).toBe(true);
    await new Promise((resolve) => setTimeout(resolve, (7 * at) % 30));
    await commands.closeTab(tab);
  };
  const [steady = 0, ...victims] = tabs;
  await commands.inTab(steady, "write", folder, id, "steady", folder);
  await Promise.all(victims.map((tab, i) => closeAmongSaves(tab, i + 1)));
  await commands.closeTab(steady);
  channel.close();
  const kept = new Set(await store.list("kept"));
  expect(told.filter((key) => !kept.has(key))).toEqual([]);
  for (const [key, value] of await store.entries("kept")) expect(JSON.parse(value)).toBe(key);
  const artifacts = await sessions.artifacts.list(id);
  const names = new Set(artifacts.map(({ name }) => name));
  expect(told.filter((key) => !names.has(key))).toEqual([]);
  for (const artifact of artifacts) expect((await sessions.artifacts.get(id, artifact))?.content).toBe(`${artifact.name} `.repeat(40));
  await store.close();
});

it("R16 beyond its quota a page is told store-quota, what was there stays, and room that is made is used", async () => {
  const tab = await commands.openTab(location.origin, 5_000_000);
  const { written, kept, ...records } = (await commands.inTab(tab, "fillRecords", "quota")) as { written: number; kept: number };
  expect(records).toEqual({
    error: {
      code: "store-quota",
      message: "llmspell:quota: the browser gives no more room",
      hint: expect.stringContaining("old sessions"),
      exitCode: 3,
    },
    isWhole: true,
    bytesOfEach: expect.any(Number),
    again: undefined,
    rejections: [],
  });
  expect(written).toBeGreaterThan(3);
  expect(kept).toBe(written);
  await commands.closeTab(tab);
});

it("R16 files of an index beyond it too: none is there in part", async () => {
  const tab = await commands.openTab(location.origin, 3_000_000);
  const { written, kept, ...files } = (await commands.inTab(tab, "fillFolder", "quota")) as { written: number; kept: number };
  expect(files).toMatchObject({ error: { code: "store-quota", exitCode: 3 }, sizes: [400_000] });
  expect(kept).toBe(written);
  await commands.closeTab(tab);
});
