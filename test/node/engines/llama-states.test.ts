/** States of real sequences: kept by one process, taken by the next; refused where they are not its own. */
import {
  appendFileSync,
  chmodSync,
  copyFileSync,
  cpSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { GgufOpenOptions } from "../../../src/core/spec/runtime.ts";
import { stateFolder } from "../../../src/node/home.ts";
import { tinyLlama, withEntries } from "../../fixtures/gguf/models.ts";
import { writeGguf } from "../../fixtures/gguf-writer.ts";
import { isLong } from "../../support.ts";
import {
  type Answer,
  type AskOptions,
  ask,
  nativeRuntime,
  openFile,
  temporaryFile,
  temporaryFolder,
  tinyStories,
} from "../support/engine.ts";

process.env["LLMSPELL_HOME"] = temporaryFolder("home");
beforeEach(() => rmSync(stateFolder(), { recursive: true, force: true }));

const runtime = nativeRuntime();
const kept = temporaryFolder("kept");
const keep = { model: "tiny-stories", mostBytes: 1e9 };
const story = `${"Once upon a time there was a little girl who had a red ball. ".repeat(8)}One day`;

/** In a process of its own. */
async function run(
  prompts: readonly (readonly [string, AskOptions])[],
  options: Partial<GgufOpenOptions> = {},
  path = tinyStories,
): Promise<readonly Answer[]> {
  const handle = await openFile(runtime, path, { keep, ...options });
  const answers: Answer[] = [];
  for (const [prompt, call] of prompts) answers.push(await ask(handle, prompt, call));
  await handle.dispose();
  return answers;
}

async function once(prompt: string, call: AskOptions, options?: Partial<GgufOpenOptions>, path?: string): Promise<Answer> {
  const [answer] = await run([[prompt, call]], options, path);
  return answer as Answer;
}

const files = (): readonly string[] =>
  readdirSync(stateFolder(), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));
const stateFile = (): string => files().find((path) => path.endsWith(".state")) ?? "";

describe("a conversation", () => {
  it("goes on in another process with nothing but the new tokens, and with the same text", async () => {
    const first = await once(story, { save: "chat" });
    expect(first.end).toMatchObject({ cachedTokens: 0, stateNotes: [] });
    const next = `${story}${first.text} The girl`;
    const second = await once(next, { save: "chat" });
    expect(second.end.stateNotes).toEqual([]);
    expect(second.end.promptTokens - second.end.cachedTokens).toBeLessThan(8);
    const anew = await once(next, {});
    expect(anew.end.cachedTokens).toBe(0);
    expect(second.text).toBe(anew.text);
    // one state for one name
    expect(files()).toHaveLength(2);
  });

  it("may begin anew, or differently: what still fits is taken", async () => {
    await once(story, { save: "chat" });
    const [other, none] = await run([
      [`${story.slice(0, story.length / 2)} But then a dog came.`, { save: "chat" }],
      ["The dog ran home.", { save: "chat" }],
    ]);
    expect(other?.end.cachedTokens).toBeGreaterThan(40);
    expect(other?.end.cachedTokens).toBeLessThan((other?.end.promptTokens ?? 0) - 3);
    expect(none?.end.cachedTokens).toBeLessThan(2);
  });
});

describe("a prompt", () => {
  it("is kept once for all that begin as it does", async () => {
    const first = await once(`${story}, a cat`, { save: true });
    expect(first.end.cachedTokens).toBe(0);
    const [second, third] = await run([
      [`${story}, a dog`, { save: true }],
      [`${story}, a boy`, { save: true, session: "other" }],
    ]);
    for (const answer of [second, third]) expect(answer?.end.cachedTokens).toBeGreaterThan(100);
    expect(second?.text).toBe((await once(`${story}, a dog`, {})).text);
    expect(files()).toHaveLength(2);
    // the very same one computes its last token
    const again = await once(`${story}, a cat`, { save: true });
    expect(again.end.cachedTokens).toBe(again.end.promptTokens - 1);
    expect(again.text).toBe(first.text);
  });

  it("that is short, and calls that do not ask, leave nothing behind", async () => {
    await run([
      ["Once upon a time", { save: true }],
      [story, {}],
    ]);
    expect(statSync(stateFolder(), { throwIfNoEntry: false })).toBeUndefined();
  });
});

