/**
 * Writes the generated files, or with --check compares them and fails where one is out of date:
 *   src/core/version.ts   from package.json, so that `--version` parses no JSON
 *   src/core/hub/catalogue.generated.ts  from builtins/models.toml, so that browsers have it and no start parses TOML
 *   src/core/hub/bundled.generated.ts  files of the bundled models with size and hash, so that a list opens none of them
 *   src/core/scripts/guest/preludes.generated.ts  from the preludes beside it
 *   src/core/search/kernel.generated.ts, kernel-shared.generated.ts  from kernel.wat beside it
 *   src/engines/wllama/kernels.generated.ts  from tools/pinned.json
 *   docs/errors.md        from errorTable() of the built core
 *   docs/parameters.md, src/core/spec/parameters.generated.ts    from parameterRules and presets of the built core
 *   docs/script-globals.md  from the globals of scripts in the built core and tools/script-globals.mjs
 *   docs/failures.md      from the names of the tests, by tools/failures.mjs
 *   README.md, docs/devices.md   the short table and the long one between their marks, from tools/devices.mjs
 *   what tools/config.mjs makes of the schema of the configuration and the profiles
 */
import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { parse } from "smol-toml";
import { configFiles } from "./config.mjs";
import { deviceTable, tickTable } from "./devices.mjs";
import { failurePage } from "./failures.mjs";
import { preludeModule } from "./script-engines.mjs";
import { globalsPage } from "./script-globals.mjs";

const root = new URL("..", import.meta.url);
const check = process.argv.includes("--check");
/** @type {string[]} */
const stale = [];

/** Keeps the file as it is when nothing changed, so that builds stay incremental. */
function put(/** @type {string} */ path, /** @type {string} */ text, compare = check) {
  const file = new URL(path, root);
  if (existsSync(file) && readFileSync(file, "utf8") === text) return;
  if (compare) stale.push(path);
  else writeFileSync(file, text);
}

export function writeVersion(compare = false) {
  const { version } = JSON.parse(readFileSync(new URL("package.json", root), "utf8"));
  put(
    "src/core/version.ts",
    `/** Written by tools/generate.mjs from package.json. */\n\n/** Version of this package, as in package.json. */\nexport const version = "${version}";\n`,
    compare,
  );
}

export function writeCatalogue(compare = false) {
  const { model } = parse(readFileSync(new URL("builtins/models.toml", root), "utf8"));
  put(
    "src/core/hub/catalogue.generated.ts",
    `/** Written by tools/generate.mjs from builtins/models.toml; catalogue.ts checks its form. */

/** Tables of the built-in catalogue, as parsed. */
export const builtinTables: readonly unknown[] = JSON.parse(
  ${JSON.stringify(JSON.stringify(model))},
);
`,
    compare,
  );
}

export function writePreludes(compare = false) {
  put("src/core/scripts/guest/preludes.generated.ts", preludeModule(), compare);
}

/** Files of a model's folder that are not part of the model. Of these only the card is shipped (package.json). */
const notOfTheModel = new Set(["MODEL_CARD.md", "spiece.model", "training"]);

export function writeBundled(compare = false) {
  const folder = new URL("builtins/models/", root);
  const names = readdirSync(folder).sort();
  const models = names.map((model) => {
    const files = readdirSync(new URL(`${model}/`, folder)).filter((name) => !notOfTheModel.has(name));
    const rows = files.sort().map((name) => {
      const bytes = readFileSync(new URL(`${model}/${name}`, folder));
      return `    { name: "${name}", size: ${bytes.length}, sha256: "${createHash("sha256").update(bytes).digest("hex")}" },\n`;
    });
    return `  "${model}": [\n${rows.join("")}  ],\n`;
  });
  put(
    "src/core/hub/bundled.generated.ts",
    `/** Written by tools/generate.mjs from builtins/models. */

export interface BundledFile {
  readonly name: string;
  /** bytes */
  readonly size: number;
  readonly sha256: string;
}

/** Files of the bundled models, by the names of the models. */
export const bundledFiles: Readonly<Record<${names.map((name) => `"${name}"`).join(" | ")}, readonly BundledFile[]>> = {
${models.join("")}};
`,
    compare,
  );
}

