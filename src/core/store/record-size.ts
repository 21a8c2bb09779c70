/** What a record counts for its limit: the bytes of its table, key and value in UTF-8. */
export function recordSize(table: string, key: string, value: string): number {
  return new TextEncoder().encode(table + key + value).byteLength;
}
