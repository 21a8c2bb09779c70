/** llama.cpp's WebAssembly without its JavaScript: single functions of it, called with memory that a test has filled. */
import { encode, encodeExport, functionNames, kinds, parse, section, vector } from "../../tools/wasm-module.mjs";

type Address = number | bigint;
type Inner = (...values: Address[]) => unknown;

/** As much of the API as is used; the types of Node have none. */
interface Memory {
  readonly buffer: ArrayBuffer;
  grow(pages: Address): void;
}
type Imports = Record<string, Record<string, unknown>>;
const { WebAssembly } = globalThis as unknown as {
  readonly WebAssembly: {
    compile(bytes: Uint8Array): Promise<object>;
    instantiate(module: object, imports: Imports): Promise<{ readonly exports: Readonly<Record<string, Inner>> }>;
    readonly Memory: new (descriptor: object) => Memory;
    readonly Module: { imports(module: object): readonly { readonly module: string; readonly name: string; readonly kind: string }[] };
  };
};

export interface BareEngine {
  /** bytes of an address: 4 or 8 */
  readonly addressBytes: 4 | 8;
  readonly memory: Memory;
  /** @returns address of so many bytes, zeros */
  alloc(bytes: number): number;
  /** Frees everything that alloc() gave. */
  reset(): void;
  /** An address as the functions take it. */
  at(address: number): Address;
  call(name: string, ...values: Address[]): void;
}

/** bytes for the tests, at the end of memory that the engine believes is not there yet */
const roomBytes = 64 * 2 ** 20;

/**
 * @param file the engine as wllama ships it: it names its functions
 * @param bits of its addresses
 * @param changed the same with other bodies, whose functions are called; by default the file itself
 */
export async function bareEngine(
  file: Uint8Array,
  bits: 32 | 64,
  functions: readonly string[],
  changed: Uint8Array = file,
): Promise<BareEngine> {
  const names = functionNames(parse(file));
  const { sections, exports } = parse(changed);
  const more = ["ggml_cpu_init", ...functions].map((name) => {
    const index = names.get(name);
    if (index === undefined) throw new Error(`the engine has no function named ${name}`);
    return { name: `inner:${name}`, kind: kinds.function, index };
  });
  const opened = sections.map(({ id, body }) => ({
    id,
    body: id === section.export ? vector([...exports, ...more].map(encodeExport)) : body,
  }));
  const module = await WebAssembly.compile(encode(opened));

  const is64 = bits === 64;
  const at = (address: number): Address => (is64 ? BigInt(address) : address);
  // as the engine's own JavaScript makes it
  const size = { initial: at(2048), maximum: at(65536), shared: true };
  const memory = new WebAssembly.Memory(is64 ? { ...size, address: "i64" } : size);
  const { exports: inner } = await WebAssembly.instantiate(module, importsFor(module, memory));
  const call: BareEngine["call"] = (name, ...values) => void inner[`inner:${name}`]?.(...values);
  call("ggml_cpu_init"); // it makes the table of half floats
  const start = memory.buffer.byteLength;
  memory.grow(at(roomBytes / 65536));
  let end = start;
  return {
    addressBytes: is64 ? 8 : 4,
    memory,
    alloc(bytes) {
      const address = end;
      end += Math.ceil(bytes / 64) * 64;
      if (end > start + roomBytes) throw new Error("the tests' memory is full");
      new Uint8Array(memory.buffer, address, end - address).fill(0);
      return address;
    },
    reset: () => {
      end = start;
    },
    at,
    call,
  };
}

/** Of what the engine imports only the clock is called here, and nothing depends on it. */
function importsFor(module: object, memory: Memory): Imports {
  const imports: Imports = {};
  for (const { module: from, name, kind } of WebAssembly.Module.imports(module)) {
    imports[from] = { ...imports[from], [name]: kind === "memory" ? memory : () => 0 };
  }
  return imports;
}
