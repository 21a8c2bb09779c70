import fc from "fast-check";
import { parse } from "smol-toml";
import { describe, expect, it } from "vitest";
import * as z from "zod";
import { configSchema, providerSchemas } from "../../../builtins/schema.ts";
import { providerTypes } from "../../../src/core/config/compiled.generated.ts";
import type { ConfigInput } from "../../../src/core/config/config.generated.ts";
import type { ConfigKey } from "../../../src/core/config/key.ts";
import { isProviderType, keysByPath, keysOfType } from "../../../src/core/config/keys.ts";
import { type Entry, type Layer, mergeLayers } from "../../../src/core/config/layer.ts";
import { locateKeys, pathId } from "../../../src/core/config/positions.ts";
import { resolveSource } from "../../../src/core/config/resolve.ts";
import { configToml } from "../../../src/core/config/toml-text.ts";
import { checkValue } from "../../../src/core/config/value.ts";
import { isLong } from "../../support.ts";

const allKeys: readonly ConfigKey[] = [...keysByPath().values()];

/** TOML is UTF-8, which has no halves of characters; and no system has a path with the character 0. */
const texts = (constraints: fc.StringConstraints): fc.Arbitrary<string> =>
  fc.string({ ...constraints, unit: "binary" }).filter((text) => isWhole(text) && !text.includes("\u0000"));

/** A value the key takes. */
function takenBy({ path, type, choices, min = 0, max = 1, above, least, format, longest = 1024 }: ConfigKey): fc.Arbitrary<unknown> {
  if (choices !== undefined) return fc.constantFrom(...choices);
  switch (type) {
    case "boolean":
      return fc.boolean();
    case "integer":
      return least === undefined ? fc.integer({ min, max }) : fc.oneof(fc.constant(0), fc.integer({ min: least, max }));
    case "number":
      return fc.double({ min, max, minExcluded: above === true, noNaN: true }).map((value) => value + 0);
    case "list":
      if (path === "tools.mcp.servers") return fc.uniqueArray(fc.constantFrom("a = ./server", "b-1 = npx -y x", "c = https://x.test/mcp"));
      return fc.array(texts({ minLength: 1, maxLength: 20 }), { maxLength: 5 });
    case "text":
      if (format === "url") return fc.webUrl();
      if (format === "variable") return fc.constantFrom("A_KEY", "_x1");
      if (format === "model") return fc.constantFrom("tiny-stories", "tinyllama:Q5_K_M", "./model.gguf");
      return texts({ maxLength: Math.min(longest, 40) });
  }
}

function isWhole(text: string): boolean {
  return (text as string & { isWellFormed(): boolean }).isWellFormed();
}

/** Keys whose values must agree with those of other keys. */
const bound = /^providers\.|^rag\.chunking\.(overlap|chunk_size)$|^rag\.vector_storage\.(dimensions|max_memory_mb|hnsw\.(m|max_elements))$/;

/** Any part of a configuration: some keys with values of theirs. */
const someConfig: fc.Arbitrary<ConfigInput> = fc
  .tuple(
    fc.subarray(allKeys.filter(({ path }) => !bound.test(path))),
    fc.subarray(["candle", "ollama", "openai", "anthropic", "my-box"]),
    fc.infiniteStream(fc.nat()),
  )
  .chain(([keys, providers]) => {
    const entries = keys.map((key) => [key.path, takenBy(key)] as const);
    const ofProviders = providers.flatMap((name) => {
      const type = isProviderType(name) ? name : "candle";
      const own = [...keysOfType(type).values()].map(
        (key) => [`providers.${name}.${key.path}`, fc.option(takenBy(key), { nil: undefined })] as const,
      );
      return [[`providers.${name}.provider_type`, fc.constant(type)] as const, ...own];
    });
    return fc.record(Object.fromEntries([...entries, ...ofProviders]) as Record<string, fc.Arbitrary<unknown>>);
  })
  .map(nest);

function nest(flat: Readonly<Record<string, unknown>>): ConfigInput {
  const root: Record<string, unknown> = {};
  for (const [path, value] of Object.entries(flat)) {
    if (value === undefined) continue;
    let table = root;
    const parts = path.split(".");
    for (const part of parts.slice(0, -1)) {
      table[part] ??= {};
      table = table[part] as Record<string, unknown>;
    }
    table[parts.at(-1) as string] = value;
  }
  return root as ConfigInput;
}

const plain = (value: unknown): unknown => JSON.parse(JSON.stringify(value));
const runs = { numRuns: 150 };

