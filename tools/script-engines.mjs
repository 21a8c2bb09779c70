/**
 * The engines of scripts: WebAssembly files borrowed from npm (tools/pinned.json holds their hashes, NOTICE their authors), and our own code inside them.
 * Run alone it puts the files into dist/scripts.
 */
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { transformSync } from "esbuild";

const root = new URL("..", import.meta.url);
const guest = new URL("src/core/scripts/guest/", root);

/** Copies both files into a folder. */
export function copyScriptEngines(/** @type {string} */ folder) {
  mkdirSync(folder, { recursive: true });
  copyFileSync(new URL("node_modules/wasmoon/dist/glue.wasm", root), `${folder}/lua.wasm`);
  writeFileSync(`${folder}/quickjs.wasm`, withImportedMemory(readFileSync(new URL("node_modules/quickjs-wasi/quickjs.wasm", root))));
}

/** @returns the text of src/core/scripts/guest/preludes.generated.ts */
export function preludeModule() {
  const read = (/** @type {string} */ name) => readFileSync(new URL(name, guest), "utf8");
  const lua = read("lua-prelude.lua")
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "" && !/^--(?!\[)/.test(line))
    .join("\n");
  const js = transformSync(read("js-prelude.js"), { minify: true, target: "es2022", charset: "utf8" }).code.trim();
  return `/** Written by tools/generate.mjs from lua-prelude.lua and js-prelude.js. */

/** What runs inside Lua before a script. */
export const luaPrelude: string = ${JSON.stringify(lua)};

/** What runs inside QuickJS before a script. */
export const jsPrelude: string = ${JSON.stringify(js)};
`;
}

/**
 * Makes a module take its one memory from outside, as env.memory: then whoever starts it sets the maximum. The memory section becomes one more import;
 * numbers of functions stay. Source: WebAssembly core specification 5.5, binary format of modules.
 */
export function withImportedMemory(/** @type {Uint8Array} */ file) {
  let at = 8;
  const leb = () => {
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = file[at++] ?? 0;
      value |= (byte & 127) << shift;
      if (byte < 128) return value >>> 0;
    }
  };
  const put = (/** @type {number} */ value) => {
    const out = [];
    for (let rest = value; ; rest >>>= 7) {
      if (rest < 128) return [...out, rest];
      out.push((rest & 127) | 128);
    }
  };
  const name = (/** @type {string} */ text) => [...put(text.length), ...new TextEncoder().encode(text)];
  /** @type {{ id: number, body: Uint8Array }[]} */
  const sections = [];
  while (at < file.length) {
    const id = file[at++] ?? 0;
    const size = leb();
    sections.push({ id, body: file.subarray(at, at + size) });
    at += size;
  }
  const memory = sections.find(({ id }) => id === 5);
  const imports = sections.find(({ id }) => id === 2);
  if (memory === undefined || imports === undefined || memory.body[0] !== 1)
    throw new Error("expected a module with imports and one memory of its own");
  const inner = new Uint8Array(imports.body);
  const saved = { file, at };
  file = inner;
  at = 0;
  const count = leb();
  const entries = inner.subarray(at);
  ({ file, at } = saved);
  // kind 2 is a memory; its limits stand in the section as they do in an import
  const added = [...name("env"), ...name("memory"), 2, ...memory.body.subarray(1)];
  imports.body = Uint8Array.from([...put(count + 1), ...entries, ...added]);
  const kept = sections.filter((section) => section !== memory);
  return Buffer.concat([file.subarray(0, 8), ...kept.flatMap(({ id, body }) => [Uint8Array.from([id, ...put(body.length)]), body])]);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) copyScriptEngines(fileURLToPath(new URL("dist/scripts", root)));
