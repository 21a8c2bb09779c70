/** Small helpers of several suites. */
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";

/** Whether all of a long list is tried, as `npm run test:long` does, or a part of it, as every change does. */
export const isLong = process.env["LLMSPELL_LONG"] === "1";

/** Of a list whose rows are alike, every n-th in the ordinary run; all of them in the long one. */
export function some<T>(rows: readonly T[], every: number): readonly T[] {
  return isLong ? rows : rows.filter((_, i) => i % every === 0);
}

export const root = fileURLToPath(new URL("../", import.meta.url));

/** Models that lie beside the project where it is developed; elsewhere absent. */
export const sharedModels = `${process.env["LLMSPELL_SHARED"] ?? fileURLToPath(new URL("../../shared", import.meta.url))}/models`;

/** @returns the path of a model beside the project, or undefined with the reason printed */
export function sharedModel(file: string): string | undefined {
  const path = `${sharedModels}/${file}`;
  if (existsSync(path)) return path;
  console.warn(`skipped: ${file} is not here (models beside the project; set LLMSPELL_SHARED)`);
  return undefined;
}
