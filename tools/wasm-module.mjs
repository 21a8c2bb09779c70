/**
 * As much of the binary format of WebAssembly (https://webassembly.github.io/spec/core/binary) as putting functions of one module into another needs:
 * sections as lists of byte ranges, the name section, and a walk through code that finds the indices in it.
 */

/** Numbers of the sections that are looked into. */
export const section = /** @type {const} */ ({
  custom: 0,
  type: 1,
  import: 2,
  function: 3,
  memory: 5,
  global: 6,
  export: 7,
  start: 8,
  element: 9,
  code: 10,
  data: 11,
  tag: 13,
});

/** Kinds of imports and exports. */
export const kinds = /** @type {const} */ ({ function: 0, table: 1, memory: 2, global: 3, tag: 4 });

/** @typedef {{ id: number, body: Uint8Array }} Section */
/** @typedef {{ from: string, name: string, kind: number, type: number }} Import */
/** @typedef {{ name: string, kind: number, index: number }} Export */
/**
 * @typedef {object} Module
 * @property {readonly Section[]} sections
 * @property {readonly Uint8Array[]} types
 * @property {readonly Import[]} importedFunctions `type` is an index
 * @property {number} importedGlobals how many
 * @property {readonly number[]} functionTypes of the module's own functions
 * @property {readonly Uint8Array[]} globals type and first value
 * @property {readonly Export[]} exports
 * @property {readonly Uint8Array[]} bodies
 */

class Reader {
  constructor(/** @type {Uint8Array} */ bytes) {
    this.bytes = bytes;
    this.at = 0;
  }
  byte() {
    const value = this.bytes[this.at];
    if (value === undefined) throw new Error("wasm: it ends too early");
    this.at += 1;
    return value;
  }
  /** An unsigned number (LEB128). */
  count() {
    for (let value = 0, scale = 1; ; scale *= 128) {
      const byte = this.byte();
      value += (byte & 127) * scale;
      if (byte < 128) return value;
    }
  }
  /** A number of any sign and size. */
  skipNumber() {
    while (this.byte() >= 128);
  }
  take(/** @type {number} */ length) {
    if (this.at + length > this.bytes.length) throw new Error("wasm: it ends too early");
    this.at += length;
    return this.bytes.subarray(this.at - length, this.at);
  }
  name() {
    return new TextDecoder().decode(this.take(this.count()));
  }
  /** @template T @param {() => T} read @returns {T[]} */
  list(read) {
    return Array.from({ length: this.count() }, read);
  }
  /** What `skip` passes over. */
  range(/** @type {() => void} */ skip) {
    const start = this.at;
    skip();
    return this.bytes.subarray(start, this.at);
  }
  limits() {
    const flags = this.byte();
    this.skipNumber();
    if ((flags & 1) !== 0) this.skipNumber();
  }
}

export function leb(/** @type {number} */ value) {
  const out = [];
  let left = value;
  do {
    const byte = left % 128;
    left = Math.floor(left / 128);
    out.push(left > 0 ? byte | 128 : byte);
  } while (left > 0);
  return Uint8Array.from(out);
}

export function join(/** @type {readonly Uint8Array[]} */ parts) {
  const out = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}

/** A vector of the format: how many, then each. */
export const vector = (/** @type {readonly Uint8Array[]} */ items) => join([leb(items.length), ...items]);
export const sized = (/** @type {Uint8Array} */ bytes) => join([leb(bytes.length), bytes]);
const header = Uint8Array.of(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0);

/** @returns {Module} */
export function parse(/** @type {Uint8Array} */ bytes) {
  if (header.some((byte, at) => bytes[at] !== byte)) throw new Error("wasm: expected a module of version 1");
  const all = new Reader(bytes.subarray(header.length));
  /** @type {Section[]} */
  const sections = [];
  while (all.at < all.bytes.length) sections.push({ id: all.byte(), body: all.take(all.count()) });
  /** @template T @param {number} id @param {(reader: Reader) => T} read @returns {T[]} */
  const each = (id, read) => {
    const found = sections.find((one) => one.id === id);
    if (found === undefined) return [];
    const reader = new Reader(found.body);
    return reader.list(() => read(reader));
  };
  const imports = each(section.import, (reader) => {
    const from = reader.name();
    const name = reader.name();
    const kind = reader.byte();
    let type = -1;
    if (kind === kinds.function) type = reader.count();
    else if (kind === kinds.memory) reader.limits();
    else {
      reader.byte();
      if (kind === kinds.table) reader.limits();
      else reader.byte();
    }
    return { from, name, kind, type };
  });
  return {
    sections,
    types: each(section.type, (reader) =>
      reader.range(() => {
        if (reader.byte() !== 0x60) throw new Error("wasm: a type that is no function");
        for (let part = 0; part < 2; part += 1) reader.take(reader.count());
      }),
    ),
    importedFunctions: imports.filter(({ kind }) => kind === kinds.function),
    importedGlobals: imports.filter(({ kind }) => kind === kinds.global).length,
    functionTypes: each(section.function, (reader) => reader.count()),
    globals: each(section.global, (reader) =>
      reader.range(() => {
        reader.take(2);
        walk(reader, () => undefined);
      }),
    ),
    exports: each(section.export, (reader) => ({ name: reader.name(), kind: reader.byte(), index: reader.count() })),
    bodies: each(section.code, (reader) => reader.take(reader.count())),
  };
}

