import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, inject, it } from "vitest";
import { root } from "../support.ts";

const packed = inject("packed");
const folder = inject("folder");
const paths = packed.files.map((file) => file.path);
const manifest = JSON.parse(readFileSync(join(folder, "node_modules/llmspell/package.json"), "utf8")) as {
  readonly version: string;
  readonly bin: Readonly<Record<string, string>>;
  readonly exports: Readonly<Record<string, unknown>>;
};

/** Every file named anywhere in `exports`. */
function targets(value: unknown): readonly string[] {
  if (typeof value === "string") return [value];
  return Object.values(value as Record<string, unknown>).flatMap(targets);
}

describe("the packed package", () => {
  // 7.6 MB of it are dist/wasm: llama.cpp with our kernels, in the two builds that runtimes need.
  it("stays within 23 MB packed", () => {
    expect(packed.size).toBeLessThanOrEqual(23_000_000);
  });

  it("holds only what users need: dist, models, documents and examples", () => {
    const strays = paths.filter(
      (path) =>
        !/^(dist\/|builtins\/models\/[^/]+\/[^/]+$|builtins\/(?:llmspell\.schema\.json$|profiles\/[\w-]+\.toml$)|docs\/|examples\/|(package\.json|(README|ARCHITECTURE|CHANGELOG|CONTRIBUTING|SECURITY)\.md|LICENSE|NOTICE)$)/.test(
          path,
        ),
    );
    expect(strays).toEqual([]);
    expect(paths).toEqual(
      expect.arrayContaining(["README.md", "CHANGELOG.md", "LICENSE", "NOTICE", "builtins/models/tiny-stories/tiny-stories.gguf"]),
    );
  });

  it("holds what its README links to", () => {
    const readme = readFileSync(join(folder, "node_modules/llmspell/README.md"), "utf8");
    const links = [...readme.matchAll(/\]\(([^)#:]+)\)/g)].map(([, link = ""]) => link);
    expect(links.length).toBeGreaterThan(20);
    expect(links.filter((link) => !paths.some((path) => path === link || path.startsWith(`${link}/`)))).toEqual([]);
  });

  it("holds no training file, source, test, or compiler state", () => {
    expect(
      paths.filter(
        (path) => /training|\.tsbuildinfo$|\.py$|(^|\/)test\/|^src\//.test(path) || (path.endsWith(".ts") && !path.endsWith(".d.ts")),
      ),
    ).toEqual([]);
  });

  it("holds the schema for editors, and not the one it was compiled from", () => {
    expect(paths).toContain("builtins/llmspell.schema.json");
    expect(paths.filter((path) => path.startsWith("builtins/schema"))).toEqual([]);
  });

  it("offers one bin, and it is executable", () => {
    expect(manifest.bin).toEqual({ llmspell: "./dist/node/cli/main.js" });
    const bin = packed.files.find((file) => file.path === "dist/node/cli/main.js");
    expect((bin?.mode ?? 0) & 0o111).toBe(0o111);
    expect(readFileSync(join(folder, "node_modules/llmspell/dist/node/cli/main.js"), "utf8")).toMatch(/^#!\/usr\/bin\/env node\n/);
    expect(readdirSync(join(folder, "node_modules/.bin"))).toContain("llmspell");
  });

  it("holds every file its entries name", () => {
    const missing = targets(manifest.exports).filter((target) => !paths.includes(target.replace("./", "")));
    expect(missing).toEqual([]);
  });

  it("names no folder of the machine that built it", () => {
    const text = paths.filter((path) => /\.(js|ts|map|json|md)$|^(LICENSE|NOTICE)$/.test(path));
    const telling = text.filter((path) => readFileSync(join(folder, "node_modules/llmspell", path), "utf8").includes(root.slice(0, -1)));
    expect(telling).toEqual([]);
  });
});

describe("a plain npm install", () => {
  it("brings the engines, the libraries of the built-in tools and their needs, and nothing else", () => {
    const lock = JSON.parse(readFileSync(join(folder, "node_modules/.package-lock.json"), "utf8")) as {
      readonly packages: Readonly<Record<string, { readonly optional?: boolean }>>;
    };
    // onnxruntime-node and what it needs are there or not, as its install script could do its work: the lockfile marks them.
    const list = Object.entries(lock.packages)
      .filter(([, entry]) => entry.optional !== true)
      .map(([path]) => path.slice(path.lastIndexOf("node_modules/") + "node_modules/".length));
    const direct = [
      "@huggingface/jinja",
      "@huggingface/tokenizers",
      "@wllama/wllama",
      "@wllama/wllama-compat",
      "get-east-asian-width",
      "hash-wasm",
      "idb",
      "idb-keyval",
      "onnxruntime-web",
      "smol-toml",
      "undici",
      "llmspell",
    ];
    const tools = ["diff", "ignore", "jq-wasm", "mustache", "papaparse", "temporal-polyfill"];
    const needsOfTemporal = ["temporal-spec", "temporal-utils"];
    const needsOfOnnx = ["flatbuffers", "guid-typescript", "long", "onnxruntime-common", "platform", "protobufjs"];
    const needsOfProtobuf = ["@types/node", "undici-types"];
    const strays = list.filter((name) => ![...direct, ...tools].includes(name) && !name.startsWith("@protobufjs/"));
    expect(strays.sort()).toEqual([...needsOfOnnx, ...needsOfProtobuf, ...needsOfTemporal].sort());
    expect(list).toEqual(expect.arrayContaining([...direct, ...tools]));
  });

  it("does not pull the optional node-llama-cpp", () => {
    expect(existsSync(join(folder, "node_modules/node-llama-cpp"))).toBe(false);
  });
});
