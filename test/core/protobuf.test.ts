import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ProtoWriter, readProto } from "../../src/core/protobuf.ts";
import { isLong } from "../support.ts";

const fail = (what: string): Error => new Error(what);
const fields = (bytes: Uint8Array) => [...readProto(bytes, fail)];

describe("ProtoWriter", () => {
  it("writes what protobuf's own documentation shows", () => {
    expect([...new ProtoWriter().int(1, 150).finish()]).toEqual([0x08, 0x96, 0x01]);
    expect([...new ProtoWriter().string(2, "testing").finish()]).toEqual([0x12, 0x07, ...new TextEncoder().encode("testing")]);
    expect([...new ProtoWriter().message(3, new ProtoWriter().int(1, 150)).finish()]).toEqual([0x1a, 0x03, 0x08, 0x96, 0x01]);
    expect([...new ProtoWriter().int(1, -2).finish()]).toEqual([0x08, 0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01]);
  });

  it("is read back: integers of 64 bits, numbers, bytes, texts", () => {
    fc.assert(
      fc.property(
        fc.bigInt(-(2n ** 63n), 2n ** 64n - 1n),
        fc.maxSafeInteger(),
        fc.uint8Array(),
        fc.integer({ min: 1, max: 2 ** 29 - 1 }),
        (big, number, bytes, field) => {
          const [a, b, c, d] = fields(new ProtoWriter().int(field, big).int(1, number).bytes(2, bytes).float(3, 1.5).finish());
          expect(a).toEqual({ field, wire: 0, value: BigInt.asUintN(64, big) });
          expect(b).toEqual({ field: 1, wire: 0, value: BigInt.asUintN(64, BigInt(number)) });
          expect(c).toEqual({ field: 2, wire: 2, bytes });
          expect(d).toMatchObject({ field: 3, wire: 5 });
        },
      ),
      { numRuns: 1000 },
    );
  });
});

describe("readProto", () => {
  it("refuses what ends early, numbers that are too long, groups, field 0", () => {
    for (const bytes of [
      [0x08],
      [0x12, 5, 1],
      [0x0b],
      [0x00],
      [0x08, ...Array(11).fill(0xff)],
      [0x0d, 1, 2],
      [0x12, ...Array(9).fill(0xff), 1],
    ]) {
      expect(() => fields(Uint8Array.from(bytes))).toThrow();
    }
  });

  it("reads random bytes to an end or an error of ours, never past them", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 100 }), (bytes) => {
        try {
          fields(bytes);
        } catch (error) {
          expect((error as Error).message).toMatch(/expected|it ends|number|wire type/);
        }
      }),
      { numRuns: isLong ? 10_000 : 2500 },
    );
  });
});
