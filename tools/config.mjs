/**
 * Compiles builtins/schema.ts and builtins/profiles/*.toml into what runs and what is read:
 *   src/core/config/compiled.generated.ts   the keys, and the profiles parsed and checked, as plain data
 *   src/core/config/config.generated.ts     its types
 *   builtins/llmspell.schema.json           JSON Schema for editors
 *   docs/configuration.md
 * Fails where a key is not described, two keys give one environment variable, or a profile does not fit the schema.
 */
import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { parse } from "smol-toml";
import * as z from "zod";

const root = new URL("..", import.meta.url);
/** The schema is not in the package: it is compiled here, for this run only. */
async function schema() {
  const outfile = new URL(".cache/schema.mjs", root);
  await build({
    entryPoints: [fileURLToPath(new URL("builtins/schema.ts", root))],
    outfile: fileURLToPath(outfile),
    bundle: true,
    packages: "external",
    format: "esm",
    logLevel: "warning",
  });
  return import(outfile.href);
}

/**
 * @typedef {import("../src/core/config/key.ts").ConfigKey} ConfigKey
 * @typedef {import("zod").ZodType} Leaf
 */

export const categories = ["Core", "Common Workflows", "Local LLM", "RAG"];

/** @returns {Promise<Record<string, string>>} contents by path */
export async function configFiles() {
  const { configSchema, providerSchemas } = await schema();
  const keys = leavesOf(configSchema).map(([path, leaf]) => compile(path, leaf));
  /** @type {Record<string, ConfigKey[]>} */
  const ofProviders = Object.fromEntries(
    Object.entries(/** @type {Record<string, Record<string, Leaf>>} */ (providerSchemas)).map(([type, leaves]) => [
      type,
      Object.entries(leaves).map(([path, leaf]) => compile(path, leaf)),
    ]),
  );
  checkVariables(keys, ofProviders);
  const profiles = readProfiles(configSchema, providerSchemas);
  return {
    "src/core/config/compiled.generated.ts": dataFile(keys, ofProviders, profiles),
    "src/core/config/config.generated.ts": typesFile(keys, ofProviders),
    "builtins/llmspell.schema.json": `${JSON.stringify(jsonSchema(keys, ofProviders), undefined, 2)}\n`,
    "docs/configuration.md": page(keys, ofProviders, profiles),
  };
}

/** @returns {[string, Leaf][]} every leaf with its dotted path, in the order of the schema */
function leavesOf(/** @type {any} */ schema, prefix = "") {
  /** @type {[string, Leaf][]} */
  const found = [];
  for (const [name, inner] of Object.entries(schema.shape)) {
    const path = prefix === "" ? name : `${prefix}.${name}`;
    if (/** @type {any} */ (inner).shape !== undefined) found.push(...leavesOf(inner, path));
    else found.push([path, /** @type {Leaf} */ (inner)]);
  }
  return found;
}

/** @returns {ConfigKey} */
function compile(/** @type {string} */ path, /** @type {Leaf} */ leaf) {
  const json = /** @type {any} */ (z.toJSONSchema(leaf, { io: "input" }));
  const { description, reader, unit, aliases, format, usually, least } = /** @type {any} */ (leaf.meta() ?? {});
  if (typeof description !== "string" || typeof reader !== "string") throw new Error(`${path}: expected a description and a reader`);
  if (typeof json.type !== "string") throw new Error(`${path}: expected a plain type`);
  const type = /** @type {any} */ ({ string: "text", array: "list" })[json.type] ?? json.type;
  const isNumber = type === "integer" || type === "number";
  return {
    path,
    type,
    choices: json.enum,
    aliases,
    min: isNumber ? (json.minimum ?? json.exclusiveMinimum) : undefined,
    max: isNumber ? json.maximum : undefined,
    above: json.exclusiveMinimum === undefined ? undefined : true,
    least,
    longest: type === "list" ? json.items.maxLength : json.maxLength,
    most: type === "list" ? json.maxItems : undefined,
    format,
    unit,
    fallback: json.default,
    usually,
    doc: description,
    reader,
  };
}

export const reservedVariables = ["HOME", "CONFIG", "PROFILE", "TRACE", "DEVICE"].map((name) => `LLMSPELL_${name}`);
const namedProviders = ["candle", "ollama", "openai", "anthropic"];
const variableOf = (/** @type {string} */ path) => `LLMSPELL_${path.toUpperCase().replace(/[.-]/g, "_")}`;

