import { execFileSync } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { homedir, tmpdir, userInfo } from "node:os";
import { join } from "node:path";
import { describe, expect, it, vi } from "vitest";
import { resolveSource } from "../../src/core/config/resolve.ts";
import { nodeConfig, readConfigFile } from "../../src/node/config-files.ts";
import { homeFolder } from "../../src/node/home.ts";
import { createSpell, providerNames, resolveConfig } from "../../src/node/index.ts";
import { posix } from "../support/only-where.ts";
import { root } from "../support.ts";
import { unprivileged } from "./support/unprivileged.ts";

const folder = mkdtempSync(join(tmpdir(), "llmspell-config-"));
const write = (name: string, content: string | Uint8Array): string => {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
};

describe("configuration files on disk", () => {
  it("G74: folders, pipes and devices are config-not-regular, at once", () => {
    const pipe = join(folder, "pipe.toml");
    if (process.platform !== "win32") {
      execFileSync("mkfifo", [pipe]);
      expect(() => readConfigFile(pipe)).toThrow(expect.objectContaining({ code: "config-not-regular" }));
      expect(() => readConfigFile("/dev/zero")).toThrow(expect.objectContaining({ code: "config-not-regular" }));
    }
    expect(() => readConfigFile(folder)).toThrow(
      expect.objectContaining({ code: "config-not-regular", message: expect.stringContaining("is a folder") }),
    );
  });

  posix.it("G74: a file that may not be read is config-unreadable", async () => {
    const path = write("secret.toml", "");
    chmodSync(path, 0);
    chmodSync(folder, 0o755);
    await unprivileged(() => expect(() => readConfigFile(path)).toThrow(expect.objectContaining({ code: "config-unreadable" })));
  });

  posix.it("G74: a loop of links is config-unreadable", () => {
    symlinkSync(join(folder, "loop.toml"), join(folder, "loop.toml"));
    expect(() => readConfigFile(join(folder, "loop.toml"))).toThrow(expect.objectContaining({ code: "config-unreadable" }));
  });

  it("G74: bytes that are no UTF-8 are config-syntax; a BOM passes; UTF-16 does not", () => {
    expect(() => readConfigFile(write("latin.toml", Uint8Array.of(0x78, 0x2d, 0xe9)))).toThrow(
      expect.objectContaining({ code: "config-syntax", message: expect.stringMatching(/latin\.toml:1:3: not UTF-8 text$/) }),
    );
    expect(() => readConfigFile(write("utf16.toml", Uint8Array.of(0xff, 0xfe, 0x61, 0)))).toThrow(
      expect.objectContaining({ code: "config-syntax", message: expect.stringContaining("save it as UTF-8") }),
    );
    expect(readConfigFile(write("bom.toml", "\ufeffx-a = 1")).text).toBe("x-a = 1");
  });

  it("G73: more than 1 MiB is refused before it is read", () => {
    expect(() => readConfigFile(write("large.toml", "#".repeat(1024 * 1024 + 1)))).toThrow(
      expect.objectContaining({ code: "config-syntax" }),
    );
  });

  it("a missing one offers to make it", () => {
    expect(() => readConfigFile("no/such.toml")).toThrow(
      expect.objectContaining({
        code: "config-not-found",
        actions: [{ kind: "new-config", file: "no/such.toml" }],
        message: expect.stringContaining("explicitly given"),
      }),
    );
    expect(() => readConfigFile("no such.toml", "LLMSPELL_CONFIG")).toThrow(
      expect.objectContaining({
        actions: [{ kind: "new-config", file: "no such.toml" }],
        code: "config-not-found",
        message: expect.stringMatching(/^no such\.toml: .*LLMSPELL_CONFIG/),
      }),
    );
  });

  it("makes paths absolute: the home of the program, of the person, variables, the folder of the file", async () => {
    mkdirSync(join(folder, "deep"), { recursive: true });
    const path = write(
      "deep/own.toml",
      `[models]\ncatalogue = "./models.toml"\n[providers.candle]\nmodel_directory = "\${PLACE}/models"\n`,
    );
    const config = async (env: Record<string, string>) =>
      (await resolveSource({ kind: "file", ...readConfigFile(path) }, nodeConfig(env))).get;
    const get = await config({ PLACE: "/place" });
    expect(get("models.catalogue")?.value).toBe(join(folder, "deep", "models.toml"));
    expect(get("providers.candle.model_directory")?.value).toBe(join("/place", "models"));
    expect(get("runtime.state_persistence.directory")?.value).toBe(join(homeFolder(), "state"));
    const { resolvePath } = nodeConfig({ X: "y" });
    expect(resolvePath?.("~/a", undefined)).toEqual({ path: join(homedir(), "a") });
    expect(resolvePath?.("~/.llmspell", undefined)).toEqual({ path: homeFolder() });
    expect(resolvePath?.("$X/a", "/f")).toEqual({ path: join("/f", "y", "a") });
    await expect(config({})).rejects.toThrow("the variable PLACE is not set");
  });
});

