import fc from "fast-check";
import { describe, expect, it, vi } from "vitest";
import { SpellError } from "../../../src/core/errors.ts";
import { type ByteSource, blobSource, bytesSource } from "../../../src/core/formats/byte-source.ts";
import { readSafetensors, readSafetensorsSet } from "../../../src/core/formats/safetensors.ts";
import { limits } from "../../../src/core/limits.ts";
import { json, type PlainTensor, withHeader, writeSafetensors, writeTinyT5 } from "../../fixtures/t5-writer.ts";
import { isLong } from "../../support.ts";

const read = (bytes: Uint8Array) => readSafetensors(bytesSource("model.safetensors", bytes));
const bytes = (count: number): Uint8Array => new Uint8Array(count);
const length = (value: bigint, rest = 0): Uint8Array => {
  const file = bytes(8 + rest);
  new DataView(file.buffer).setBigUint64(0, value, true);
  return file;
};
const one = (entry: unknown, data = 16): Uint8Array => withHeader(JSON.stringify({ a: entry }), bytes(data));
const f32 = (shape: readonly unknown[], offsets: unknown): unknown => ({ dtype: "F32", shape, data_offsets: offsets });

const rows: readonly (readonly [string, Uint8Array, string])[] = [
  ["G39: no bytes", bytes(0), "safetensors-truncated"],
  ["G39: seven bytes", bytes(7), "safetensors-truncated"],
  ["G40: a header of 100,000,001 bytes", length(100_000_001n, 100), "safetensors-header-size"],
  ["G40: a header of 2^64 − 1 bytes", length(2n ** 64n - 1n, 100), "safetensors-header-size"],
  ["G41: a header longer than the file", length(200n, 100), "safetensors-header-size"],
  ["G42: a header that is not UTF-8", withHeader(Uint8Array.of(0x7b, 0x22, 0xff, 0x22, 0x7d)), "safetensors-header-utf8"],
  ["G43: a header of one brace", withHeader("{"), "safetensors-header-json"],
  ["G43: a comma too many", withHeader('{"a":{"dtype":"F32","shape":[],"data_offsets":[0,4]},}', bytes(4)), "safetensors-header-json"],
  ["G43: a header that begins with something else", withHeader("[]"), "safetensors-header-json"],
  ["G43: a web page", withHeader("<!doctype html>"), "safetensors-header-json"],
  [
    "G44: one name twice",
    withHeader('{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"\\u0061":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}}', bytes(2)),
    "safetensors-header-json",
  ],
  [
    "G44: one field twice",
    withHeader('{"a":{"dtype":"U8","dtype":"F32","shape":[1],"data_offsets":[0,4]}}', bytes(4)),
    "safetensors-header-json",
  ],
  ["G43: a tensor that is a number", one(7), "safetensors-header-json"],
  ["G43: a tensor that is a list", one([]), "safetensors-header-json"],
  ["G46: no dtype", one({ shape: [4], data_offsets: [0, 16] }), "safetensors-dtype"],
  ["G46: dtype F128", one({ dtype: "F128", shape: [1], data_offsets: [0, 16] }), "safetensors-dtype"],
  ["G46: dtype __proto__", one({ dtype: "__proto__", shape: [1], data_offsets: [0, 16] }), "safetensors-dtype"],
  ["G47: shape and offsets that differ", one(f32([3], [0, 16])), "safetensors-shape"],
  [
    "G48: a dimension of 2^64 − 2",
    withHeader('{"a":{"dtype":"F32","shape":[2,18446744073709551614],"data_offsets":[0,16]}}', bytes(16)),
    "safetensors-shape",
  ],
  ["G48: a product beyond 2^64", one(f32([4194305, 4194305, 211106198978564], [0, 16])), "safetensors-shape"],
  ["G49: offsets reversed", one(f32([4], [16, 0])), "safetensors-offset"],
  ["G49: a negative offset", one(f32([4], [-16, 0])), "safetensors-offset"],
  ["G49: a fraction", one(f32([4], [0.5, 16.5])), "safetensors-offset"],
  ["G49: texts", one(f32([4], ["0", "16"])), "safetensors-offset"],
  [
    "G49: beyond 2^53",
    withHeader('{"a":{"dtype":"F32","shape":[4],"data_offsets":[9007199254740993,9007199254741009]}}', bytes(16)),
    "safetensors-offset",
  ],
  [
    "G50: ten tensors on the same bytes",
    withHeader(JSON.stringify(Object.fromEntries(Array.from({ length: 10 }, (_, i) => [`t${i}`, f32([4], [0, 16])]))), bytes(16)),
    "safetensors-hole",
  ],
  [
    "G49: an end that lies beyond 2^53 in the file",
    one({ dtype: "U8", shape: [Number.MAX_SAFE_INTEGER], data_offsets: [0, Number.MAX_SAFE_INTEGER] }),
    "safetensors-offset",
  ],
  ["G50: a hole", withHeader(JSON.stringify({ a: f32([1], [0, 4]), b: f32([1], [8, 12]) }), bytes(12)), "safetensors-hole"],
  ["G50: not from the start", one(f32([2], [8, 16])), "safetensors-hole"],
  ["G51: bytes after the last tensor", one(f32([4], [0, 16]), 17), "safetensors-hole"],
  ["G51: two bytes short", one(f32([4], [0, 16]), 14), "safetensors-truncated"],
  ["G52: metadata that is no text", withHeader('{"__metadata__":{"n":1}}'), "safetensors-header-json"],
];