/** Two keys of one variable, or a key that takes a reserved one, cannot be told apart. */
function checkVariables(/** @type {ConfigKey[]} */ keys, /** @type {Record<string, ConfigKey[]>} */ ofProviders) {
  const taken = new Map(reservedVariables.map((name) => [name, "a reserved variable"]));
  const take = (/** @type {string} */ path) => {
    const name = variableOf(path);
    const other = taken.get(name);
    if (other !== undefined) throw new Error(`${path} and ${other} both give ${name}`);
    taken.set(name, path);
  };
  for (const { path } of keys) take(path);
  for (const name of namedProviders) for (const { path } of ofProviders[name] ?? []) take(`providers.${name}.${path}`);
}

/**
 * @typedef {{ name: string, aliases: string[], category: string, description: string, use_cases: string[], features: string[], values: Record<string, unknown> }} Profile
 * @returns {Profile[]} in the order they are listed
 */
function readProfiles(/** @type {any} */ schema, /** @type {Record<string, Record<string, Leaf>>} */ providerSchemas) {
  const folder = new URL("builtins/profiles/", root);
  const found = readdirSync(folder)
    .filter((file) => file.endsWith(".toml"))
    .map((file) => {
      const { "x-profile": about, ...values } = /** @type {any} */ (parse(readFileSync(new URL(file, folder), "utf8")));
      const { aliases = [], category, description, use_cases, features } = about ?? {};
      if (!categories.includes(category))
        throw new Error(`${file}: x-profile.category: expected ${categories.join(", ")}, got ${category}`);
      for (const field of [aliases, use_cases, features])
        if (!Array.isArray(field)) throw new Error(`${file}: x-profile: expected aliases, use_cases and features as lists`);
      if (typeof description !== "string") throw new Error(`${file}: x-profile.description: expected a text`);
      checkProfile(file, values, schema, providerSchemas);
      return { name: file.slice(0, -".toml".length), aliases, category, description, use_cases, features, values };
    });
  const words = found.flatMap(({ name, aliases }) => [name, ...aliases]);
  if (new Set(words).size !== words.length) throw new Error("two profiles have one name");
  return found.sort((a, b) => categories.indexOf(a.category) - categories.indexOf(b.category) || a.name.localeCompare(b.name, "en"));
}

function checkProfile(
  /** @type {string} */ file,
  /** @type {any} */ values,
  /** @type {any} */ schema,
  /** @type {Record<string, Record<string, Leaf>>} */ providerSchemas,
) {
  const { providers: { default_provider, ...named } = /** @type {any} */ ({}), ...rest } = values;
  partial(schema).parse({ ...rest, providers: { default_provider } });
  if (default_provider !== undefined && named[default_provider] === undefined)
    throw new Error(`${file}: ${default_provider} is not declared`);
  for (const [name, { provider_type = name, ...keys }] of Object.entries(/** @type {Record<string, any>} */ (named))) {
    const leaves = providerSchemas[provider_type];
    if (leaves === undefined) throw new Error(`${file}: providers.${name}: unknown type ${provider_type}`);
    z.strictObject(Object.fromEntries(Object.entries(leaves).map(([key, leaf]) => [key, leaf.optional()]))).parse(flat(keys));
  }
}

/** The schema with every table optional: a profile sets what it sets. @returns {any} */
function partial(/** @type {any} */ schema) {
  return z
    .strictObject(
      Object.fromEntries(
        Object.entries(schema.shape).map(([name, inner]) => [
          name,
          /** @type {any} */ (inner).shape === undefined ? inner : partial(inner),
        ]),
      ),
    )
    .optional();
}

/** @returns {Record<string, unknown>} tables inside become dotted names */
function flat(/** @type {Record<string, any>} */ table, prefix = "") {
  return Object.fromEntries(
    Object.entries(table).flatMap(([name, value]) =>
      typeof value === "object" && !Array.isArray(value) ? Object.entries(flat(value, `${prefix}${name}.`)) : [[prefix + name, value]],
    ),
  );
}

const written = (/** @type {string} */ from) => `Written by tools/generate.mjs from ${from}.`;

