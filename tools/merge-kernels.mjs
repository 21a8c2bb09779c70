/**
 * Puts the kernels of src/kernels into llama.cpp's WebAssembly as wllama ships it (docs/kernels.md). Functions are found by the names in the file; all
 * else in it stays as it is, but for those names and where its source map would be.
 */
import { encode, functionNames, kinds, leb, parse, relink, section, sized, vector } from "./wasm-module.mjs";

const hex = (/** @type {Uint8Array | undefined} */ bytes) => Array.from(bytes ?? [], (byte) => byte.toString(16).padStart(2, "0")).join("");

/**
 * The kernels export `replace:NAME` (its body takes the place of the engine's function NAME, for every call and every pointer to it), and import `host.NAME` (a
 * function of the engine) and `original.NAME` (what NAME was before). They may have globals, of which each thread gets its own, but no memory,
 * data, table or start of their own.
 * @param {Uint8Array} engine
 * @param {Uint8Array} kernelFile
 * @param {ReadonlyMap<string, number>} [names] of the engine's functions; for tests
 */
export function merge(engine, kernelFile, names) {
  const host = parse(engine);
  const kernels = parse(kernelFile);
  const known = names ?? functionNames(host);
  for (const { id, body } of kernels.sections) {
    const isOwn = id === section.memory || id === section.start || id === section.element || id === section.data || id === section.tag;
    if (isOwn && body[0] !== 0) throw new Error(`the kernels have a section ${id}, which cannot be merged`);
  }
  if (kernels.importedGlobals > 0) throw new Error("the kernels import a global");

  const indexOf = (/** @type {string} */ name) => {
    const index = known.get(name);
    if (index === undefined) throw new Error(`the engine has no function named ${name}`);
    return index;
  };
  const hostImports = host.importedFunctions.length;
  const hostFunctions = hostImports + host.bodies.length;
  const hostType = (/** @type {number} */ index) =>
    (index < hostImports ? host.importedFunctions[index]?.type : host.functionTypes[index - hostImports]) ?? -1;
  const checkType = (/** @type {string} */ name, /** @type {number} */ index, /** @type {number} */ type) => {
    const [is, wanted] = [hex(host.types[hostType(index)]), hex(kernels.types[type])];
    if (is !== wanted) throw new Error(`${name} has another type in the engine (${is}) than in the kernels (${wanted})`);
  };

  const kernelImports = kernels.importedFunctions.length;
  const replacements = kernels.exports
    .filter(({ kind, name }) => kind === kinds.function && name.startsWith("replace:"))
    .map(({ name: exported, index }) => {
      const name = exported.slice("replace:".length);
      const at = indexOf(name);
      if (at < hostImports) throw new Error(`${name} is imported by the engine`);
      checkType(name, at, kernels.functionTypes[index - kernelImports] ?? -1);
      return { at, kernel: index - kernelImports };
    });
  if (replacements.length === 0) throw new Error("the kernels replace nothing");

  // After the engine's functions come those of the kernels, then the replaced ones that are still called.
  /** @type {number[]} */
  const originals = [];
  const newFunctions = kernels.importedFunctions.map(({ from, name, type }) => {
    const at = indexOf(name);
    checkType(name, at, type);
    if (from === "host") return at;
    if (from !== "original") throw new Error(`the kernels import from ${from}`);
    originals.push(at);
    return hostFunctions + kernels.bodies.length + originals.length - 1;
  });
  newFunctions.push(...kernels.bodies.map((_, index) => hostFunctions + index));

  const typeIndex = new Map(host.types.map((type, index) => [hex(type), index]));
  /** @type {Uint8Array[]} */
  const newTypes = [];
  const typeOf = (/** @type {number} */ index) => {
    const type = kernels.types[index] ?? new Uint8Array();
    const key = hex(type);
    if (!typeIndex.has(key)) typeIndex.set(key, host.types.length + newTypes.push(type) - 1);
    return /** @type {number} */ (typeIndex.get(key));
  };

  // The linker puts the stack pointer first; the engine's own takes its place.
  const hasStack = kernels.exports.some(({ kind, name, index }) => kind === kinds.global && name === "__stack_pointer" && index === 0);
  const dropped = hasStack ? 1 : 0;
  const firstGlobal = host.importedGlobals + host.globals.length - dropped;
  const stack = hasStack ? stackPointer(host.bodies[indexOf("_emscripten_stack_restore") - hostImports]) : -1;

  const kernelBodies = kernels.bodies.map((body) =>
    relink(body, (kind, index) => {
      if (kind === "function") return newFunctions[index] ?? -1;
      if (kind === "type") return typeOf(index);
      return hasStack && index === 0 ? stack : firstGlobal + index;
    }),
  );
  const bodies = [...host.bodies, ...kernelBodies, ...originals.map((at) => host.bodies[at - hostImports] ?? new Uint8Array())];
  for (const { at, kernel } of replacements) bodies[at - hostImports] = kernelBodies[kernel] ?? new Uint8Array();
  const functionTypes = [...host.functionTypes, ...kernels.functionTypes.map(typeOf), ...originals.map(hostType)];

  const rewritten = new Map([
    [section.type, vector([...host.types, ...newTypes])],
    [section.function, vector(functionTypes.map(leb))],
    [section.global, vector([...host.globals, ...kernels.globals.slice(dropped)])],
    [section.code, vector(bodies.map(sized))],
  ]);
  return encode(
    host.sections
      .filter(({ id }) => id !== section.custom)
      .map(({ id, body }) => ({ id, body: rewritten.get(/** @type {1} */ (id)) ?? body })),
  );
}

/** The engine's stack pointer is what the function sets that Emscripten restores it with: `local.get 0, global.set N`, and no more. */
function stackPointer(/** @type {Uint8Array} */ body = new Uint8Array()) {
  const found = /^00200024((?:[89a-f][0-9a-f])*[0-7][0-9a-f])0b$/.exec(hex(body))?.[1];
  if (found === undefined) throw new Error("the engine's stack pointer is not where it was");
  return [...found.matchAll(/../g)].reduceRight((value, [byte]) => value * 128 + (Number.parseInt(byte, 16) & 127), 0);
}
