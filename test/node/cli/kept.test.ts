/** `session` and `state`: over records in memory in this process, and through processes over a file. */
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { createAgents } from "../../../src/core/agents/agents.ts";
import { aboutAgent } from "../../../src/core/agents/replay-agents.ts";
import { createSpell } from "../../../src/core/api/spell.ts";
import { resolveSource } from "../../../src/core/config/resolve.ts";
import { shownAnswer } from "../../../src/core/scripts/globals/agent.ts";
import { memoryRecords } from "../../../src/core/store/memory-records.ts";
import { memoryPlatform, scriptedRuntime } from "../../../src/core/testing/index.ts";
import type { Context, Run } from "../../../src/node/cli/context.ts";
import { sessionList, sessionRemove, sessionReplay, sessionShow } from "../../../src/node/cli/kept-sessions.ts";
import { stateClear, stateGet, stateList, stateSet } from "../../../src/node/cli/kept-state.ts";
import { tinyLlama } from "../../fixtures/gguf/models.ts";
import { writeGguf } from "../../fixtures/gguf-writer.ts";
import { failure } from "../../support/failure.ts";
import { cli, home, keptScreen, scriptedContext } from "./support.ts";

async function kept(values: Parameters<typeof resolveSource>[0] = { kind: "object", values: all }) {
  const files = { "tiny-stories/tiny-stories.gguf": writeGguf(tinyLlama()) };
  let said = [" one", " two"];
  const store = { ...memoryRecords(), close: async () => undefined };
  const platform = { ...memoryPlatform({ files, gguf: scriptedRuntime({ answer: () => said }) }), records: async () => store };
  const config = await resolveSource(values, {});
  const spell = createSpell({ platform, config });
  const run = async (
    command: Run,
    operands: readonly string[] = [],
    flags: Readonly<Record<string, readonly string[]>> = {},
    format: "text" | "json" = "json",
  ) => {
    const shown = keptScreen({ format, color: false });
    const context: Context = scriptedContext(shown, {
      files,
      operands,
      flags: new Map(Object.entries(flags)),
      config: async () => config,
      openSpell: async () => spell,
    });
    const status = await command(context);
    return { status, text: shown.out(), document: format === "json" ? (JSON.parse(shown.out()) as Record<string, unknown>) : {} };
  };
  return { run, spell, config, say: (text: readonly string[]) => (said = [...text]) };
}

const all = { runtime: { sessions: { enabled: true, storage_backend: "file" }, state_persistence: { backend_type: "file" } } } as const;

describe("session", () => {
  /** A session with one recorded answer of an agent. */
  const recorded = async () => {
    const made = await kept();
    const { spell, config } = made;
    const sessions = await spell.sessions();
    const { id } = await sessions.create({ name: "s", tags: ["x"] });
    await sessions.artifacts.store(id, "note", "first", "text");
    const agents = createAgents({ spell, config });
    const agent = agents.builder().set("name", "tom").set("model", "tiny-stories").set("system_prompt", "Be brief.").build();
    const { end } = await sessions.calls.begin(id);
    const answer = await agent.execute("x");
    await end({
      kind: "agent",
      name: "tom",
      input: "x",
      output: shownAnswer(answer),
      ms: 5,
      startedAt: "2026-01-31T12:00:00Z",
      about: aboutAgent(agent, answer),
    });
    return { ...made, id };
  };

  it("list, show and remove speak of what is kept, by the beginning of an id", async () => {
    const { run, id } = await recorded();
    expect((await run(sessionList)).document).toMatchObject({ status: "ok", sessions: [{ id, name: "s", status: "active", tags: ["x"] }] });
    expect((await run(sessionList, [], { status: ["completed"] })).document).toMatchObject({ sessions: [] });
    expect((await run(sessionList, [], { tag: ["x", "y"] })).document).toMatchObject({ sessions: [] });
    expect((await run(sessionList, [], {}, "text")).text).toMatch(new RegExp(`^ID .*\\n${id}  active`));
    const shown = await run(sessionShow, [id.slice(0, 6)]);
    expect(shown.document).toMatchObject({
      session: { id },
      artifacts: [{ name: "first", size: 4 }],
      calls: [{ call: 1, kind: "agent", name: "tom" }],
    });
    expect((await run(sessionShow, [id], {}, "text")).text).toMatch(/name: s\n[\s\S]*ARTIFACT[\s\S]*first[\s\S]*CALL[\s\S]*tom/);
    expect(await failure(run(sessionShow, ["zzz"]))).toMatchObject({ code: "session-unknown" });
    expect(await failure(run(sessionShow, [""]))).toMatchObject({ code: "session-unknown" });
    expect(await failure(run(sessionRemove, [id]))).toMatchObject({ code: "usage-confirm" });
    // all or nothing
    expect(await failure(run(sessionRemove, [id, "zzz"], { yes: [] }))).toMatchObject({ code: "session-unknown" });
    expect((await run(sessionRemove, [id], { yes: [] })).document).toEqual({ status: "ok", removed: [id] });
    expect((await run(sessionList)).document).toMatchObject({ sessions: [] });
  });

  it("replay says of a call that fails as it did that it is the same, and by which code", async () => {
    const { run, spell } = await kept();
    const sessions = await spell.sessions();
    const { id } = await sessions.create({ name: "s" });
    const input = { expression: "2*(" };
    const { code, message } = await failure(spell.tools.execute("calculator", input));
    const { end } = await sessions.calls.begin(id);
    await end({ kind: "tool", name: "calculator", input, error: { code, message }, ms: 1, startedAt: "2026-01-31T12:00:00Z" });
    const shown = await run(sessionReplay, [id], {}, "text");
    expect(shown).toMatchObject({ status: 0, text: expect.stringMatching(/^ {3}1 {2}tool calculator {2}same \(tool-failed\) {2}/) });
    expect(shown.text).toContain("1 of 1 call, 1 same, 0 different, 0 failed");
    expect((await run(sessionReplay, [id])).document).toMatchObject({ same: 1, failed: 0, steps: [{ is_same: true, error: { code } }] });
  });

  it("replay builds the agent again, with its system prompt and seed, and says where an answer differs", async () => {
    const { run, id, say } = await recorded();
    const same = await run(sessionReplay, [id]);
    expect(same).toMatchObject({
      status: 0,
      document: { status: "ok", mode: "exact", calls: 1, same: 1, steps: [{ is_same: true, conditions: [] }] },
    });
    say([" three"]);
    const other = await run(sessionReplay, [id], {}, "text");
    expect(other).toMatchObject({ status: 1 });
    expect(other.text).toMatch(
      /agent tom {2}different[\s\S]*expected " one two", got " three"\n1 of 1 call, 0 same, 1 different, 0 failed/,
    );
    expect(await run(sessionReplay, [id], { mode: ["simulate"] })).toMatchObject({ status: 0, document: { steps: [{ is_stored: true }] } });
    const changed = await run(sessionReplay, [id], { mode: ["modified"], change: ["1=y"] });
    expect(changed).toMatchObject({ status: 0, document: { steps: [{ input: "y" }] } });
    expect(await failure(run(sessionReplay, [id], { mode: ["modified"], change: ["y"] }))).toMatchObject({ code: "usage-value" });
  });
});

