/** Small results of measurements, by name, in a file of the home folder. A lost one is measured again. */
import { readHomeJson, writeHomeJson } from "../home.ts";

/** A few devices or models, a few versions; the oldest go first. */
const maxEntries = 64;

/** @returns all entries of a file as they are; a file of another form has none */
export function readRecords(file: string): Readonly<Record<string, unknown>> {
  const found = readHomeJson(file);
  // Names from a file: without a prototype none of them has a meaning.
  return Object.assign(Object.create(null), typeof found === "object" && found !== null && !Array.isArray(found) ? found : {});
}

export function writeRecord(file: string, key: string, value: unknown): void {
  const others = Object.entries(readRecords(file)).filter(([name]) => name !== key);
  try {
    writeHomeJson(file, Object.fromEntries([...others.slice(-(maxEntries - 1)), [key, value]]));
  } catch {
    // A home that cannot be written costs a new measurement next time.
  }
}
