/** Files written and read back, random bytes, and a second opinion on good files. */
import { writeFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gguf } from "@huggingface/gguf";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { SpellError } from "../../../src/core/errors.ts";
import { bytesSource } from "../../../src/core/formats/byte-source.ts";
import { acceptGguf } from "../../../src/core/gguf/gate.ts";
import { readGgufHeader } from "../../../src/core/gguf/header.ts";
import { ggmlTypes } from "../../../src/core/gguf/types.ts";
import { openFileSource } from "../../../src/node/file-source.ts";
import { nanoLlama, splitModel, tinyAdapter, tinyLlama, tinyT5 } from "../../fixtures/gguf/models.ts";
import { type Entry, type GgufSpec, type ScalarType, writeGguf } from "../../fixtures/gguf-writer.ts";
import { isLong, root, sharedModel } from "../../support.ts";

const scalars: Readonly<Record<ScalarType, fc.Arbitrary<number | bigint | boolean | string>>> = {
  uint8: fc.nat(255),
  int8: fc.integer({ min: -128, max: 127 }),
  uint16: fc.nat(65_535),
  int16: fc.integer({ min: -32_768, max: 32_767 }),
  uint32: fc.nat(4_294_967_295),
  int32: fc.integer(),
  float32: fc.float({ noNaN: true }),
  bool: fc.boolean(),
  string: fc.string({ unit: "grapheme", maxLength: 20 }),
  uint64: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
  int64: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
  float64: fc.double({ noNaN: true }),
};

const entryValue = fc.constantFrom(...(Object.keys(scalars) as ScalarType[])).chain((type) =>
  fc.oneof(
    scalars[type].map((value) => [type, value] as const),
    fc.array(scalars[type], { maxLength: 6 }).map((values) => [`[${type}]`, values] as const),
  ),
);

const name = fc.string({ unit: "grapheme-ascii", minLength: 1, maxLength: 20 });

const tensor = fc.constantFrom(...ggmlTypes).chain(([id, type]) =>
  fc.tuple(fc.nat(3), fc.array(fc.nat(3), { maxLength: 3 })).map(([blocks, rest]) => ({
    id,
    shape: [blocks * type.elements, ...rest],
    bytes: rest.reduce((product, dimension) => product * dimension, blocks * type.bytes),
  })),
);

const alignments = fc.nat(8).map((power) => 2 ** power);

const spec: fc.Arbitrary<GgufSpec & { readonly alignment: number; readonly version: number }> = fc
  .record({
    entries: fc.dictionary(name, entryValue, { maxKeys: 8 }),
    tensors: fc.dictionary(name, tensor, { maxKeys: 5 }),
    alignment: alignments,
    version: fc.constantFrom(2, 3),
  })
  .map(({ entries, tensors, alignment, version }) => ({
    alignment,
    version,
    entries: [
      ["general.alignment", "uint32", alignment],
      ...Object.entries(entries).map(([key, [type, value]]) => [key, type, value] as unknown as Entry),
    ] satisfies Entry[],
    tensors: Object.entries(tensors).map(([name, { id, shape, bytes }]) => ({ name, shape, type: id, data: new Uint8Array(bytes) })),
  }));

