/** Schemas of JSON, as callers give them. Types only. */

/** A JSON Schema of draft 2020-12 or draft-07, as plain data. */
export type JsonSchema = boolean | Readonly<Record<string, unknown>>;

/**
 * What gives a JSON Schema of itself: zod 4.2, ArkType 2.1.28, Valibot through @valibot/to-json-schema, and others with the Standard JSON Schema interface
 * (https://standardschema.dev/json-schema). `Output` is the type of its values.
 */
export interface StandardJsonSchema<Output = unknown> {
  readonly "~standard": {
    readonly jsonSchema: {
      readonly output: (options: { readonly target: "draft-2020-12" }) => Record<string, unknown>;
    };
    readonly types?: { readonly output: Output } | undefined;
  };
}
