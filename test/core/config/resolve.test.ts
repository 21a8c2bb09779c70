import { describe, expect, it } from "vitest";
import { builtinProfiles } from "../../../src/core/config/compiled.generated.ts";
import type { CandleProvider } from "../../../src/core/config/config.generated.ts";
import { providerNames, providerOf } from "../../../src/core/config/providers.ts";
import { type ConfigSource, resolveSource } from "../../../src/core/config/resolve.ts";

const file = (text: string): ConfigSource => ({ kind: "file", path: "my.toml", folder: "/folder", text, isPublic: false });
const profile = (name: string): ConfigSource => ({ kind: "profile", name });

/** Every leaf of a plain object with its dotted path. */
function leaves(value: object, prefix = ""): [string, unknown][] {
  return Object.entries(value).flatMap(([name, inner]) =>
    typeof inner === "object" && inner !== null && !Array.isArray(inner)
      ? leaves(inner, `${prefix}${name}.`)
      : [[prefix + name, inner] as [string, unknown]],
  );
}

describe("profiles", () => {
  it("are ten, and load by long and short name in any case, without a warning of their own keys", async () => {
    expect(builtinProfiles.map(({ name }) => name).sort()).toEqual(
      [
        "minimal",
        "development",
        "providers",
        "state",
        "sessions",
        "ollama",
        "candle",
        "rag-development",
        "rag-production",
        "rag-performance",
      ].sort(),
    );
    for (const { name, aliases } of builtinProfiles) {
      for (const typed of [name, name.toUpperCase(), ...aliases]) {
        const { source, warnings } = await resolveSource(profile(typed));
        expect(source).toBe(`profile:${name}`);
        expect(warnings, name).toEqual([]);
      }
    }
  });

  it("give every value they set, with their own origin, and defaults for the rest", async () => {
    for (const { name, values } of builtinProfiles) {
      const resolved = await resolveSource(profile(name));
      for (const [path, value] of leaves(values))
        expect(resolved.get(path), `${name} ${path}`).toEqual({ value, origin: `profile:${name}` });
      for (const [path, origin] of resolved.origins)
        if (!leaves(values).some(([own]) => own === path) && !path.endsWith(".provider_type"))
          expect(origin, `${name} ${path}`).toBe("default");
    }
  });

  it("the three for retrieval write out all 84 keys of rag", async () => {
    for (const name of ["rag-dev", "rag-prod", "rag-perf"]) {
      const { config, origins } = await resolveSource(profile(name));
      const paths = leaves(config.rag).map(([path]) => `rag.${path}`);
      expect(paths).toHaveLength(84);
      expect(new Set(paths.map((path) => origins.get(path)))).toEqual(
        new Set([`profile:${(await resolveSource(profile(name))).source.slice(8)}`]),
      );
    }
  });

  it("have exactly the providers they declare", async () => {
    const declared = async (name: string) => providerNames((await resolveSource(profile(name))).config);
    expect(await declared("minimal")).toEqual([]);
    expect(await declared("candle")).toEqual(["candle"]);
    expect(await declared("ollama")).toEqual(["ollama"]);
    expect(await declared("development")).toEqual(["openai", "anthropic", "candle"]);
    expect(await declared("rag-perf")).toEqual(["openai", "candle"]);
  });

  it("an unknown one names the nearest and all by category", async () => {
    await expect(resolveSource(profile("candel"))).rejects.toMatchObject({
      code: "profile-unknown",
      exitCode: 2,
      message: "Builtin profile 'candel' not found. Did you mean 'candle'?",
      hint: expect.stringContaining("RAG: rag-development (rag-dev)"),
      actions: [{ kind: "list-profiles" }],
    });
    for (const name of ["__proto__", "constructor", "", "x".repeat(5000)])
      await expect(resolveSource(profile(name))).rejects.toMatchObject({ code: "profile-unknown" });
  });
});

