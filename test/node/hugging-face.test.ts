/** Folders and tokens by the variables of Hugging Face's tools. The paths are those that huggingface_hub 0.36.0 (constants.py) gives for them. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { hubCache, hubToken } from "../../src/node/hugging-face.ts";

const folder = mkdtempSync(join(tmpdir(), "llmspell-hf-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const person = homedir();

describe("hubCache", () => {
  it.each<[Record<string, string>, string]>([
    [{}, `${person}/.cache/huggingface/hub`],
    [{ XDG_CACHE_HOME: "/xdg" }, "/xdg/huggingface/hub"],
    [{ XDG_CACHE_HOME: "~/x" }, `${person}/x/huggingface/hub`],
    [{ XDG_CACHE_HOME: "/xdg", HF_HOME: "/hf" }, "/hf/hub"],
    [{ HF_HOME: "" }, `${person}/.cache/huggingface/hub`],
    [{ HF_HOME: "~" }, `${person}/hub`],
    [{ HF_HOME: "~/hf" }, `${person}/hf/hub`],
    [{ HF_HOME: "$DISK/hf", DISK: "/d" }, "/d/hf/hub"],
    [{ HF_HOME: `\${DISK}/hf`, DISK: "/d" }, "/d/hf/hub"],
    [{ HF_HOME: "$NOT_SET/hf" }, "$NOT_SET/hf/hub"],
    [{ HF_HOME: "/hf", HUGGINGFACE_HUB_CACHE: "~/old" }, `${person}/old`],
    [{ HF_HOME: "/hf", HUGGINGFACE_HUB_CACHE: "/old", HF_HUB_CACHE: "/new" }, "/new"],
  ])("%j → %s", (env, path) => expect(hubCache(env)).toBe(path));
});

describe("hubToken", () => {
  const write = (name: string, text: string): string => {
    const path = join(folder, name);
    mkdirSync(join(path, ".."), { recursive: true });
    writeFileSync(path, text);
    return path;
  };
  write("xdg/huggingface/token", "hf_xdg\n");
  write("home/token", "hf_home\n");
  write("own", " hf_own \r\n");
  write("two", "hf_first_secret\nhf_second_secret\n");
  write("long", "hf_long".repeat(20_000));

  it.each<[string, Record<string, string>, string | undefined]>([
    ["the variable", { HF_TOKEN: " hf_env\n", HF_HOME: join(folder, "home") }, "hf_env"],
    ["the older variable", { HUGGING_FACE_HUB_TOKEN: "hf_older" }, "hf_older"],
    ["the newer before the older", { HF_TOKEN: "hf_env", HUGGING_FACE_HUB_TOKEN: "hf_older" }, "hf_env"],
    ["a file of one's own", { HF_TOKEN_PATH: join(folder, "own"), HF_HOME: join(folder, "home") }, "hf_own"],
    ["a file named with a variable", { HF_TOKEN_PATH: "$PLACE/own", PLACE: folder }, "hf_own"],
    ["beside the cache", { HF_HOME: join(folder, "home") }, "hf_home"],
    ["beside the cache in XDG_CACHE_HOME", { XDG_CACHE_HOME: join(folder, "xdg") }, "hf_xdg"],
    ["none", { HF_HOME: join(folder, "none") }, undefined],
    ["a folder in its place", { HF_TOKEN_PATH: folder }, undefined],
    ["a file that is no token", { HF_TOKEN_PATH: join(folder, "long") }, undefined],
  ])("%s", (_, env, token) => expect(hubToken(env)).toBe(token));

  it.each([
    ["the variable", { HF_TOKEN: "hf_first_secret\nhf_second" }, "HF_TOKEN"],
    ["the older variable", { HUGGING_FACE_HUB_TOKEN: "hf_first_secret\u200b" }, "HUGGING_FACE_HUB_TOKEN"],
    ["the file", { HF_TOKEN_PATH: join(folder, "two") }, join(folder, "two")],
  ])("what no header can carry → net-auth that names %s", (_, env, where) => {
    expect(() => hubToken(env)).toThrow(expect.objectContaining({ code: "net-auth", where }));
    expect(() => hubToken(env)).not.toThrow(/first_secret/);
  });
});
