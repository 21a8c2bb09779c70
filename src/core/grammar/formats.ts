/** Formats of text that a grammar holds: what is written keeps them by every validator that was looked at. */

const date =
  "(?:[0-9]{3}[1-9]|[0-9]{2}[1-9]0)-(?:(?:0[13578]|1[02])-(?:0[1-9]|[12][0-9]|3[01])|(?:0[469]|11)-(?:0[1-9]|[12][0-9]|30)|02-(?:0[1-9]|1[0-9]|2[0-8]))";
const clock = "(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]";
const host = "[A-Za-z0-9]+(?:-[A-Za-z0-9]+){0,4}(?:\\.[A-Za-z0-9]+(?:-[A-Za-z0-9]+){0,4}){0,4}\\.[A-Za-z]{2,12}";
const byte = "(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])";

export const formats: Readonly<Record<string, string>> = {
  date: `^${date}$`,
  time: `^${clock}(?:\\.[0-9]{1,6})?(?:Z|[+-](?:[01][0-9]|2[0-3]):[0-5][0-9])$`,
  // UTC: validators refuse an offset unless told otherwise
  "date-time": `^${date}T${clock}(?:\\.[0-9]{1,6})?Z$`,
  uuid: "^[0-9a-f]{8}-[0-9a-f]{4}-[1-8][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$",
  email: `^[A-Za-z0-9_+-]+(?:\\.[A-Za-z0-9_+-]+){0,4}@${host}$`,
  uri: `^https?://${host}(?::[1-9][0-9]{0,3})?(?:/[A-Za-z0-9._~-]*){0,12}(?:\\?[A-Za-z0-9._~=&-]*)?$`,
  ipv4: `^(?:${byte}\\.){3}${byte}$`,
};

/** Hints to people and models: no validator checks them. */
export const freeFormats: ReadonlySet<string> = new Set(["text", "markdown", "password", "binary"]);

/** Patterns that zod writes beside a format and that no grammar holds; every text of the format matches. */
export const keptPatterns: ReadonlySet<string> = new Set([
  "^(?!\\.)(?!.*\\.\\.)([A-Za-z0-9_'+\\-\\.]*)[A-Za-z0-9_+-]@([A-Za-z0-9][A-Za-z0-9\\-]*\\.)+[A-Za-z]{2,}$",
]);