/** As an expression: JSON is read in a third of the time of the same object written out, and every program with a profile waits for it. */
const parsed = (/** @type {string} */ json) => `JSON.parse(\`${json.replaceAll(/[\\`]|\$\{/g, "\\$&")}\`)`;

const lines = (/** @type {readonly unknown[]} */ values) => values.map((value) => JSON.stringify(value)).join(",\n");

/** One file of both: what resolves a configuration needs both, and Node takes longer to find a file than to read it. */
function dataFile(
  /** @type {ConfigKey[]} */ keys,
  /** @type {Record<string, ConfigKey[]>} */ ofProviders,
  /** @type {Profile[]} */ profiles,
) {
  const types = Object.keys(ofProviders).map((type) => JSON.stringify(type));
  return `/** ${written("builtins/schema.ts and builtins/profiles/*.toml")} */
import type { BuiltinProfile, ConfigKey, ProviderKey } from "./key.ts";

export const configKeys: readonly ConfigKey[] = ${parsed(`[\n${lines(keys)}\n]`)};

export type ProviderType = ${types.join(" | ")};

export const providerTypes: readonly ProviderType[] = [${types.join(", ")}];

/** Keys of \`[providers.NAME]\`; each applies to the provider types it lists. */
export const providerKeys: readonly ProviderKey[] = ${parsed(`[\n${lines(mergeProviders(ofProviders))}\n]`)};

/** In the order they are listed. */
export const builtinProfiles: readonly BuiltinProfile[] = ${parsed(
    `[\n${lines(profiles.map(({ use_cases, values, ...rest }) => ({ ...rest, useCases: use_cases, values })))}\n]`,
  )};
`;
}

/** One list for all provider types, in which the keys of each type keep their order. Equal keys are listed once. */
function mergeProviders(/** @type {Record<string, ConfigKey[]>} */ ofProviders) {
  /** @type {{ types: string[], text: string, key: ConfigKey }[]} */
  const merged = [];
  for (const [type, keys] of Object.entries(ofProviders)) {
    let at = 0;
    for (const key of keys) {
      const text = JSON.stringify(key);
      const same = merged.findIndex((other, index) => index >= at && other.text === text);
      if (same < 0) merged.splice(at, 0, { types: [type], text, key });
      else merged[same]?.types.push(type);
      at = (same < 0 ? at : same) + 1;
    }
  }
  return merged.map(({ types, key }) => ({ types, ...key }));
}

/** A tree of tables over leaves with dotted paths. @typedef {Map<string, ConfigKey | Tree>} Tree */
function treeOf(/** @type {ConfigKey[]} */ keys) {
  /** @type {Tree} */
  const tree = new Map();
  for (const key of keys) {
    let table = tree;
    const parts = key.path.split(".");
    for (const part of parts.slice(0, -1)) {
      const inner = table.get(part);
      if (inner instanceof Map) table = inner;
      else {
        /** @type {Tree} */
        const fresh = new Map();
        table.set(part, fresh);
        table = fresh;
      }
    }
    table.set(parts.at(-1) ?? "", key);
  }
  return tree;
}

function typeOf(/** @type {ConfigKey} */ { type, choices }) {
  if (choices !== undefined) return choices.map((choice) => JSON.stringify(choice)).join(" | ");
  return { boolean: "boolean", integer: "number", number: "number", text: "string", list: "readonly string[]" }[type];
}

/** @returns {string[]} members of an interface, each with its lines */
function members(/** @type {Tree} */ tree, indent = "  ") {
  return [...tree].map(([name, inner]) => {
    if (inner instanceof Map) return `${indent}readonly ${name}: {\n${members(inner, `${indent}  `).join("\n")}\n${indent}};`;
    const unit = inner.unit === undefined ? "" : ` (${inner.unit})`;
    const type = inner.fallback === undefined ? `?: ${typeOf(inner)} | undefined` : `: ${typeOf(inner)}`;
    return `${indent}/** ${inner.doc}${unit} */\n${indent}readonly ${name}${type};`;
  });
}

const pascal = (/** @type {string} */ text) => text.replace(/(^|[-_])([a-z])/g, (_, __, letter) => letter.toUpperCase());

/** @returns {string[]} what all lists have, in the order of the first */
const sharedBy = (/** @type {string[][]} */ [first = [], ...others]) => first.filter((line) => others.every((list) => list.includes(line)));