/** A module of these sections. */
export const encode = (/** @type {readonly Section[]} */ sections) =>
  join([header, ...sections.flatMap(({ id, body }) => [Uint8Array.of(id), sized(body)])]);

export const encodeExport = (/** @type {Export} */ { name, kind, index }) =>
  join([sized(new TextEncoder().encode(name)), Uint8Array.of(kind), leb(index)]);

/** @returns {ReadonlyMap<string, number>} index of each function by its name, without names that several have */
export function functionNames(/** @type {Module} */ { sections }) {
  for (const { id, body } of sections) {
    if (id !== section.custom) continue;
    const reader = new Reader(body);
    if (reader.name() !== "name") continue;
    while (reader.at < body.length) {
      const part = reader.byte();
      const names = new Reader(reader.take(reader.count()));
      if (part === 1) return unique(names.list(() => [names.count(), names.name()]));
    }
  }
  throw new Error("wasm: it names no functions");
}

function unique(/** @type {(readonly [index: number, name: string])[]} */ entries) {
  /** @type {Map<string, number>} */
  const found = new Map();
  /** @type {Set<string>} */
  const several = new Set();
  for (const [index, name] of entries) {
    if (found.has(name)) several.add(name);
    found.set(name, index);
  }
  for (const name of several) found.delete(name);
  return found;
}

/** @typedef {(kind: "function" | "type" | "global", index: number) => number} NewIndex */

/** @returns the body of a function with every index in it replaced */
export function relink(/** @type {Uint8Array} */ body, /** @type {NewIndex} */ newIndex) {
  const reader = new Reader(body);
  for (let locals = reader.count(); locals > 0; locals -= 1) {
    reader.skipNumber();
    reader.byte();
  }
  /** @type {Uint8Array[]} */
  const parts = [];
  let copied = 0;
  walk(reader, (kind) => {
    const start = reader.at;
    const index = reader.count();
    parts.push(body.subarray(copied, start), leb(newIndex(kind, index)));
    copied = reader.at;
  });
  if (reader.at !== body.length) throw new Error("wasm: code that is not understood");
  return join([...parts, body.subarray(copied)]);
}

/** Walks one expression to its end; `found` reads each index of a function, type or global. */
function walk(/** @type {Reader} */ reader, /** @type {(kind: "function" | "type" | "global") => void} */ found) {
  const index = (/** @type {"function" | "type" | "global"} */ kind) => {
    const start = reader.at;
    found(kind);
    if (reader.at === start) reader.skipNumber();
  };
  const memory = () => {
    if (reader.count() >= 64) throw new Error("wasm: a second memory");
    reader.skipNumber();
  };
  for (let depth = 1; depth > 0; ) {
    const code = reader.byte();
    if (code >= 0x02 && code <= 0x04) {
      depth += 1;
      const block = reader.bytes[reader.at] ?? 0;
      if (block >= 0x40 && block < 0x80) reader.byte();
      else index("type");
    } else if (code === 0x0b) depth -= 1;
    else if (code === 0x0e) for (let labels = reader.count(); labels >= 0; labels -= 1) reader.skipNumber();
    else if (code === 0x10) index("function");
    else if (code === 0x23 || code === 0x24) index("global");
    else if (code === 0x0c || code === 0x0d || (code >= 0x20 && code <= 0x22) || code === 0x41 || code === 0x42) reader.skipNumber();
    else if (code >= 0x28 && code <= 0x3e) memory();
    else if (code === 0x3f || code === 0x40) reader.byte();
    else if (code === 0x43) reader.take(4);
    else if (code === 0x44) reader.take(8);
    else if (code === 0xfc) saturated(reader);
    else if (code === 0xfd) vectorOperands(reader, memory);
    else if (code === 0xfe) atomic(reader, memory);
    else if (!(code <= 0x01 || code === 0x05 || code === 0x0f || code === 0x1a || code === 0x1b || (code >= 0x45 && code <= 0xc4)))
      throw new Error(`wasm: the instruction 0x${code.toString(16)} is not expected here`);
  }
}

function atomic(/** @type {Reader} */ reader, /** @type {() => void} */ memory) {
  const code = reader.count();
  if (code === 3) reader.take(1);
  else if (code <= 2 || (code >= 16 && code <= 78)) memory();
  else throw new Error(`wasm: the instruction 0xfe ${code} is not expected here`);
}

function saturated(/** @type {Reader} */ reader) {
  const code = reader.count();
  if (code === 10) reader.take(2);
  else if (code === 11) reader.take(1);
  else if (code > 7) throw new Error(`wasm: the instruction 0xfc ${code} is not expected here`);
}

function vectorOperands(/** @type {Reader} */ reader, /** @type {() => void} */ memory) {
  const code = reader.count();
  if (code <= 11 || code === 92 || code === 93) memory();
  else if (code === 12 || code === 13) reader.take(16);
  else if (code >= 21 && code <= 34) reader.take(1);
  else if (code >= 84 && code <= 91) {
    memory();
    reader.take(1);
  }
}
