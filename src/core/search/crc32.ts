/** CRC-32 as zip and png have it: finds damage, no forgery. Eight bytes at a time, each with a table of its own. */
const tables = new Int32Array(8 * 256);
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
  for (const end = bytes.length - 7; at < end; at += 8) {
    value ^=
      (bytes[at] as number) | ((bytes[at + 1] as number) << 8) | ((bytes[at + 2] as number) << 16) | ((bytes[at + 3] as number) << 24);
    value =
      (tables[1792 + (value & 0xff)] as number) ^
      (tables[1536 + ((value >>> 8) & 0xff)] as number) ^
      (tables[1280 + ((value >>> 16) & 0xff)] as number) ^
      (tables[1024 + (value >>> 24)] as number) ^
      (tables[768 + (bytes[at + 4] as number)] as number) ^
      (tables[512 + (bytes[at + 5] as number)] as number) ^
      (tables[256 + (bytes[at + 6] as number)] as number) ^
      (tables[bytes[at + 7] as number] as number);
  }
  for (; at < bytes.length; at += 1) value = (value >>> 8) ^ (tables[(value ^ (bytes[at] as number)) & 0xff] as number);
  return ~value >>> 0;
}