const interfaceText = (/** @type {string} */ doc, /** @type {string} */ name, /** @type {string[]} */ body) =>
  `/** ${doc} */\nexport interface ${name} {\n${body.join("\n")}\n}`;

function typesFile(/** @type {ConfigKey[]} */ keys, /** @type {Record<string, ConfigKey[]>} */ ofProviders) {
  const tree = treeOf(keys);
  const sections = [...tree].filter(([name, inner]) => inner instanceof Map && name !== "providers");
  const interfaces = sections.map(([name, inner]) =>
    interfaceText(`\`[${name}]\``, `${pascal(name)}Config`, members(/** @type {Tree} */ (inner))),
  );
  const own = Object.entries(ofProviders).map(([type, inner]) => ({ type, lines: members(treeOf(inner)) }));
  const overHttp = own.filter(({ type }) => ofProviders[type]?.some(({ path }) => path === "base_url"));
  const shared = sharedBy(own.map(({ lines }) => lines));
  const sharedHttp = sharedBy(overHttp.map(({ lines }) => lines)).filter((line) => !shared.includes(line));
  const types = [
    interfaceText("What every provider has.", "AnyProvider", shared),
    interfaceText("What every provider has that is reached over HTTP.", "HttpProvider extends AnyProvider", sharedHttp),
    ...own.map(({ type, lines }) => {
      const isHttp = overHttp.some((other) => other.type === type);
      const rest = lines.filter((line) => !shared.includes(line) && !(isHttp && sharedHttp.includes(line)));
      const name = `${pascal(type)}Provider extends ${isHttp ? "HttpProvider" : "AnyProvider"}`;
      return interfaceText(`\`[providers.NAME]\` with provider_type \`${type}\``, name, [
        `  readonly provider_type: ${JSON.stringify(type)};`,
        ...rest,
      ]);
    }),
  ];
  const root = [...tree].map(([name, inner]) => {
    if (name === "providers") return "  readonly providers: ProvidersConfig;";
    if (inner instanceof Map) return `  readonly ${name}: ${pascal(name)}Config;`;
    return `  /** ${inner.doc} */\n  readonly ${name}: ${typeOf(inner)};`;
  });
  return `/** ${written("builtins/schema.ts")} Names are those of the files. */

${[...interfaces, ...types].join("\n\n")}

export type ProviderConfig = ${Object.keys(ofProviders)
    .map((type) => `${pascal(type)}Provider`)
    .join(" | ")};

/** \`[providers]\`: the tables by their names, and one key of its own. */
export interface ProvidersConfig {
  readonly default_provider?: string | undefined;
  readonly [name: string]: ProviderConfig | string | undefined;
}

/** The effective configuration: every key with its value; those without a default may be missing. */
export interface Config {
${root.join("\n")}
}

type Given<T> = T extends readonly unknown[] ? T : T extends object ? { readonly [K in keyof T]?: Given<T[K]> | undefined } : T;

/** What a program hands in: any part of a configuration. */
export type ConfigInput = Given<Omit<Config, "providers">> & {
  readonly providers?:
    | { readonly default_provider?: string | undefined; readonly [name: string]: Given<ProviderConfig> | string | undefined }
    | undefined;
};
`;
}

/** For editors: spellings as documented, every table with room for keys of a person's own. */
function jsonSchema(/** @type {ConfigKey[]} */ keys, /** @type {Record<string, ConfigKey[]>} */ ofProviders) {
  const table = (/** @type {ConfigKey[]} */ own) =>
    tableSchema({ provider_type: { enum: Object.keys(ofProviders) }, ...propertiesOf(treeOf(own)) });
  // A provider of another name may be of any type, and each has its own defaults.
  const every = [
    ...new Map(
      Object.values(ofProviders)
        .flat()
        .map(({ fallback: _, ...key }) => [key.path, key]),
    ).values(),
  ];
  const { providers, ...sections } = /** @type {any} */ (propertiesOf(treeOf(keys)));
  const named = Object.fromEntries(namedProviders.map((name) => [name, table(ofProviders[name] ?? [])]));
  return {
    $schema: "https://json-schema.org/draft/2020-12/schema",
    title: "llmspell configuration",
    ...tableSchema({
      ...sections,
      providers: {
        ...tableSchema({ ...providers.properties, ...named }),
        additionalProperties: table(every),
      },
    }),
  };
}