async function writeSearchKernel() {
  const { default: wabt } = await import("wabt");
  const path = "src/core/search/kernel.wat";
  const text = readFileSync(new URL(path, root), "utf8");
  const own = '(import "env" "memory" (memory 1))';
  if (!text.includes(own)) throw new Error(`${path}: expected ${own}`);
  const { parseWat } = await wabt();
  /** @type {[string, string, string, string][]} */
  const kinds = [
    ["kernel", "kernel", text, "WebAssembly with SIMD"],
    // for threads: the same code over memory of at most 4 GiB that they share
    ["kernel-shared", "sharedKernel", text.replace(own, '(import "env" "memory" (memory 1 65536 shared))'), "The same over shared memory"],
  ];
  for (const [file, name, source, what] of kinds) {
    const parsed = parseWat(path, source, { simd: true, threads: true });
    const { buffer } = parsed.toBinary({});
    parsed.destroy();
    put(
      `src/core/search/${file}.generated.ts`,
      `/** Written by tools/generate.mjs from kernel.wat. */

/** ${what}, ${buffer.length} bytes as base64. */
export const ${name} =
  "${Buffer.from(buffer).toString("base64")}";
`,
    );
  }
}

/** One name for the kernels of both builds. */
export function writeKernels(compare = false) {
  const pinned = JSON.parse(readFileSync(new URL("tools/pinned.json", root), "utf8"));
  const both = [32, 64].map((bits) => pinned[`src/kernels/kernels-${bits}.wasm`]).join();
  put(
    "src/engines/wllama/kernels.generated.ts",
    `/** Written by tools/generate.mjs from tools/pinned.json. */

/** Names the kernels that are in dist/wasm (docs/kernels.md): what was measured or tested with others does not hold for them. */
export const kernels = "${createHash("sha256").update(both).digest("hex").slice(0, 8)}";
`,
    compare,
  );
}

const exitWords = /** @type {Record<number, string>} */ ({
  1: "failure while running",
  2: "usage or configuration",
  3: "model or artifact",
  4: "device",
  5: "network or remote service",
  130: "aborted by the user",
});

async function writeErrors() {
  const built = new URL("dist/core/errors.js", root);
  if (!existsSync(built)) throw new Error("dist/core/errors.js is missing: run `npm run build` first");
  const { errorTable } = await import(built.href);
  /** @type {readonly { code: string, hint: string, exitCode: number }[]} */
  const table = errorTable();
  const rows = table.map(({ code, hint, exitCode }) => `| \`${code}\` | ${exitCode} | ${hint.replaceAll("|", "\\|")} |`);
  const statuses = [...new Set(table.map((row) => row.exitCode))].sort((a, b) => a - b);
  put(
    "docs/errors.md",
    `<!-- Written by tools/generate.mjs from src/core/errors.ts. -->

# Error codes

Every error of llmspell is one \`SpellError\` with a code from this closed list. The message says what happened, to what, what was
expected and what was found; the hint below says what to do. On the command line the code is the last line of an error, in JSON it is
\`error.code\`.

| exit status | meaning |
|--:|---|
${statuses.map((status) => `| ${status} | ${exitWords[status] ?? "?"} |`).join("\n")}

| code | exit | hint |
|---|--:|---|
${rows.join("\n")}
`,
  );
}

