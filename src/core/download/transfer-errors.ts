/** What a transfer says of a file that does not come as it should. */
import { SpellError } from "../errors.ts";

type Named = { readonly path: string };

/** The file's name before what a store said of its bytes. */
export function withName(error: SpellError, { path }: Named): SpellError {
  return new SpellError(error.code, `${path}: ${error.message}`, {
    where: path,
    cause: error,
    details: error.details,
  });
}

export function changedError({ path }: Named, cause?: SpellError): SpellError {
  return new SpellError(
    "net-changed",
    `${path} changed at its source while it was fetched${cause === undefined ? "" : `: ${cause.message}`}`,
    {
      where: path,
      cause,
      details: cause?.details,
    },
  );
}

/** Fewer or other bytes than announced: tried again like a break, told as net-size if it stays. */
export function shortError({ path }: Named, problem: string, details: { readonly wanted: number; readonly got: number }): SpellError {
  return new SpellError("net-reset", `${path}: ${problem}`, { where: path, details });
}

export function rangeError({ path }: Named, problem: string): SpellError {
  return new SpellError("net-range", `${path}: ${problem}`, { where: path });
}

/** Says what is kept for the next run. */
export function withKept(error: unknown, { path }: Named, keptBytes: number, totalBytes: number | undefined): unknown {
  if (!(error instanceof SpellError)) return error;
  return new SpellError(error.code, error.message, {
    hint: error.hint,
    commands: error.commands,
    where: error.where,
    details: { ...error.details, file: path, keptBytes, ...(totalBytes === undefined ? {} : { totalBytes }) },
    cause: error,
  });
}