/** @returns {Record<string, unknown>} */
function tableSchema(/** @type {Record<string, unknown>} */ properties) {
  return { type: "object", properties, patternProperties: { "^x-": {} }, additionalProperties: false };
}

/** @returns {Record<string, unknown>} */
function propertiesOf(/** @type {Tree} */ tree) {
  return Object.fromEntries(
    [...tree].map(([name, inner]) => {
      if (inner instanceof Map) return [name, tableSchema(propertiesOf(inner))];
      const { type, choices, min, max, above, fallback, doc } = inner;
      return [
        name,
        {
          type: { text: "string", list: "array", boolean: "boolean", integer: "integer", number: "number" }[type],
          items: type === "list" ? { type: "string" } : undefined,
          enum: choices,
          [above === true ? "exclusiveMinimum" : "minimum"]: min,
          maximum: max,
          default: fallback,
          description: doc,
        },
      ];
    }),
  );
}

/** @returns {string} "1 … 16", "lua, javascript" */
function rangeText(/** @type {ConfigKey} */ { type, choices, min, max, above, format, most, least }) {
  if (choices !== undefined) return choices.map((choice) => `\`${choice}\``).join(", ");
  if (type === "boolean") return "true, false";
  if (type === "integer" || type === "number")
    return least === undefined ? `${above === true ? "> " : ""}${min} … ${max}` : `0, ${least} … ${max}`;
  if (type === "list") return `at most ${most} ${format === "path" ? "paths" : "texts"}`;
  return format === "url" ? "http(s) address" : format === "path" ? "path" : format === "model" ? "model spec" : "text";
}

