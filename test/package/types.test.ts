/** The types of the installed package, as users compile against them: no conditions of their own, and libraries checked too. */
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, inject, it } from "vitest";
import { isLong, root } from "../support.ts";
import { run } from "./support.ts";

const place = join(inject("folder"), "types");
const compilers = [
  ["5.9", "typescript-5"],
  ["6", "typescript"],
  ["7", "typescript-native"],
] as const;
const resolutions = [
  ["bundler", { module: "ESNext", moduleResolution: "Bundler" }],
  ["node16", { module: "Node16", moduleResolution: "Node16" }],
  ["nodenext", { module: "NodeNext", moduleResolution: "NodeNext" }],
] as const;

/** Uses a name of each entry, and some wrongly: types that silently became `any` fail too. */
const consumer = `
import { collect, type LanguageModel, load, SpellError, type StreamPart } from "llmspell";
import { load as loadInPage } from "llmspell/browser";
import { readGgufHeader } from "llmspell/core";
import { edgePlatform } from "llmspell/edge";
import { nodePlatform } from "llmspell/node";
import { scriptedModel } from "llmspell/testing";

export async function story(): Promise<string> {
  const model: LanguageModel = await load("tiny-stories");
  const parts: AsyncIterable<StreamPart> = model.stream("Once", { maxTokens: 8 });
  return (await collect(parts)).text;
}
export const used: readonly unknown[] = [SpellError, readGgufHeader, edgePlatform, nodePlatform, scriptedModel, loadInPage];
declare const schema: {
  readonly "~standard": {
    readonly jsonSchema: { readonly output: (options: { readonly target: "draft-2020-12" }) => Record<string, unknown> };
    readonly types?: { readonly output: { readonly city: string } } | undefined;
  };
};
export const city = async (model: LanguageModel): Promise<string | undefined> => (await model.generate("x", { jsonSchema: schema })).json?.city;
// @ts-expect-error the schema says text
export const wrongCity = async (model: LanguageModel): Promise<number | undefined> => (await model.generate("x", { jsonSchema: schema })).json?.city;
// @ts-expect-error a number is not a prompt
export const wrong = (model: LanguageModel): unknown => model.stream(1);
// @ts-expect-error a page cannot name a model by a number
export const wrongPage = (): unknown => loadInPage(1);
`;
/** Code for users, by the line where it begins. */
function codeBlocks(): readonly { readonly name: string; readonly code: string }[] {
  const pages = ["README.md", ...readdirSync(join(root, "docs"), { recursive: true, encoding: "utf8" }).map((name) => join("docs", name))];
  return pages
    .filter((page) => page.endsWith(".md"))
    .flatMap((page) => {
      const text = readFileSync(join(root, page), "utf8");
      // JavaScript there is in scripts of llmspell, which test/node/scripts runs
      const languages = /script(s|-globals)\.md$/.test(page) ? "ts" : "ts|typescript|js|javascript|mjs";
      return [...text.matchAll(new RegExp(`^\`\`\`(?:${languages})\\n(.*?)^\`\`\`$`, "gms"))].map((match) => ({
        name: `${page.replaceAll(/[\\/]/g, "-")}-${text.slice(0, match.index).split("\n").length}.mts`,
        code: match[1] ?? "",
      }));
    });
}

describe("types of the packed package", () => {
  const blocks = codeBlocks();
  beforeAll(() => {
    mkdirSync(place, { recursive: true });
    writeFileSync(join(place, "consumer.mts"), consumer);
    for (const { name, code } of blocks) writeFileSync(join(place, name), `${code}\nexport {};\n`);
  });
  afterAll(() => rmSync(place, { recursive: true, force: true }));

  it("are tried with the code of README and docs", () => {
    expect(blocks.filter(({ name }) => name.startsWith("README"))).not.toEqual([]);
    expect(blocks.length).toBeGreaterThan(8);
  });

  describe.each(compilers)("TypeScript %s", (version, compiler) => {
    // each compiler with one of them; the long run has all nine pairs
    const own = compilers.findIndex(([name]) => name === version);
    it.each(isLong ? resolutions : resolutions.slice(own, own + 1))("compiles it all under %s", async (name, resolution) => {
      const project = join(place, `${compiler}-${name}.json`);
      const compilerOptions = {
        ...resolution,
        noEmit: true,
        strict: true,
        exactOptionalPropertyTypes: true,
        skipLibCheck: false,
        // the compiler's own, which half of the time would go to
        skipDefaultLibCheck: true,
        target: "ES2022",
        lib: ["ES2023", "DOM", "DOM.Iterable", "DOM.AsyncIterable"],
        types: [],
      };
      writeFileSync(project, JSON.stringify({ compilerOptions, include: ["*.mts"] }));
      const { status, stdout } = await run(process.execPath, [join(root, "node_modules", compiler, "bin/tsc"), "-p", project], place);
      expect({ status, stdout }).toEqual({ status: 0, stdout: "" });
    });
  });
});

describe("what tools say of the packed package", () => {
  const tarball = inject("tarball");

  it("publint finds nothing", async () => {
    const { status, stdout } = await run(process.execPath, [join(root, "node_modules/publint/src/cli.js"), tarball, "--strict"], root);
    expect(stdout).toContain("All good!");
    expect(status).toBe(0);
  });

  if (isLong) {
    it("attw finds the same types wherever ESM is imported", async () => {
      const bin = join(root, "node_modules/@arethetypeswrong/cli/dist/index.js");
      const { status, stdout } = await run(process.execPath, [bin, tarball, "--profile", "esm-only", "--format", "ascii"], root);
      const entries = [...stdout.matchAll(/^"(llmspell[^"]*)"\n\nnode16 \(from ESM\): 🟢 \(ESM\)\nbundler: 🟢/gm)].map(([, name]) => name);
      expect(entries, stdout).toEqual(
        ["", "/core", "/node", "/browser", "/edge", "/bundlers", "/ai-sdk", "/testing"].map((entry) => `llmspell${entry}`),
      );
      expect(status).toBe(0);
    });
  }
});