describe("layers", () => {
  it("without anything: two providers, and the bundled model", async () => {
    const { config, source, origins } = await resolveSource({ kind: "defaults" });
    expect(source).toBe("defaults");
    expect(providerNames(config)).toEqual(["candle", "ollama"]);
    expect((config.providers["candle"] as CandleProvider).default_model).toBe("tiny-stories");
    expect(config.providers["ollama"]).toMatchObject({ default_model: "llama3.2:1b", timeout_seconds: 120 });
    expect(new Set(origins.values())).toEqual(new Set(["default"]));
  });

  it("a file with a provider has only its own; a file without keeps both", async () => {
    expect(providerNames((await resolveSource(file("[providers.candle]\n"))).config)).toEqual(["candle"]);
    expect(providerNames((await resolveSource(file("[rag]\nenabled = true\n"))).config)).toEqual(["candle", "ollama"]);
    const own = (await resolveSource(file('[providers.box]\nprovider_type = "candle"\ndevice = "cuda"\n'))).config;
    expect(providerNames(own)).toEqual(["box"]);
    expect(providerOf(own, "box")).toMatchObject({ provider_type: "candle", device: "cuda", context_size: 4096, max_concurrent: 1 });
    expect((own.providers["box"] as CandleProvider).default_model).toBeUndefined();
  });

  it("a table of providers that is written and empty declares none", async () => {
    for (const source of [file("[providers]\n"), { kind: "object" as const, values: { providers: {} } }]) {
      expect(providerNames((await resolveSource(source)).config)).toEqual([]);
      const { config } = await resolveSource(source, { env: { LLMSPELL_PROVIDERS_OLLAMA_DEFAULT_MODEL: "x" } });
      expect(providerNames(config)).toEqual(["ollama"]);
    }
    expect(providerNames((await resolveSource(file('[providers]\ndefault_provider = "candle"\n'))).config)).toEqual(["candle", "ollama"]);
  });

  it("a provider that is switched off counts as not declared", async () => {
    const { config } = await resolveSource(file("[providers.candle]\nenabled = false\n[providers.ollama]\n"));
    expect(providerNames(config)).toEqual(["ollama"]);
    expect(providerOf(config, "candle")).toBeUndefined();
  });

  it("the environment beats a profile, and says so", async () => {
    const { config, get } = await resolveSource(profile("rag-prod"), { env: { LLMSPELL_RAG_ENABLED: "false" } });
    expect(config.rag.enabled).toBe(false);
    expect(get("rag.enabled")).toEqual({ value: false, origin: "env:LLMSPELL_RAG_ENABLED" });
    expect(get("rag.multi_tenant")).toEqual({ value: true, origin: "profile:rag-production" });
  });

  it("a file names the line of each of its keys", async () => {
    const { origins } = await resolveSource(
      file('# head\ndefault_engine = "lua"\n\n[runtime]\nlog_level = "info"\nsecurity = { allow_file_access = true }\n'),
    );
    expect([origins.get("default_engine"), origins.get("runtime.log_level"), origins.get("runtime.security.allow_file_access")]).toEqual([
      "file:my.toml:2",
      "file:my.toml:5",
      "file:my.toml:6",
    ]);
  });

  it("makes objects without a prototype, at every level", async () => {
    const { config } = await resolveSource({ kind: "object", values: { rag: { enabled: true } } });
    const check = (value: unknown): void => {
      if (typeof value !== "object" || value === null || Array.isArray(value)) return;
      expect(Object.getPrototypeOf(value)).toBeNull();
      Object.values(value).forEach(check);
    };
    check(config);
    expect(providerOf(config, "constructor")).toBeUndefined();
    expect(providerOf(config, "__proto__")).toBeUndefined();
  });

  it("objects of a program are checked like files, also hostile ones", async () => {
    const values = JSON.parse('{"__proto__": {"polluted": 1}, "rag": {"enabled": true}}');
    await expect(resolveSource({ kind: "object", values })).rejects.toMatchObject({ code: "config-unknown-key" });
    const circular: Record<string, unknown> = {};
    circular["x-self"] = circular;
    await expect(resolveSource({ kind: "object", values: circular })).rejects.toMatchObject({ code: "config-syntax" });
    expect(({} as Record<string, unknown>)["polluted"]).toBeUndefined();
    const { get } = await resolveSource({ kind: "object", values: { rag: { enabled: true } } });
    expect(get("rag.enabled")).toEqual({ value: true, origin: "object" });
  });

  it("expands paths in path keys alone, from the folder of the file", async () => {
    const resolvePath = (text: string, folder: string | undefined) => ({ path: `<${folder ?? "cwd"}:${text}>` });
    const { get } = await resolveSource(file('[models]\ncatalogue = "own.toml"\n[providers.candle]\ndefault_model = "./m.gguf"\n'), {
      resolvePath,
      env: { LLMSPELL_PROVIDERS_CANDLE_MODEL_DIRECTORY: "here" },
    });
    expect(get("models.catalogue")?.value).toBe("</folder:own.toml>");
    expect(get("providers.candle.model_directory")?.value).toBe("<cwd:here>");
    expect(get("providers.candle.default_model")?.value).toBe("./m.gguf");
    expect(get("rag.vector_storage.persistence_path")?.value).toBe("");
    const listed = await resolveSource(file('[runtime.security]\nallowed_paths = ["./notes", "~/b"]\n'), { resolvePath });
    expect(listed.get("runtime.security.allowed_paths")?.value).toEqual(["</folder:./notes>", "</folder:~/b>"]);
  });

  it("says which path cannot be made absolute, by its source", async () => {
    const resolvePath = () => ({ problem: "the variable NOPE is not set" });
    await expect(resolveSource(file('[models]\ncatalogue = "$NOPE"\n'), { resolvePath })).rejects.toMatchObject({
      details: { problems: expect.arrayContaining([expect.objectContaining({ code: "config-value", path: "models.catalogue", line: 2 })]) },
    });
    await expect(resolveSource({ kind: "defaults" }, { resolvePath, env: { LLMSPELL_MODELS_CATALOGUE: "$NOPE" } })).rejects.toMatchObject({
      details: { problems: expect.arrayContaining([expect.objectContaining({ code: "env-value", where: "LLMSPELL_MODELS_CATALOGUE" })]) },
    });
  });
});
