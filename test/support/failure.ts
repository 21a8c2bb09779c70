import { SpellError } from "../../src/core/errors.ts";

/** The SpellError a promise ends in; anything else that is thrown is thrown on. */
export async function failure(promise: Promise<unknown>): Promise<SpellError> {
  const outcome: unknown = await promise.then(
    () => new Error("nothing was thrown"),
    (error: unknown) => error,
  );
  if (outcome instanceof SpellError) return outcome;
  throw outcome;
}
