/** `llmspell version`: one line, or everything a report should hold. */
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { version } from "../../core/version.ts";
import type { Context } from "./context.ts";

const engines = ["@wllama/wllama", "node-llama-cpp", "onnxruntime-web", "onnxruntime-node", "webgpu", "@huggingface/transformers"];

export async function showVersion({ flags, screen }: Context): Promise<number> {
  if (!flags.has("verbose")) {
    screen.writeOwn(`llmspell ${version}\n`);
    screen.document({ status: "ok", version });
    return 0;
  }
  const { supportedArchitectures } = await import("../../core/gguf/architectures.ts");
  const architectures = [...supportedArchitectures].sort();
  const found = engines.map((name) => [name.replace(/^@wllama\//, ""), packageVersion(name)] as const);
  const missing = screen.out.dim("not installed");
  const { platform, arch } = process;
  const { node } = process.versions;
  const rows: readonly (readonly [string, string])[] = [
    ["node", node],
    ["platform", `${platform} ${arch}`],
    ...found.map(([name, known]) => [name, known ?? missing] as const),
  ];
  const width = Math.max(...rows.map(([name]) => name.length));
  screen.writeOwn(`llmspell ${version}\n${rows.map(([name, value]) => `${name.padEnd(width)}  ${value}\n`).join("")}`);
  screen.writeOwn(`\nGGUF families (${architectures.length})\n${columns(architectures)}`);
  screen.document({ status: "ok", version, node, platform, arch, script_engines: {}, engines: Object.fromEntries(found), architectures });
  return 0;
}

/** @returns the version in a package's own description, or undefined where it is not installed; its code is not run */
export function packageVersion(name: string): string | null {
  for (const folder of createRequire(import.meta.url).resolve.paths(name) ?? []) {
    try {
      const { version: found } = JSON.parse(readFileSync(`${folder}/${name}/package.json`, "utf8")) as { readonly version?: unknown };
      return typeof found === "string" ? found : null;
    } catch {
      // the next folder up
    }
  }
  return null;
}

function columns(names: readonly string[]): string {
  const lines: string[] = [];
  for (const name of names) {
    const last = lines.at(-1);
    if (last === undefined || last.length + 2 + name.length > 78) lines.push(`  ${name}`);
    else lines[lines.length - 1] = `${last}, ${name}`;
  }
  return `${lines.join("\n")}\n`;
}