function page(/** @type {ConfigKey[]} */ keys, /** @type {Record<string, ConfigKey[]>} */ ofProviders, /** @type {Profile[]} */ profiles) {
  const fallbackText = (/** @type {ConfigKey} */ { fallback, usually }) =>
    fallback === undefined ? (usually ?? "–") : `\`${JSON.stringify(fallback)}\``;
  const row = (/** @type {ConfigKey} */ key) =>
    `| \`${key.path}\` | ${key.type === "list" ? "list" : key.type} | ${key.unit ?? ""} | ${rangeText(key)} | ${fallbackText(key)} | ${key.doc.replaceAll("|", "\\|")} | ${key.reader.startsWith("src/") ? `[code](../${key.reader})` : key.reader} |`;
  const head = "| key | type | unit | allowed | default | meaning | read by |\n|---|---|---|---|---|---|---|";
  const sections = [...treeOf(keys)].map(([name]) => name);
  const rowsOf = (/** @type {string} */ section) => keys.filter(({ path }) => path === section || path.startsWith(`${section}.`)).map(row);
  const types = Object.keys(ofProviders);
  const spoken = (/** @type {string} */ path) => types.filter((type) => ofProviders[type]?.some((key) => key.path === path));
  const providerRows = [
    ...new Map(
      Object.values(ofProviders)
        .flat()
        .map((key) => [key.path, key]),
    ).keys(),
  ].map((path) => {
    const owners = spoken(path);
    const variants = owners.map((type) => /** @type {ConfigKey} */ (ofProviders[type]?.find((key) => key.path === path)));
    const [first] = /** @type {[ConfigKey]} */ (variants);
    const differs = new Set(variants.map(fallbackText)).size > 1;
    const fallback = differs
      ? owners.map((type, i) => `${type} ${fallbackText(/** @type {ConfigKey} */ (variants[i]))}`).join(", ")
      : fallbackText(first);
    const readers = [...new Set(variants.map(({ reader }) => (reader.startsWith("src/") ? `[code](../${reader})` : reader)))].join(", ");
    return `| \`${path}\` | ${owners.length === types.length ? "all" : owners.join(", ")} | ${first.type} | ${first.unit ?? ""} | ${rangeText(first)} | ${fallback} | ${first.doc} | ${readers} |`;
  });
  return `<!-- ${written("builtins/schema.ts and builtins/profiles")} -->

# Configuration

A profile or a file is loaded, environment variables override it, and \`llmspell config show --origin\` shows where each value came from. Without
any configuration the embedded engine runs the bundled model.

| order, highest first | source |
|---|---|
| 1 | environment variables |
| 2 | \`--profile NAME\` (\`LLMSPELL_PROFILE\`): a built-in profile, instead of 3 and 4 |
| 3 | \`--config PATH\` (\`LLMSPELL_CONFIG\`); \`--config\` with \`--profile\`, or both variables, is an error; a flag beats the variable of the other |
| 4 | the first of \`./llmspell.toml\`, \`./.llmspell.toml\`, \`~/.llmspell/llmspell.toml\`, \`~/.llmspell/config.toml\`, \`$XDG_CONFIG_HOME/llmspell/config.toml\` (on Windows also \`%APPDATA%\\llmspell\\config.toml\`) |
| 5 | the defaults below |

Flags of a command that name one value (\`--device\`, \`--max-tokens\`, \`--trace\` …) override all of them for that call. \`~/.llmspell\` means
\`LLMSPELL_HOME\` where that is set.

- **Files** are TOML 1.0, UTF-8, at most 1 MiB. Unknown keys are errors that name the nearest key; keys and tables of your own begin with \`x-\`.
  Paths may begin with \`~/\` and hold \`$VAR\` or \`\${VAR}\`; relative ones begin at the folder of the file. Editors check files with
  \`builtins/llmspell.schema.json\` of the package (put \`#:schema ./node_modules/llmspell/builtins/llmspell.schema.json\` on the first line).
- **Providers**: a profile has the providers it declares; those of a file are added to the built-in \`candle\` and
  \`ollama\`; an empty \`[providers]\` declares none. Names: \`[a-z][a-z0-9-]*\`, not local, all, auto, hf, providers. \`-m NAME@PROVIDER\` asks one of them; without
  it the default provider answers, else the one named like its type, else the first of that type.
- **Default model**: \`-m\`, else \`default_model\` (\`LLMSPELL_DEFAULT_MODEL\`), else \`default_model\` of the default provider, of candle, of ollama.
  \`llmspell config set default_model qwen2.5-0.5b\` writes it; \`config set\`, \`get\` and \`unset\` work for every key and keep the comments of the file.
- **Environment**: \`LLMSPELL_\` and the path of a key in capitals, with \`_\` for \`.\` and \`-\`: \`rag.enabled\` is \`LLMSPELL_RAG_ENABLED\`,
  \`providers.candle.device\` is \`LLMSPELL_PROVIDERS_CANDLE_DEVICE\`. Any key of candle, ollama, openai and anthropic declares that provider; others
  must be declared already. Booleans: true false 1 0 yes no on off. Lists: commas. An empty variable counts as unset.
- **Secrets** (keys that end in api_key, token, secret or password; user:password in an address) are shown as \`********\` everywhere.

| variable of other programs | sets | overridden by |
|---|---|---|
| \`LLMSPELL_DEVICE\`, then \`CANDLE_DEVICE\` | \`device\` of every provider of type candle | the systematic name |
| \`OPENAI_API_KEY\`, \`ANTHROPIC_API_KEY\` | \`api_key\` of that provider | the systematic name |
| \`OLLAMA_HOST\` | \`providers.ollama.base_url\`: host, host:port or an address | the systematic name |
| \`HF_ENDPOINT\`, \`HF_HUB_OFFLINE\` | \`models.hf_endpoint\`, \`models.offline\` | the systematic name |

## Profiles

| profile | short | group | what it is |
|---|---|---|---|
${profiles.map(({ name, aliases, category, description }) => `| [\`${name}\`](../builtins/profiles/${name}.toml) | ${aliases.map((alias) => `\`${alias}\``).join(", ")} | ${category} | ${description} |`).join("\n")}

## Keys

*read by*: the code that uses the key. Keys of *later* are checked already, and have no effect yet.

${sections
  .map((section) =>
    section === "providers"
      ? `### providers\n\n${head}\n${rowsOf(section).join("\n")}\n\nIn \`[providers.NAME]\`; \`provider_type\` is optional where NAME is a type:\n\n| key | types | type | unit | allowed | default | meaning | read by |\n|---|---|---|---|---|---|---|---|\n| \`provider_type\` | all | text | | ${types.map((type) => `\`${type}\``).join(", ")} | NAME | type of the provider | [code](../src/core/config/check.ts) |\n${providerRows.join("\n")}`
      : `### ${section}\n\n${head}\n${rowsOf(section).join("\n")}`,
  )
  .join("\n\n")}
`;
}
