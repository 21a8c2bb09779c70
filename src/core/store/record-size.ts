/** What a record counts for its limit: the bytes of its table, key and value in UTF-8. */
export function recordSize(table: string, key: string, value: string): number {
  return new TextEncoder().encode(table + key + value).byteLength;
}

/** What RecordStore.next() gives. @param value of the record */
export function numberAfter(value: string | undefined, least: number): number {
  const last = Number(value ?? Number.NaN);
  return Number.isSafeInteger(last) ? Math.max(last + 1, least) : least;
}