describe("the home", () => {
  it("G79: an empty HOME says as little as none; ~ is read in LLMSPELL_HOME", () => {
    vi.stubEnv("LLMSPELL_HOME", "");
    vi.stubEnv("HOME", "");
    vi.stubEnv("USERPROFILE", userInfo().homedir);
    expect(homeFolder()).toBe(join(userInfo().homedir, ".llmspell"));
    vi.stubEnv("HOME", folder);
    vi.stubEnv("USERPROFILE", folder);
    expect(homeFolder()).toBe(join(folder, ".llmspell"));
    vi.stubEnv("LLMSPELL_HOME", "~/elsewhere");
    expect(homeFolder()).toBe(join(folder, "elsewhere"));
    vi.unstubAllEnvs();
  });
});

describe("an additional catalogue", () => {
  it("that is missing names the key", async () => {
    const spell = createSpell({ config: { models: { catalogue: "no/such.toml" } }, env: {} });
    await expect(spell.models.available()).rejects.toMatchObject({
      code: "config-not-found",
      message: expect.stringMatching(/^models\.catalogue: .*such\.toml: no such file/),
      actions: [{ kind: "show-config", section: "models" }],
    });
  });
});

describe("the library in Node", () => {
  it("takes the path of a file, with lines in its origins, and the environment over it", async () => {
    const path = write("lib.toml", '[providers.candle]\ndevice = "cpu"\nbatch_size = 7\n');
    const { get, source } = await resolveConfig({ config: path, env: { LLMSPELL_PROVIDERS_CANDLE_BATCH_SIZE: "9" } });
    expect(source).toBe(`file:${path}`);
    expect(get("providers.candle.device")).toEqual({ value: "cpu", origin: `file:${path}:2` });
    expect(get("providers.candle.batch_size")).toEqual({ value: 9, origin: "env:LLMSPELL_PROVIDERS_CANDLE_BATCH_SIZE" });
    expect((await createSpell({ config: path, env: {} }).config()).get("providers.candle.batch_size")?.value).toBe(7);
  });

  it("reads process.env where nothing else is said", async () => {
    process.env["LLMSPELL_RAG_SEARCH_TOP_K"] = "17";
    try {
      expect((await resolveConfig()).config.rag.search.top_k).toBe(17);
      expect((await resolveConfig({ env: {} })).config.rag.search.top_k).toBe(5);
    } finally {
      delete process.env["LLMSPELL_RAG_SEARCH_TOP_K"];
    }
  });
});

describe("examples/configs", () => {
  const files = readdirSync(`${root}/examples/configs`).filter((name) => name.endsWith(".toml"));

  it("are between five and ten, each in the list", () => {
    expect(files.length).toBeGreaterThanOrEqual(5);
    expect(files.length).toBeLessThanOrEqual(10);
    const list = readFileSync(`${root}/examples/configs/README.md`, "utf8");
    for (const name of files) expect(list).toContain(`(${name})`);
  });

  it.each(files)("%s loads, and declares who answers", async (name) => {
    const path = `${root}/examples/configs/${name}`;
    const { config, warnings, source } = await resolveConfig({ config: path, env: {} });
    expect(source).toBe(`file:${path}`);
    expect(warnings).toEqual([]);
    const declared = [...readFileSync(path, "utf8").matchAll(/^\[providers\.([\w-]+)\]$/gm)].map(([, provider]) => provider);
    expect(providerNames(config)).toEqual(expect.arrayContaining(declared));
    expect(declared).not.toEqual([]);
  });
});
