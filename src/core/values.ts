/** Small things that every part needs. */

/** The members that are set; of records that are laid over others, where an undefined one must not hide what it lies on. */
export function definedOnly<T extends object>(value: T): { readonly [K in keyof T]: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(value).filter(([, inner]) => inner !== undefined)) as {
    readonly [K in keyof T]: Exclude<T[K], undefined>;
  };
}

/** The promise of the first call for everybody; a failure is told again, not tried again. */
export function once<T>(make: () => T): () => T {
  let made: { readonly value: T } | undefined;
  return () => {
    made ??= { value: make() };
    return made.value;
  };
}

/** Plain data with its keys, at every depth, in snake_case: names are camelCase in code, and snake_case in JSON for users. */
export function toSnake(value: object): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(value).map(([key, inner]) => [key.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`), snakeInside(inner)]),
  );
}

function snakeInside(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(snakeInside);
  return typeof value === "object" && value !== null ? toSnake(value) : value;
}
