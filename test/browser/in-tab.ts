/** What other tabs do for a test: called by name through `commands.inTab`. */
import type { Spell, SpellError } from "../../src/browser/index.ts";
import { indexedRecords } from "../../src/browser/store/indexed-records.ts";
import { opfsSearchFolder } from "../../src/browser/store/search-folder.ts";
import type { ConfigInput } from "../../src/core/config/config.generated.ts";
import { keptSessions } from "../support/kept-sessions.ts";

/** One spell for a tab, as a page has it. */
let spell: Spell | undefined;

/** @returns what a Lua script returns */
export async function run(config: ConfigInput, source: string): Promise<unknown> {
  // tabs that need no spell are there sooner
  spell ??= (await import("../../src/browser/index.ts")).createSpell({ config, env: {} });
  return (await spell.scripts.run(source, { engine: "lua" })).result;
}

/** Writes records and artifacts until its tab is closed, and names each on a channel once it is safe. Returns at once. */
export async function write(folder: string, session: string, writer: string, name: string): Promise<void> {
  const channel = new BroadcastChannel(name);
  const store = await indexedRecords(folder);
  const { artifacts } = keptSessions(store);
  const work = async () => {
    for (let i = 0; ; i += 1) {
      const key = `${writer}-${i}`;
      await store.put("kept", key, JSON.stringify(key), 1e9);
      await artifacts.store(session, "text", key, `${key} `.repeat(40));
      channel.postMessage(key);
    }
  };
  work().catch((error: unknown) => channel.postMessage(`failed: ${error}`));
}

const failure = (work: Promise<unknown>) =>
  work.then(
    () => undefined,
    ({ code, message, hint, exitCode }: SpellError) => ({ code, message, hint, exitCode }),
  );

/** Puts records until there is no more room. @returns what is there then, and whether records are taken again once there is */
export async function fillRecords(folder: string): Promise<unknown> {
  const rejections: string[] = [];
  addEventListener("unhandledrejection", ({ reason }) => rejections.push(String(reason)));
  const store = await indexedRecords(folder);
  const value = JSON.stringify(Array.from({ length: 15_000 }, () => Math.random()));
  let written = 0;
  const fill = async () => {
    for (; written < 1000; written += 1) await store.put("a", String(written), value, 1e12);
  };
  const error = await failure(fill());
  const kept = (await store.list("a")).length;
  const isWhole = (await store.get("a", "0")) === value;
  const bytes = await store.put("b", "x", "1", 0);
  await store.clear("a");
  const again = await failure(store.put("a", "again", "1", 1e12));
  await new Promise((resolve) => setTimeout(resolve, 50));
  return { error, written, kept, isWhole, bytesOfEach: (bytes - 3) / written, again, rejections };
}

/** Writes files of an index until there is no more room. */
export async function fillFolder(place: string): Promise<unknown> {
  const folder = opfsSearchFolder(place);
  const part = new Uint8Array(200_000).fill(7);
  let written = 0;
  const fill = async () => {
    for (; written < 1000; written += 1) await folder.write(`f${written}.seg`, [part, part]);
  };
  const error = await failure(fill());
  const sizes = new Set(await Promise.all((await folder.list()).map((name) => folder.size(name))));
  return { error, written, kept: (await folder.list()).length, sizes: [...sizes] };
}