describe("refused, with one note, and computed anew", () => {
  let text: string;
  beforeAll(async () => {
    rmSync(stateFolder(), { recursive: true, force: true });
    ({ text } = await once(story, { save: "chat" }));
    cpSync(stateFolder(), kept, { recursive: true });
  });
  beforeEach(() => cpSync(kept, stateFolder(), { recursive: true }));

  const damages: readonly (readonly [string, (path: string) => void])[] = [
    [
      "a bit",
      (path) => {
        const bytes = readFileSync(path);
        bytes[bytes.length >> 1] = (bytes[bytes.length >> 1] ?? 0) ^ 4;
        writeFileSync(path, bytes);
      },
    ],
    ["the end", (path) => writeFileSync(path, readFileSync(path).subarray(0, 1000))],
    ["no file", (path) => rmSync(path)],
    ["more bytes", (path) => appendFileSync(path, "more")],
    ["another file", (path) => writeFileSync(path, "GGUF")],
  ];
  it.each(isLong ? damages : damages.slice(0, 3))("%s", async (_, damage) => {
    damage(stateFile());
    const [answer, again] = await run([
      [story, { save: "chat" }],
      [story, { save: "chat", session: "another" }],
    ]);
    expect(answer?.end.cachedTokens).toBe(0);
    expect(answer?.end.stateNotes).toEqual([expect.stringMatching(/^a kept state was refused, its tokens are computed anew: /)]);
    expect(answer?.text).toBe(text);
    // and it is kept again
    expect(again?.end).toMatchObject({
      cachedTokens: again?.end.promptTokens === undefined ? 0 : again.end.promptTokens - 1,
      stateNotes: [],
    });
  });

  it("tokens of a record that are not those of its state", async () => {
    const record = files().find((path) => path.endsWith(".json")) ?? "";
    const value = JSON.parse(readFileSync(record, "utf8")) as { tokens: string };
    const tokens = Buffer.from(value.tokens, "base64");
    writeFileSync(record, JSON.stringify({ ...value, tokens: tokens.subarray(0, tokens.length - 80).toString("base64") }));
    const { end, text: anew } = await once(story, { save: "chat" });
    expect(end.stateNotes).toEqual([expect.stringContaining("expected the tokens of its record")]);
    expect([end.cachedTokens, anew]).toEqual([0, text]);
  });

  it.skipIf(process.platform === "win32")("a folder that others write to: nothing is taken, and nothing kept", async () => {
    chmodSync(stateFolder(), 0o777);
    const { end } = await once(story, { save: "chat" });
    expect(end.cachedTokens).toBe(0);
    expect(end.stateNotes?.[0]).toMatch(/^kept states cannot be read: .* only its owner writes to$/);
    expect(end.stateNotes?.[1]).toMatch(/^not kept: /);
    chmodSync(stateFolder(), 0o700);
  });
});

describe("of another model or setting", () => {
  it("is not looked at: another context, a file that changed", async () => {
    const path = temporaryFile("copy.gguf", new Uint8Array());
    copyFileSync(tinyStories, path);
    await once(story, { save: "chat" }, {}, path);
    const isCached = async (options?: Partial<GgufOpenOptions>): Promise<boolean> => {
      const { end } = await once(story, { save: "chat" }, options, path);
      expect(end.stateNotes).toEqual([]);
      return end.cachedTokens > 0;
    };
    expect(await isCached()).toBe(true);
    expect(await isCached({ contextLength: 256 })).toBe(false);
    utimesSync(path, 1000, 1000);
    expect(await isCached()).toBe(false);
    const bytes = readFileSync(path);
    bytes[bytes.length - 100] = (bytes[bytes.length - 100] ?? 0) ^ 1;
    writeFileSync(path, bytes);
    utimesSync(path, 1000, 1000);
    expect(await isCached()).toBe(false);
  });
});

it("where a state cannot be taken in part, it is taken by prompts that begin with all of it", async () => {
  // what the header says decides; the engine ignores it for this family
  const path = temporaryFile("window.gguf", writeGguf(withEntries(tinyLlama(), { "llama.attention.sliding_window": ["uint32", 32] })));
  await once(story, { save: true, maxTokens: 4 }, {}, path);
  const [longer, other] = await run(
    [
      [`${story}, a dog`, { save: true, maxTokens: 4 }],
      [`${story.slice(0, -4)} But`, { save: true, maxTokens: 4, session: "other" }],
    ],
    {},
    path,
  );
  expect(longer?.end.cachedTokens).toBeGreaterThan(100);
  expect(other?.end).toMatchObject({ cachedTokens: 0, stateNotes: [] });
});

it("what has no room is not kept, and the answer is whole", async () => {
  const { end, text } = await once(story, { save: "chat" }, { keep: { ...keep, mostBytes: 1000 } });
  expect(end.stateNotes).toEqual([expect.stringMatching(/^not kept: it takes .* MB, and kept_states_mb lets all have 0.1 MB$/)]);
  expect(text).not.toBe("");
  expect(files()).toEqual([]);
});

it("two conversations of one model keep their states apart, in one process and in the next", async () => {
  const dog = `${story} a dog barked. `;
  const cat = `${"The cat sat on a mat and looked at the big moon. ".repeat(8)}Then`;
  const prompts = [
    [dog, { save: "dog", session: "dog" }],
    [cat, { save: "cat", session: "cat" }],
  ] as const;
  await run(prompts);
  for (const { end } of await run([...prompts].reverse())) expect(end.cachedTokens).toBe(end.promptTokens - 1);
});

afterAll(() => rmSync(stateFolder(), { recursive: true, force: true }));