async function writeParameters() {
  const { parameterRules, presets } = await import(new URL("dist/core/text/parameters.js", root).href);
  /** @type {readonly { name: string, snakeName: string, min: number, max: number, above?: boolean, decoderDefault?: number, seq2seqDefault?: number, description: string }[]} */
  const rules = parameterRules;
  const rows = rules.map(
    ({ name, snakeName, min, max, above, decoderDefault, seq2seqDefault, description }) =>
      `| \`${name}\` | \`--${snakeName.replaceAll("_", "-")}\` | ${above === true ? "> " : ""}${min} … ${max} | ${decoderDefault ?? "–"} | ${seq2seqDefault ?? decoderDefault ?? "–"} | ${description} |`,
  );
  const members = rules.map(({ name, min, max, above, decoderDefault, seq2seqDefault, description }) => {
    const t5 =
      seq2seqDefault === undefined || seq2seqDefault === decoderDefault
        ? ""
        : `${decoderDefault === undefined ? "" : "; "}T5 ${seq2seqDefault}`;
    const fallback = decoderDefault === undefined && t5 === "" ? "" : ` Default ${decoderDefault ?? ""}${t5}.`;
    const text = `${description[0]?.toUpperCase()}${description.slice(1)}. Range ${above === true ? "> " : ""}${min} … ${max}.${fallback}`;
    return `  /** ${text} */\n  readonly ${name}?: number | undefined;\n`;
  });
  put(
    "src/core/spec/parameters.generated.ts",
    `/** Written by tools/generate.mjs from src/core/text/parameters.ts. */

/** Numeric parameters of an answer. Undefined = what the model itself recommends, else the default named here. */
export interface GenerationParameters {
${members.join("")}}
`,
  );
  const presetRows = Object.entries(/** @type {Record<string, Record<string, number>>} */ (presets)).map(
    ([name, values]) => `| \`${name}\` | ${values.temperature} | ${values.topP} | ${values.topK} | ${values.repeatPenalty} |`,
  );
  put(
    "docs/parameters.md",
    `<!-- Written by tools/generate.mjs from src/core/text/parameters.ts. -->

# Generation parameters

Order: the call, its preset, what the model file itself recommends (\`general.sampling.*\` of a GGUF file, generation_config.json of a T5 folder), this table. A value out of range is an error; a
parameter that the model or its runtime does not know is not sent and gives one warning. The steps of sampling are, in this order: penalties,
top_k, top_p, min_p, temperature, draw.

| library | command line | range | GGUF | T5 | meaning |
|---|---|---|--:|--:|---|
${rows.join("\n")}
| \`stop\` | \`--stop\`, repeatable | at most 16 strings of 1–256 characters | – | – | the answer ends before the first of these strings; \`stoppedBy\`, in JSON \`stopped_by\`, names it |
| \`preset\` | \`--preset\` | ${Object.keys(presets).join(", ")} | – | – | sets temperature, top_p, top_k and repeat_penalty; single values win |

| preset | temperature | top_p | top_k | repeat_penalty |
|---|--:|--:|--:|--:|
${presetRows.join("\n")}
`,
  );
}

/** Writes the text between two marks of a page that is otherwise written by hand. */
function fillIn(/** @type {string} */ path, /** @type {string} */ mark, /** @type {string} */ content) {
  const page = readFileSync(new URL(path, root), "utf8");
  const [open, close] = [`<!-- ${mark}, written by tools/generate.mjs -->`, `<!-- end of ${mark} -->`];
  const begin = page.indexOf(open);
  const end = page.indexOf(close);
  if (begin < 0 || end < begin) throw new Error(`${path}: expected ${open} and ${close}`);
  put(path, `${page.slice(0, begin + open.length)}\n\n${content}\n\n${page.slice(end)}`);
}

/** Which functions there are, and what they take, is asked of the globals themselves, over a host that has nothing. */
async function writeScriptGlobals() {
  const built = (/** @type {string} */ path) => import(new URL(`dist/core/${path}`, root).href);
  const [{ scriptGlobals }, { bind, spellings }, { signature }, { memoryPlatform }, { createSpell }] = await Promise.all([
    built("scripts/globals/index.js"),
    built("scripts/bind.js"),
    built("scripts/arguments.js"),
    built("testing/index.js"),
    built("api/spell.js"),
  ]);
  const spell = createSpell({ platform: memoryPlatform(), env: {} });
  const { signal } = new AbortController();
  const bound = bind(scriptGlobals({ spell, config: await spell.config(), language: "lua", signal, log: () => undefined }));
  put("docs/script-globals.md", globalsPage(bound, spellings, signature));
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  writeVersion(check);
  writeCatalogue(check);
  writeBundled(check);
  writePreludes(check);
  writeKernels(check);
  await writeSearchKernel();
  await writeErrors();
  await writeParameters();
  await writeScriptGlobals();
  fillIn("README.md", "ticks", tickTable());
  fillIn("docs/devices.md", "devices", deviceTable());
  put("docs/failures.md", failurePage());
  for (const [path, text] of Object.entries(await configFiles())) put(path, text);
  for (const path of stale) console.error(`${path} is out of date: run \`npm run fix\``);
  if (stale.length > 0) process.exit(1);
}
