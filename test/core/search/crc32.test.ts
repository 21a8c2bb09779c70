import { crc32 as zlib } from "node:zlib";
import { expect, it } from "vitest";
import { crc32 } from "../../../src/core/search/crc32.ts";

it("sums as zip does, whatever the length", () => {
  // the check value of the standard: ISO 3309, "123456789"
  expect(crc32(new TextEncoder().encode("123456789"))).toBe(0xcbf4_3926);
  expect(crc32(new Uint8Array())).toBe(0);
  for (let length = 1; length < 40; length += 1) {
    const bytes = Uint8Array.from({ length }, (_, i) => (i * 97 + length) & 0xff);
    expect(crc32(bytes)).toBe(zlib(bytes));
  }
});
