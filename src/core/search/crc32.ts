/** CRC-32 as zip and png have it: finds damage, no forgery. Four bytes at a time, each with a table of its own. */
const tables = new Uint32Array(4 * 256);
for (let byte = 0; byte < 256; byte += 1) {
  let value = byte;
  for (let bit = 0; bit < 8; bit += 1) value = value & 1 ? (value >>> 1) ^ 0xedb8_8320 : value >>> 1;
  tables[byte] = value;
}
for (let at = 256; at < tables.length; at += 1) {
  const before = tables[at - 256] as number;
  tables[at] = (before >>> 8) ^ (tables[before & 0xff] as number);
}

export function crc32(bytes: Uint8Array): number {
  let value = -1;
  let at = 0;
  for (const end = bytes.length - 3; at < end; at += 4) {
    value ^=
      (bytes[at] as number) | ((bytes[at + 1] as number) << 8) | ((bytes[at + 2] as number) << 16) | ((bytes[at + 3] as number) << 24);
    value =
      (tables[768 + (value & 0xff)] as number) ^
      (tables[512 + ((value >>> 8) & 0xff)] as number) ^
      (tables[256 + ((value >>> 16) & 0xff)] as number) ^
      (tables[value >>> 24] as number);
  }
  for (; at < bytes.length; at += 1) value = (value >>> 8) ^ (tables[(value ^ (bytes[at] as number)) & 0xff] as number);
  return ~value >>> 0;
}