describe("state", () => {
  it("set, get, list and clear use the values of scripts", async () => {
    const { run } = await kept();
    for (const [text, value] of [
      ['{"rain":true}', { rain: true }],
      ["plain words", "plain words"],
      ["null", null],
      ['{"id":9007199254740993,"n":1.5}', { id: "9007199254740993", n: 1.5 }],
      ["1e400", "1e400"],
    ] as const) {
      await run(stateSet, ["notes", "today", text]);
      expect((await run(stateGet, ["notes", "today"])).document).toEqual({ status: "ok", scope: "notes", key: "today", value });
    }
    expect((await run(stateList)).document).toEqual({ status: "ok", scopes: ["notes"] });
    expect((await run(stateList, ["notes"], {}, "text")).text).toBe("today\n");
    expect(await failure(run(stateGet, ["notes", "x"]))).toMatchObject({ code: "state-unknown", exitCode: 1 });
    expect(await failure(run(stateClear, ["notes"]))).toMatchObject({ code: "usage-confirm" });
    expect((await run(stateClear, ["notes"], { yes: [] })).document).toEqual({ status: "ok", scope: "notes", cleared: 1 });
  });

  it("names take one line each, and set takes no empty ones", async () => {
    const { run } = await kept();
    for (const name of ["plain name", "two\nlines", "bell\u0007"]) await run(stateSet, ["a", name, "1"]);
    expect((await run(stateList, ["a"], {}, "text")).text).toBe('"bell\\u0007"\nplain name\n"two\\nlines"\n');
    for (const operands of [
      ["", "k", "1"],
      ["a", " ", "1"],
    ])
      expect(await failure(run(stateSet, operands))).toMatchObject({ code: "usage-value" });
    expect((await run(stateList)).document).toMatchObject({ scopes: ["a"] });
  });
});

it("what lives in memory is refused, with the lines that keep it", async () => {
  const { run } = await kept({ kind: "defaults" });
  expect(await failure(run(sessionList))).toMatchObject({ code: "session-disabled", where: "runtime.sessions.enabled", actions: [{}, {}] });
  expect(await failure(run(stateList))).toMatchObject({
    code: "state-disabled",
    where: "runtime.state_persistence.backend_type",
    actions: [{}],
  });
});

it("what one process keeps another finds", async () => {
  const env = { LLMSPELL_HOME: join(home, "kept"), LLMSPELL_RUNTIME_STATE_PERSISTENCE_BACKEND_TYPE: "file" };
  expect(await cli(["exec", 'State.save("a", "k", {1, 2})'], { env })).toMatchObject({ status: 0 });
  expect(await cli(["state", "get", "a", "k", "--output", "json"], { env })).toMatchObject({
    stdout: '{"status":"ok","scope":"a","key":"k","value":[1,2]}\n',
    status: 0,
  });
});