describe("properties", () => {
  it("what is written is read back equal, 2,000 files", async () => {
    await fc.assert(
      fc.asyncProperty(spec, async (written) => {
        const bytes = writeGguf(written);
        const header = await readGgufHeader(bytesSource("written.gguf", bytes));
        const entries = Array.from(header.metadata, ([key, value]) => [
          key,
          typeof value === "object" ? `[${value.type}]` : header.types.get(key),
          typeof value === "object"
            ? Array.from(value.values as ArrayLike<unknown>, (entry) => (value.type === "bool" ? entry === 1 : entry))
            : value,
        ]);
        expect(entries).toEqual(written.entries);
        expect(header.tensors.map(({ name, shape, type, bytes }) => ({ name, shape, type, bytes }))).toEqual(
          written.tensors.map(({ name, shape, type, data }) => ({ name, shape, type, bytes: data.length })),
        );
        expect(header.version).toBe(written.version);
        expect(header.alignment).toBe(written.alignment);
        expect(header.dataOffset % written.alignment).toBe(0);
        for (const tensor of header.tensors) {
          expect(tensor.offset % written.alignment).toBe(0);
          expect(header.dataOffset + tensor.offset + tensor.bytes).toBeLessThanOrEqual(bytes.length);
        }
      }),
      { numRuns: isLong ? 2000 : 500 },
    );
  });

  it("random bytes end in a typed code, 10,000 of them, most behind a good start", async () => {
    const start = writeGguf(nanoLlama());
    const bytes = fc.oneof(
      fc.uint8Array({ maxLength: 200 }),
      fc
        .tuple(fc.nat(1400), fc.uint8Array({ minLength: 1, maxLength: 300 }))
        .map(([at, noise]) => Uint8Array.from([...start.subarray(0, at), ...noise])),
      fc.tuple(fc.nat(10), fc.nat(10), fc.uint8Array({ maxLength: 300 })).map(([tensors, entries, noise]) => {
        const head = writeGguf({ entries: [], tensors: [], tensorCount: BigInt(tensors), entryCount: BigInt(entries) }).subarray(0, 24);
        return Uint8Array.from([...head, ...noise]);
      }),
    );
    await fc.assert(
      fc.asyncProperty(bytes, async (damaged) => {
        const error = await acceptGguf([bytesSource("random.gguf", damaged)]).catch((error: unknown) => error);
        expect(error).toBeInstanceOf(SpellError);
        expect((error as SpellError).code).toMatch(/^(gguf-|model-)/);
      }),
      { numRuns: isLong ? 10_000 : 2500 },
    );
  });
});

describe("differential: @huggingface/gguf reads good files as we do", () => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "llmspell-differential-"));
  });
  afterAll(() => rm(folder, { recursive: true }));

  async function compare(path: string): Promise<void> {
    const ours = await readGgufHeader(await openFileSource(path));
    const theirs = await gguf(path, { allowLocalFile: true });
    const { version, tensor_count: tensorCount, kv_count: entryCount, ...metadata } = theirs.metadata as Record<string, unknown>;
    expect(version).toBe(ours.version);
    expect(Number(tensorCount)).toBe(ours.tensors.length);
    expect(Number(entryCount)).toBe(ours.metadata.size);
    const plain = Object.fromEntries(
      Array.from(ours.metadata, ([key, value]) => [key, typeof value === "object" ? Array.from<unknown>(value.values) : value]),
    );
    expect(plain).toEqual(metadata);
    expect(ours.tensors.map(({ name, shape, type, offset }) => ({ name, shape, type, offset }))).toEqual(
      theirs.tensorInfos.map(({ name, shape, dtype, offset }) => ({
        name,
        shape: shape.map(Number),
        type: Number(dtype),
        offset: Number(offset),
      })),
    );
    expect(ours.dataOffset).toBe(Number(theirs.tensorDataOffset));
  }

  const fixtures: Readonly<Record<string, () => GgufSpec>> = {
    "tiny LLaMA in F32": () => tinyLlama(),
    "tiny LLaMA in F16": () => tinyLlama({ weights: "F16" }),
    "tiny LLaMA in Q8_0": () => tinyLlama({ weights: "Q8_0" }),
    "tiny LLaMA in Q4_0": () => tinyLlama({ weights: "Q4_0" }),
    "nano LLaMA": nanoLlama,
    T5: tinyT5,
    adapter: tinyAdapter,
  };

  it.each(Object.entries(fixtures))("%s", async (name, make) => {
    const path = join(folder, `${name.replaceAll(" ", "-")}.gguf`);
    writeFileSync(path, writeGguf(make()));
    await compare(path);
  });

  it("parts of a split model", async () => {
    for (const part of splitModel(tinyLlama(), 3)) {
      const path = join(folder, part.name);
      writeFileSync(path, part.bytes);
      await compare(path);
    }
  });

  it("the bundled model", () => compare(`${root}builtins/models/tiny-stories/tiny-stories.gguf`));

  const shared = [
    "smollm2-135m/SmolLM2-135M-Instruct.Q4_1.gguf",
    "stories260k/stories260K.gguf",
    "tiny-stories/tiny-stories-F16.gguf",
    "tiny-stories/tiny-stories-Q4_K.gguf",
    "tiny-stories/tiny-stories-Q8_0.gguf",
  ].flatMap((file) => {
    const path = sharedModel(file);
    return path === undefined ? [] : [[file, path] as const];
  });
  it.each(shared)("%s, also accepted by the gate", async (_, path) => {
    await compare(path);
    expect(await acceptGguf([await openFileSource(path)])).toMatchObject({ architecture: "llama", notes: [] });
  });
});
