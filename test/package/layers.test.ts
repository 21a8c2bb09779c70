/** The walls themselves: a planted breach of each rule is seen and named. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { root } from "../support.ts";
import { run } from "./support.ts";

const packageBin = (name: string, bin: string): string => {
  const manifest = join(root, "node_modules", name, "package.json");
  const { bin: bins } = JSON.parse(readFileSync(manifest, "utf8")) as { bin: string | Record<string, string> };
  return join(dirname(manifest), typeof bins === "string" ? bins : (bins[bin] ?? ""));
};

/** A tree like ours, with nothing in it yet, for the tests of one tool: each looks at all that is planted in one run. */
function sharedTree() {
  let place = "";
  beforeAll(() => {
    place = mkdtempSync(join(tmpdir(), "llmspell-layers-"));
    for (const path of ["tsconfig.base.json", "package.json", "biome.json", "src/core/tsconfig.json"])
      plant(path, readFileSync(join(root, path), "utf8"));
    symlinkSync(join(root, "node_modules"), join(place, "node_modules"), "junction");
  });
  afterAll(() => rmSync(place, { recursive: true, force: true }));
  function plant(path: string, text: string): void {
    mkdirSync(dirname(join(place, path)), { recursive: true });
    writeFileSync(join(place, path), text);
  }
  return { plant, place: () => place };
}

interface Violation {
  readonly rule: { readonly name: string };
  readonly from: string;
}

async function brokenLayers(place: string): Promise<readonly Violation[]> {
  const cruiser = packageBin("dependency-cruiser", "depcruise");
  const config = join(root, ".dependency-cruiser.cjs");
  const { stdout, stderr } = await run(process.execPath, [cruiser, "--config", config, "--output-type", "json", "src"], place);
  expect(stderr).toBe("");
  const { summary } = JSON.parse(stdout) as { summary: { violations: Violation[] } };
  return summary.violations;
}

const use = (specifier: string): string => `import * as planted from "${specifier}";\nexport const it = planted;\n`;
const empty = "export const nothing = 0;\n";

const breaches: readonly (readonly [rule: string, from: string, specifier: string, to?: string])[] = [
  ["no-circular", "src/core/text/a.ts", "./c.ts", "src/core/text/c.ts"],
  ["no-unresolved", "src/node/a.ts", "./not-there.ts"],
  ["core-is-neutral", "src/core/text/a.ts", "../../node/b.ts", "src/node/b.ts"],
  ["core-is-neutral", "src/core/text/a.ts", "../../browser/b.ts", "src/browser/b.ts"],
  ["core-is-neutral", "src/core/text/a.ts", "../../engines/b.ts", "src/engines/b.ts"],
  ["core-no-node-builtins", "src/core/text/a.ts", "node:fs"],
  ["engines-stay-outside", "src/core/text/a.ts", "@wllama/wllama/esm/index.js"],
  ["engines-stay-outside", "src/core/text/a.ts", "node-llama-cpp"],
  ["drivers-are-shared", "src/engines/a.ts", "../node/b.ts", "src/node/b.ts"],
  ["drivers-no-node-builtins", "src/engines/a.ts", "node:fs"],
  ["node-not-browser", "src/node/a.ts", "../browser/b.ts", "src/browser/b.ts"],
  ["browser-not-node", "src/browser/a.ts", "../node/b.ts", "src/node/b.ts"],
  ["edge-is-core-alone", "src/edge/a.ts", "../browser/b.ts", "src/browser/b.ts"],
  ["edge-no-node-builtins", "src/edge/a.ts", "node:fs"],
  ["browser-no-node-builtins", "src/browser/a.ts", "node:fs"],
  ["cli-is-a-leaf", "src/node/a.ts", "./cli/b.ts", "src/node/cli/b.ts"],
  ["tests-stay-outside", "src/node/a.ts", "../../test/b.ts", "test/b.ts"],
  ["tests-stay-outside", "src/core/config/a.ts", "../../../builtins/schema.ts", "builtins/schema.ts"],
  ["no-dev-packages", "src/node/a.ts", "fast-check"],
  ["rank-0", "src/core/errors.ts", "./text/b.ts", "src/core/text/b.ts"],
  ["rank-1", "src/core/text/a.ts", "../gguf/b.ts", "src/core/gguf/b.ts"],
  ["rank-2", "src/core/tools/a.ts", "../gguf/b.ts", "src/core/gguf/b.ts"],
  ["rank-3", "src/core/embed/a.ts", "../bert/b.ts", "src/core/bert/b.ts"],
  ["rank-4", "src/core/gguf/a.ts", "../backends/b.ts", "src/core/backends/b.ts"],
  ["rank-5", "src/core/hub/a.ts", "../backends/b.ts", "src/core/backends/b.ts"],
  ["rank-6", "src/core/backends/a.ts", "../api/b.ts", "src/core/api/b.ts"],
  ["rank-7", "src/core/api/a.ts", "../agents/b.ts", "src/core/agents/b.ts"],
  ["rank-8", "src/core/agents/a.ts", "../scripts/b.ts", "src/core/scripts/b.ts"],
  ["rank-9", "src/core/scripts/a.ts", "../index.ts", "src/core/index.ts"],
  ["siblings-formats", "src/core/formats/a.ts", "../text/b.ts", "src/core/text/b.ts"],
  ["siblings-gguf", "src/core/gguf/a.ts", "../t5/b.ts", "src/core/t5/b.ts"],
  ["siblings-agents", "src/core/agents/a.ts", "../state/b.ts", "src/core/state/b.ts"],
  ["siblings-scripts", "src/core/scripts/a.ts", "../serve/b.ts", "src/core/serve/b.ts"],
];

