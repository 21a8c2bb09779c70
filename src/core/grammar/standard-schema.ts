/** Which schemas are a library's own objects, and which are plain data. */
import { isObject } from "../json.ts";

/**
 * What a schema says of itself by https://standardschema.dev.
 * @returns undefined for a JSON Schema, also one that zod made and marked, unseen, with the schema it came from: what stands in it counts
 */
export function standardOf(schema: unknown): Readonly<Record<string, unknown>> | undefined {
  if ((typeof schema !== "object" && typeof schema !== "function") || schema === null) return undefined;
  const standard = (schema as Readonly<Record<string, unknown>>)["~standard"];
  if (!isObject(standard)) return undefined;
  const prototype: unknown = Object.getPrototypeOf(schema);
  const isData = prototype === Object.prototype || prototype === null;
  return isData && !Object.prototype.propertyIsEnumerable.call(schema, "~standard") ? undefined : standard;
}