describe("properties of the configuration", () => {
  it("merging layers is associative, and the last layer wins", () => {
    const origin = fc.constantFrom("default", "file:x:1", "env:X");
    const layer: fc.Arbitrary<Layer> = fc
      .dictionary(fc.constantFrom("a", "b.c", "b.d", "__proto__", "constructor"), fc.tuple(fc.nat(), origin))
      .map((entries) => new Map(Object.entries(entries).map(([path, [value, from]]): [string, Entry] => [path, { value, origin: from }])));
    fc.assert(
      fc.property(layer, layer, layer, (a, b, c) => {
        expect(mergeLayers(mergeLayers(a, b), c)).toEqual(mergeLayers(a, mergeLayers(b, c)));
        for (const [path, entry] of c) expect(mergeLayers(a, b, c).get(path)).toEqual(entry);
        expect(mergeLayers(a, new Map())).toEqual(a);
      }),
    );
  });

  it("a configuration written as TOML loads as the same configuration", async () => {
    await fc.assert(
      fc.asyncProperty(someConfig, async (values) => {
        const first = await resolveSource({ kind: "object", values });
        const again = await resolveSource({ kind: "text", text: configToml(first.config) });
        expect(plain(again.config)).toEqual(plain(first.config));
        const withNotes = configToml(first.config, { note: (path) => first.origins.get(path) });
        expect(plain((await resolveSource({ kind: "text", text: withNotes })).config)).toEqual(plain(first.config));
      }),
      runs,
    );
  });

  it("every key the parser finds has a position, where its text and its value stand", async () => {
    const check = (text: string): void => {
      const positions = locateKeys(text);
      const visit = (value: unknown, parts: readonly string[]): void => {
        if (typeof value !== "object" || value === null || Array.isArray(value) || value instanceof Date) {
          const position = positions.get(pathId(parts));
          expect(position?.value, `${parts.join(".")} in ${text}`).toBeDefined();
          const [start, end] = position?.value ?? [0, 0];
          expect(plain(parse(`v = ${text.slice(start, end)}`)["v"])).toEqual(plain(value));
          return;
        }
        for (const [name, inner] of Object.entries(value)) visit(inner, [...parts, name]);
      };
      visit(parse(text), []);
    };
    await fc.assert(
      fc.asyncProperty(someConfig, async (values) => check(configToml(values))),
      runs,
    );
    for (const text of [
      'a = 1 # b = 2\nc . "d.e".\'f\' = """x = 1\n[no]\n\\""""""\n',
      "a = '''\n[x]\ny = 1'''\nb = ''''quoted''''\n[t] # [u]\n c = [ # [\n 1, \"]\", { z = 1 }, ] \n",
      'a = { b = { c = 1, "d" = "}" }, e.f = [ { g = 1 } ] }\r\n[h.i]\r\nj = 1979-05-27 07:32:00 # k\r\n',
      "[[list]]\n[x]\na=0x1f\nb = inf\n'' = 1\n",
    ])
      check(text.replace("[[list]]\n", ""));
    expect(() => locateKeys("[[list]]\na = 1\n[[list]]\na = 2\n[list.b]\nc = 1\n")).not.toThrow();
  });

  it("the scanner ends on any text", () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 200 }), (text) => {
        locateKeys(text);
      }),
    );
    fc.assert(
      fc.property(
        fc.array(fc.constantFrom("[", "]", "{", "}", '"', "'", "=", ".", ",", "#", "\n", "a", " ", "\\", '"""', "'''"), { maxLength: 60 }),
        (parts) => {
          locateKeys(parts.join(""));
        },
      ),
      { numRuns: isLong ? 2000 : 700 },
    );
  });
});

describe("the compiled schema", () => {
  const anything = fc.oneof(
    fc.boolean(),
    fc.integer(),
    fc.integer({ min: -2, max: 200 }),
    fc.double(),
    fc.string({ maxLength: 5 }),
    fc.webUrl(),
    fc.constant("http://x"),
    fc.constant(null),
    fc.constant(2 ** 53),
    fc.array(fc.oneof(fc.string({ maxLength: 3 }), fc.nat()), { maxLength: 20 }),
    fc.object({ maxDepth: 1 }),
  );
  const leaf = (path: string): z.ZodType => {
    let schema: unknown = configSchema;
    for (const part of path.split(".")) schema = (schema as z.ZodObject).shape[part];
    return schema as z.ZodType;
  };
  /** What the compiled form adds on purpose: letters of either case, and rules on what a text means. */
  const agrees = (key: ConfigKey, schema: z.ZodType, value: unknown): void => {
    if (typeof value === "string" && (key.choices !== undefined || key.format !== undefined)) return;
    expect(checkValue(key, value) !== undefined, `${key.path} ${JSON.stringify(value)}`).toBe(
      value !== undefined && schema.safeParse(value).success,
    );
  };

  it("takes what zod takes, and refuses what zod refuses, for every key", () => {
    for (const key of allKeys) {
      const schema = leaf(key.path);
      fc.assert(
        fc.property(fc.oneof(anything, takenBy(key)), (value) => agrees(key, schema, value)),
        { numRuns: 60 },
      );
      for (const value of [key.min, key.max, (key.min ?? 0) - 1, (key.max ?? 0) + 1, Number.NaN, Number.POSITIVE_INFINITY])
        agrees(key, schema, value);
    }
    for (const type of providerTypes) {
      for (const [path, key] of keysOfType(type)) {
        const schema = providerSchemas[type]?.[path] as z.ZodType;
        fc.assert(
          fc.property(fc.oneof(anything, takenBy(key)), (value) => agrees(key, schema, value)),
          { numRuns: 60 },
        );
      }
    }
  });

  it("has every key of the schema, with its default", () => {
    const defaults = z.toJSONSchema(configSchema, { io: "input" });
    const count = (node: unknown): number => {
      const { properties } = node as { properties?: Record<string, unknown> };
      return properties === undefined ? 1 : Object.values(properties).reduce((sum: number, inner) => sum + count(inner), 0);
    };
    expect(allKeys).toHaveLength(count(defaults));
    for (const key of allKeys) {
      const parsed = leaf(key.path).safeParse(undefined);
      expect(parsed.success ? parsed.data : "refused", key.path).toEqual(key.fallback);
    }
  });
});
