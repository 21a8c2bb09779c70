/**
 * What headers of other tools' files said, kept from list to list: caches of these tools hold hundreds of models, and reading every header anew takes
 * seconds. A note is bound to place, size and time of each file; loading a model reads its headers all the same.
 */

import type { DescribedModel, ExternalFile } from "../../download/pull.ts";
import { modifiedOf } from "../../download/pull.ts";
import { SpellError } from "../../errors.ts";
import { hashOf } from "../../hub/plan-url.ts";
import { isObject } from "../../json.ts";
import type { ForeignNotes } from "../../platform.ts";
import { version } from "../../version.ts";

/** Why files are no model that runs here. */
interface Refusal {
  readonly refused: string;
}

export interface NoteBook {
  /**
   * @param read looks at the headers; it is called where no note is left
   * @throws SpellError of `read` that another look may not repeat
   */
  describe(files: readonly ExternalFile[], read: () => Promise<DescribedModel>): Promise<DescribedModel | Refusal>;
  /** Writes down the notes that were asked for since openNotes(), where any is new or none of the others counts any more. */
  close(): Promise<void>;
}

/** @param notes absent where the host keeps none: then headers are read each time */
export async function openNotes(notes: ForeignNotes | undefined): Promise<NoteBook> {
  const found = await notes?.read();
  // Another version may know more architectures.
  const old = isObject(found) && found["version"] === version && isObject(found["models"]) ? found["models"] : {};
  const used: Record<string, DescribedModel | Refusal> = Object.create(null);
  let isNew = false;
  return {
    async describe(files, read) {
      const key = await hashOf(JSON.stringify(files.map(({ source }) => [source.path ?? source.name, source.size, modifiedOf(source)])));
      const known = Object.hasOwn(old, key) ? old[key] : undefined;
      if (isDescribed(known) || isRefusal(known)) {
        used[key] = known;
        return known;
      }
      isNew = true;
      const note = await read().catch((error: unknown): Refusal => {
        if (error instanceof SpellError && error.exitCode === 3 && !error.code.startsWith("store-")) return { refused: error.message };
        throw error;
      });
      used[key] = note;
      return note;
    },
    async close() {
      if (isNew || Object.keys(old).length !== Object.keys(used).length) await notes?.write({ version, models: used });
    },
  };
}

export function isRefusal(value: unknown): value is Refusal {
  return isObject(value) && typeof value["refused"] === "string";
}

function isDescribed(value: unknown): value is DescribedModel {
  return (
    isObject(value) &&
    ["gguf", "safetensors", "onnx"].includes(String(value["format"])) &&
    ["architecture", "quantization"].every((name) => typeof value[name] === "string") &&
    ["parameter_count", "context_length"].every((name) => Number.isFinite(value[name])) &&
    (value["license"] === undefined || typeof value["license"] === "string")
  );
}