describe("bad safetensors", () => {
  it.each(rows)("%s", async (_, file, code) => {
    await expect(read(file)).rejects.toMatchObject({ code });
    await expect(readSafetensors(blobSource("b", new Blob([file as Uint8Array<ArrayBuffer>])))).rejects.toMatchObject({ code });
  });

  it("G45: a tensor called __proto__ is plain data", async () => {
    const tensors = await read(withHeader('{"__proto__":{"dtype":"U8","shape":[2],"data_offsets":[0,2]}}', bytes(2)));
    expect([...tensors.keys()]).toEqual(["__proto__"]);
    expect(({} as Record<string, unknown>)["dtype"]).toBeUndefined();
  });

  it("G52: more entries than any model has are refused before they are parsed", async () => {
    const entry = '"t":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},';
    const file = withHeader(`{${entry.repeat(limits.safetensorsTensors + 1).slice(0, -1)}}`, bytes(1));
    const parse = vi.spyOn(JSON, "parse");
    await expect(read(file)).rejects.toMatchObject({ code: "safetensors-header-size" });
    expect(parse).not.toHaveBeenCalled();
    parse.mockRestore();
  });

  it("G52: an index that names a part that is not there, or a path", async () => {
    const files = writeTinyT5({ shards: 2 });
    const sources = [...files].filter(([name]) => name.endsWith(".safetensors")).map(([name, data]) => bytesSource(name, data));
    const index = (map: unknown) => bytesSource("model.safetensors.index.json", json({ weight_map: map }));
    for (const name of ["model-00003-of-00003.safetensors", "../x.safetensors", "/etc/passwd", ".."]) {
      await expect(readSafetensorsSet(sources, index({ a: name }))).rejects.toMatchObject({ code: "safetensors-missing" });
    }
    // a tied weight that no part holds: the model knows whether it is needed
    expect((await readSafetensorsSet(sources, index({ nothing: sources[0]?.name }))).has("nothing")).toBe(false);
    await expect(readSafetensorsSet(sources.slice(1), undefined)).rejects.toMatchObject({ code: "safetensors-missing" });
    await expect(readSafetensorsSet(sources, bytesSource("i", new TextEncoder().encode("[]")))).rejects.toMatchObject({
      code: "model-config-json",
    });
  });
});

describe("files that are no set", () => {
  const part = (name: string) => bytesSource(name, writeSafetensors([{ name: "a", shape: [1], dtype: "F32", data: bytes(4) }]));

  it("none, or several without a name that says which", async () => {
    await expect(readSafetensorsSet([], undefined)).rejects.toMatchObject({
      code: "safetensors-missing",
      message: expect.stringContaining("got none"),
    });
    const error = await readSafetensorsSet([part("a.safetensors"), part("b.safetensors")], undefined).catch((refusal: unknown) => refusal);
    expect(error).toMatchObject({ code: "safetensors-missing", message: expect.stringContaining("a.safetensors, b.safetensors") });
  });

  it("one tensor in two parts", async () => {
    const parts = [part("m-00001-of-00002.safetensors"), part("m-00002-of-00002.safetensors")];
    await expect(readSafetensorsSet(parts, undefined)).rejects.toMatchObject({
      code: "safetensors-header-json",
      message: expect.stringContaining("is in m-00001-of-00002.safetensors too"),
    });
  });

  it("an index that is too long, names too many tensors, or is of something else", async () => {
    const read = (index: ByteSource) => readSafetensorsSet([part("x.safetensors"), part("y.safetensors")], index);
    const endless = { ...bytesSource("i.json", bytes(0)), size: limits.safetensorsIndexBytes + 1 };
    await expect(read(endless)).rejects.toMatchObject({ code: "model-config-json" });
    const many = Object.fromEntries(Array.from({ length: limits.safetensorsTensors + 1 }, (_, i) => [`t${i}`, "x"]));
    await expect(read(bytesSource("i.json", json({ weight_map: many })))).rejects.toMatchObject({ code: "model-config-json" });
    await expect(read(bytesSource("i.json", json({ weight_map: 1 })))).rejects.toMatchObject({ code: "model-config-json" });
    const long = await read(bytesSource("i.json", json({ weight_map: { ["n".repeat(500)]: "../x.safetensors" } }))).catch(
      (e: unknown) => e,
    );
    expect((long as SpellError).message.length).toBeLessThan(300);
  });
});