describe("layer rules", () => {
  const { plant, place } = sharedTree();
  // each in a file of its own
  const planted = breaches.map(([rule, from, specifier, to], i) => ({ rule, from: from.replace(/\ba\.ts$/, `a${i}.ts`), specifier, to }));
  let violations: readonly Violation[] = [];
  beforeAll(async () => {
    for (const { rule, from, specifier, to } of planted) {
      plant(from, use(specifier));
      if (to !== undefined) plant(to, rule === "no-circular" ? use(`./${basename(from)}`) : empty);
    }
    violations = await brokenLayers(place());
  });

  it.each(planted)("$rule: $from may not import $specifier", ({ rule, from }) => {
    expect(violations.filter((violation) => violation.from === from).map((violation) => violation.rule.name)).toContain(rule);
  });
});

describe("a tree that keeps the layer rules", () => {
  const { plant, place } = sharedTree();

  it("breaks none", async () => {
    plant("src/core/errors.ts", empty);
    plant("src/core/text/a.ts", use("../errors.ts"));
    plant("src/core/gguf/a.ts", use("../text/a.ts"));
    plant("src/node/a.ts", use("../core/gguf/a.ts"));
    plant("src/node/cli/main.ts", use("../a.ts"));
    expect(await brokenLayers(place())).toEqual([]);
  });
});

describe("backends by name, and command lines in core", () => {
  const { plant, place } = sharedTree();
  const planted = [
    ["backend-by-name", "src/node", 'export const it = (type: string): boolean => type === "ollama";\n'],
    ["backend-by-name", "src/core/api", 'export const it = (type: string): boolean => "candle" !== type;\n'],
    ["backend-by-name", "src/browser", 'export const it = (types: readonly string[]): boolean => types.includes("candle");\n'],
    [
      "backend-by-name",
      "src/core/backends",
      'export function it(type: string): number {\n  switch (type) {\n    case "ollama":\n      return 1;\n    default:\n      return 0;\n  }\n}\n',
    ],
    ["command-in-core", "src/core/hub", 'export const it = "Run llmspell model list.";\n'],
    ["command-in-core", "src/core/text", "export const it = (name: string): string => `llmspell model pull \x24{name}`;\n"],
    ["command-in-core", "src/core/config", 'export const it = "Start it with ollama serve.";\n'],
    ["command-in-core", "src/core/devices", 'export const it = ["npm install node-llama-cpp"];\n'],
    ["command-in-core", "src/core/gguf", 'export const it = "permit it with --allow-host";\n'],
  ] as const;
  let told = "";
  beforeAll(async () => {
    for (const [i, [, folder, text]] of planted.entries()) plant(`${folder}/planted-${i}.ts`, text);
    plant("src/core/backends/ollama/own.ts", 'export const it = (type: string): boolean => type === "ollama";\n');
    plant("src/node/cli/words.ts", 'export const it = "llmspell model list --json";\n');
    plant(
      "src/core/clean.ts",
      'export const it = "llmspell reads models; ollama is a provider -- see its list";\n// llmspell model list\n',
    );
    const { status, stderr } = await run(process.execPath, [join(root, "tools/neutral.mjs"), place()], place());
    expect(status).toBe(1);
    told = stderr;
  });

  it.each(planted.map(([rule, folder], i) => ({ rule, file: `${folder}/planted-${i}.ts` })))(
    "$rule in $file is named",
    ({ rule, file }) => {
      expect(told.split("\n").filter((line) => line.startsWith(`${file}:`) && line.includes(` ${rule}: `))).toHaveLength(1);
    },
  );

  it("names nothing else", () => {
    expect(told.trimEnd().split("\n")).toHaveLength(planted.length);
  });
});

