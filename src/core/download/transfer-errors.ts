/** Errors of a file that does not arrive as it should. */
import { SpellError } from "../errors.ts";

type Named = { readonly path: string };

/** The name of the file in front of what a store said of its bytes. */
export function withName(error: SpellError, { path }: Named): SpellError {
  return error.with({ message: `${path}: ${error.message}`, where: path });
}

export function changedError({ path }: Named, cause?: SpellError): SpellError {
  const why = cause === undefined ? "" : `: ${cause.message}`;
  const details = cause?.details;
  return new SpellError("net-changed", `${path} changed at its source while it was fetched${why}`, { where: path, cause, details });
}

/** Fewer or other bytes than announced: retried like a broken connection, and net-size if it stays. */
export function shortError({ path }: Named, problem: string, details: { readonly wanted: number; readonly got: number }): SpellError {
  return new SpellError("net-reset", `${path}: ${problem}`, { where: path, details });
}

export function rangeError({ path }: Named, problem: string): SpellError {
  return new SpellError("net-range", `${path}: ${problem}`, { where: path });
}

/** Adds what is kept for the next run. */
export function withKept(error: unknown, { path }: Named, keptBytes: number, totalBytes: number | undefined): unknown {
  return error instanceof SpellError ? error.with({ details: { file: path, keptBytes, totalBytes } }) : error;
}
