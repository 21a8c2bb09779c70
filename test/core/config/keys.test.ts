import { existsSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { builtinProfiles, providerTypes } from "../../../src/core/config/compiled.generated.ts";
import type { ConfigKey } from "../../../src/core/config/key.ts";
import { isProviderType, isSecret, keysByPath, keysOfType, sectionNames } from "../../../src/core/config/keys.ts";
import { variableOf } from "../../../src/core/config/switch-on.ts";
import { parameterRules } from "../../../src/core/text/parameters.ts";
import { root } from "../../support.ts";

const allKeys: readonly ConfigKey[] = [...keysByPath().values()];
const ofProviders = providerTypes.flatMap((type) => [...keysOfType(type).values()]);
const everyKey: readonly ConfigKey[] = [...allKeys, ...ofProviders];

/** What a key waits for where nothing reads it yet. Nothing else may be written there. */
const waiting = ["later: device memory"];

describe("the table of keys", () => {
  it("names for each key the code that reads it, which does, or what it waits for", () => {
    for (const { path, reader } of everyKey) {
      if (waiting.includes(reader)) continue;
      const file = `${root}/${reader}`;
      expect(existsSync(file), `${path}: ${reader}`).toBe(true);
      expect(readFileSync(file, "utf8").includes(path.slice(path.lastIndexOf(".") + 1)), `${path} in ${reader}`).toBe(true);
    }
  });

  it("has one variable for each key, none of them reserved, none twice", () => {
    const variables = allKeys.map(({ path }) => variableOf(path));
    for (const name of ["candle", "ollama", "openai", "anthropic"])
      for (const path of isProviderType(name) ? keysOfType(name).keys() : []) variables.push(variableOf(`providers.${name}.${path}`));
    expect(new Set(variables).size).toBe(variables.length);
    for (const name of ["HOME", "CONFIG", "PROFILE", "TRACE", "DEVICE"]) expect(variables).not.toContain(`LLMSPELL_${name}`);
  });

  it("takes ranges of sampling from the parameters themselves", () => {
    for (const { snakeName, min, max, above } of parameterRules) {
      const key = keysOfType("candle").get(snakeName);
      if (key !== undefined) expect(key).toMatchObject({ min, max, ...(above === undefined ? {} : { above }) });
    }
  });

  it("keeps every default inside its own range, and knows secrets by their names", () => {
    for (const { path, fallback, min, max, choices } of everyKey) {
      if (typeof fallback === "number") expect(fallback >= (min ?? fallback) && fallback <= (max ?? fallback), path).toBe(true);
      if (choices !== undefined && fallback !== undefined) expect(choices, path).toContain(fallback);
    }
    expect(["api_key", "providers.x.api_key", "hf_token", "password", "client_secret", "storage.postgres_url"].every(isSecret)).toBe(true);
    expect(["api_key_env", "postgres_url_env", "max_tokens", "max_input_tokens", "tokens_per_second"].some(isSecret)).toBe(false);
  });

  it("has sections in the order of the documentation, and a reader for every key a profile sets", () => {
    expect(sectionNames()).toEqual([
      "default_engine",
      "default_model",
      "engines",
      "providers",
      "models",
      "runtime",
      "storage",
      "hooks",
      "events",
      "tools",
      "debug",
      "rag",
    ]);
    const page = readFileSync(`${root}/docs/configuration.md`, "utf8");
    for (const { path } of allKeys) expect(page).toContain(`| \`${path}\` |`);
    for (const { name } of builtinProfiles) expect(page).toContain(`../builtins/profiles/${name}.toml`);
  });
});