describe("core is neutral for the compiler", () => {
  const { plant, place } = sharedTree();
  const texts = [
    ["node:fs", `import { readFileSync } from "node:fs";\nexport const read: unknown = readFileSync;\n`],
    ["process", "export const where: unknown = process.platform;\n"],
    ["Buffer", "export const bytes: unknown = Buffer.alloc(1);\n"],
    ["document", "export const page: unknown = document.title;\n"],
    ["localStorage", "export const kept: unknown = localStorage.length;\n"],
  ] as const;
  let told = "";
  beforeAll(async () => {
    for (const [i, [, text]] of texts.entries()) plant(`src/core/planted-${i}.ts`, text);
    const { status, stdout } = await run(process.execPath, [packageBin("typescript-native", "tsc"), "-p", "src/core"], place());
    expect(status).not.toBe(0);
    told = stdout;
  });

  it.each(texts.map(([name], i) => [name, i] as const))("%s is refused", (name, i) => {
    expect(told).toMatch(new RegExp(`^src/core/planted-${i}\\.ts\\(\\d+,\\d+\\): error .*'${name}'`, "m"));
  });
});

describe("core is neutral for the linter", () => {
  const { plant, place } = sharedTree();
  const texts = [
    ["noRestrictedGlobals", "export const it: unknown = fetch;\n"],
    ["noRestrictedGlobals", "export const it: unknown = navigator.userAgent;\n"],
    ["noRestrictedGlobals", "export const it: unknown = self;\n"],
    ["noRestrictedGlobals", "export const it: unknown = caches;\n"],
    ["noRestrictedGlobals", "export const it: unknown = indexedDB;\n"],
    ["noRestrictedGlobals", "export const it: unknown = WebSocket;\n"],
    ["noRestrictedGlobals", "export const it: unknown = Worker;\n"],
    ["noRestrictedGlobals", "export const it: unknown = process;\n"],
    ["noRestrictedGlobals", "export const it: unknown = Buffer;\n"],
    ["noNodejsModules", `import { readFileSync } from "node:fs";\n\nexport const it: unknown = readFileSync;\n`],
    ["noRestrictedImports", `import { other } from "../node/other.ts";\n\nexport const it: unknown = other;\n`],
    ["noConsole", `console.log("x");\n`],
    ["noExplicitAny", "export const it: any = 1;\n"],
    ["noNonNullAssertion", "export const it = (x?: string): string => x!;\n"],
  ] as const;
  let told = "";
  beforeAll(async () => {
    for (const [i, [, text]] of texts.entries()) plant(`src/core/planted-${i}.ts`, text);
    plant("src/core/plantedName.ts", empty);
    const biome = packageBin("@biomejs/biome", "biome");
    const args = [biome, "lint", "--vcs-enabled=false", "--colors=off", "--max-diagnostics=none", "src/core"];
    const { status, stderr, stdout } = await run(process.execPath, args, place());
    expect(status).not.toBe(0);
    told = stdout + stderr;
  });

  it.each(texts.map(([rule, text], i) => [rule, text, i] as const))("%s: %s", (rule, _, i) => {
    expect(told).toMatch(new RegExp(`^src/core/planted-${i}\\.ts:\\d+:\\d+ lint/\\w+/${rule}\\b`, "m"));
  });

  it("takes kebab-case file names only", () => {
    expect(told).toMatch(/^src\/core\/plantedName\.ts lint\/\w+\/useFilenamingConvention\b/m);
  });
});
