/** The form of what is compiled: keys and profiles. Types only. */

/** Value of one key. */
export type ConfigValue = string | number | boolean | readonly string[];

/** One key, as compiled from schema.ts. */
export interface ConfigKey {
  /** dotted; of a provider key within `[providers.NAME]` */
  readonly path: string;
  readonly type: "boolean" | "integer" | "number" | "text" | "list";
  /** allowed texts, in the form they are shown in */
  readonly choices?: readonly string[] | undefined;
  /** other spellings of a choice */
  readonly aliases?: Readonly<Record<string, string>> | undefined;
  /** of numbers */
  readonly min?: number | undefined;
  readonly max?: number | undefined;
  /** true: `min` itself is outside */
  readonly above?: boolean | undefined;
  /** least value besides 0 */
  readonly least?: number | undefined;
  /** most characters of a text or of each text of a list */
  readonly longest?: number | undefined;
  /** most texts of a list */
  readonly most?: number | undefined;
  readonly format?: "path" | "url" | "model" | "variable" | undefined;
  readonly unit?: string | undefined;
  /** default; absent: unset */
  readonly fallback?: ConfigValue | undefined;
  /** said instead of a default */
  readonly usually?: string | undefined;
  readonly doc: string;
  /** path of the file that reads it, or what will */
  readonly reader: string;
}

/** A key of `[providers.NAME]`. */
export interface ProviderKey extends ConfigKey {
  /** values of provider_type that have it */
  readonly types: readonly string[];
}

/** A profile of the package. */
export interface BuiltinProfile {
  readonly name: string;
  /** short names */
  readonly aliases: readonly string[];
  readonly category: string;
  readonly description: string;
  readonly useCases: readonly string[];
  readonly features: readonly string[];
  /** checked against the schema when the package was built, in their canonical form */
  readonly values: Readonly<Record<string, unknown>>;
}
