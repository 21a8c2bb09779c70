/** Schemas of tools in few words, so that a table of them can be read. */
import type { ObjectSchema } from "./types.ts";

type Schema = Readonly<Record<string, unknown>>;

export const text = (description: string, more: Schema = {}): Schema => ({ type: "string", description, ...more });
export const integer = (description: string, minimum: number, maximum: number): Schema => ({
  type: "integer",
  description,
  minimum,
  maximum,
});
export const number = (description: string): Schema => ({ type: "number", description });
export const flag = (description: string): Schema => ({ type: "boolean", description });
export const oneOf = (description: string, words: readonly string[]): Schema => ({ type: "string", description, enum: words });
export const list = (description: string, items: Schema = {}): Schema => ({ type: "array", description, items });
export const any = (description: string): Schema => ({ description });

/** An object with these members and no others. @param required default: every member */
export function object(properties: Readonly<Record<string, Schema>>, required: readonly string[] = Object.keys(properties)): ObjectSchema {
  return { type: "object", properties, required, additionalProperties: false };
}