describe("good safetensors", () => {
  it("a scalar, an empty tensor, a padded header, spaces before it", async () => {
    const header = '   {"s":{"dtype":"F32","shape":[],"data_offsets":[0,4]},"e":{"dtype":"F16","shape":[2,0],"data_offsets":[4,4]}}   ';
    const tensors = await read(withHeader(header, bytes(4)));
    expect(tensors.get("s")).toMatchObject({ shape: [], length: 4, offset: 8 + header.length });
    expect(tensors.get("e")).toMatchObject({ shape: [2, 0], length: 0 });
    expect((await read(withHeader("{}"))).size).toBe(0);
  });

  it("parts are one set, with an index and without", async () => {
    const files = writeTinyT5({ shards: 3 });
    const sources = [...files].filter(([name]) => name.endsWith(".safetensors")).map(([name, data]) => bytesSource(name, data));
    const index = bytesSource("index", files.get("model.safetensors.index.json") ?? bytes(0));
    const whole = await read(writeTinyT5().get("model.safetensors") ?? bytes(0));
    expect(new Set((await readSafetensorsSet(sources, index)).keys())).toEqual(new Set(whole.keys()));
    expect(new Set((await readSafetensorsSet(sources, undefined)).keys())).toEqual(new Set(whole.keys()));
  });

  it("of several files model.safetensors is the model; one alone may have any name", async () => {
    const data = writeTinyT5().get("model.safetensors") ?? bytes(0);
    const other = bytesSource("adapter.safetensors", withHeader("{}"));
    expect((await readSafetensorsSet([other, bytesSource("model.safetensors", data)], undefined)).size).toBeGreaterThan(10);
    expect((await readSafetensorsSet([bytesSource("model.fp16.safetensors", data)], undefined)).size).toBeGreaterThan(10);
  });

  it("what is written is read back", async () => {
    const tensor = fc.record({
      name: fc.string({ minLength: 1, unit: "binary" }),
      shape: fc.array(fc.integer({ min: 0, max: 5 }), { maxLength: 4 }),
      dtype: fc.constantFrom("F32", "F16", "BF16", "I64", "U8", "BOOL"),
    });
    const size = { F32: 4, F16: 2, BF16: 2, I64: 8, U8: 1, BOOL: 1 };
    await fc.assert(
      fc.asyncProperty(fc.uniqueArray(tensor, { selector: ({ name }) => name, maxLength: 8 }), async (list) => {
        const tensors: PlainTensor[] = list
          .filter(({ name }) => name !== "__metadata__" && !/\p{Surrogate}/u.test(name))
          .map((entry) => ({ ...entry, data: bytes(entry.shape.reduce((a, b) => a * b, size[entry.dtype])) }));
        const found = await read(writeSafetensors(tensors, { format: "pt" }));
        expect([...found].map(([name, { dtype, shape }]) => ({ name, dtype, shape }))).toEqual(
          tensors.map(({ name, dtype, shape }) => ({ name, dtype, shape })),
        );
      }),
      { numRuns: isLong ? 2000 : 500 },
    );
  });
});

describe("sweeps over safetensors", () => {
  const good = writeSafetensors([
    { name: "a", shape: [2, 3], dtype: "F32", data: bytes(24) },
    { name: "b", shape: [4], dtype: "BF16", data: bytes(8) },
  ]);
  const outcome = async (file: Uint8Array): Promise<string> => {
    try {
      await read(file);
      return "good";
    } catch (error) {
      if (error instanceof SpellError && error.code.startsWith("safetensors-")) return error.code;
      throw error;
    }
  };

  it("cut at every byte, it gives a typed code", async () => {
    for (let cut = 0; cut < good.length; cut += 1) expect(await outcome(good.slice(0, cut))).not.toBe("good");
  });

  it("with any bit of its first 512 bytes flipped, it gives a typed code or a good parse", async () => {
    for (let bit = 0; bit < Math.min(512, good.length) * 8; bit += 1) {
      const file = good.slice();
      file[bit >> 3] = (file[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      await outcome(file);
    }
  });

  it("with extreme numbers in every field, it gives a typed code or a good parse", async () => {
    const extremes = [
      "0",
      "1",
      "2147483647",
      "2147483648",
      "4294967295",
      "9007199254740992",
      "9223372036854775807",
      "18446744073709551615",
      "-1",
      "1e308",
      "0.5",
    ];
    const text = '{"a":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]}}';
    for (const [field] of ["2,", "3]", "[0", "24"].map((part) => [part])) {
      for (const value of extremes) {
        const changed = text.replace(field ?? "", (field ?? "").replace(/\d+/, value));
        const code = await outcome(withHeader(changed, bytes(24)));
        expect(code === "good" ? changed : text).toBe(text);
      }
    }
  });

  it("random bytes give a typed code", async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 200 }), async (file) => {
        expect(await outcome(file)).not.toBe("good");
      }),
      { numRuns: isLong ? 10_000 : 2500 },
    );
  });
});
