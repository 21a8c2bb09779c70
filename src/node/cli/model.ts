/** `llmspell model info`: what a model says about itself, and where it would run. Reads headers; no model is loaded. */
import type { ModelInfo } from "../../core/api/models/records.ts";
import type { Context } from "./context.ts";
import { formatBytes, formatParameters } from "./format.ts";
import { deviceFields, explain } from "./session.ts";

/** @throws SpellError of LocalLlm.info */
export async function modelInfo({ operands, flags, screen, interrupt, openSpell }: Context): Promise<number> {
  const [spec = ""] = operands;
  const localLLM = await (await openSpell()).localLLM();
  const options = { signal: interrupt.signal, remote: flags.has("remote") ? true : undefined };
  const { notes, device, ...info } = await localLLM.info(spec, options).catch((error: unknown) => {
    throw explain(error, spec, "llmspell model info");
  });
  screen.document({ status: "ok", ...info, device: device === null ? null : deviceFields(device) });
  screen.writeOwn(
    textLines(info)
      .map(([key, value]) => `${screen.out.word(`${key}:`)} ${screen.clean(oneLine(value))}\n`)
      .join(""),
  );
  for (const note of notes) screen.note(note);
  return 0;
}

/** For people: numbers with units, and only what is known. */
function textLines(fields: Omit<ModelInfo, "notes" | "device">): readonly (readonly [string, string])[] {
  const count = (value: number | null): string | null => (value === null ? null : value.toLocaleString("en-US"));
  const { files, fits } = fields;
  const several = files.length > 1 ? ` in ${files.length} files` : "";
  const rows: readonly (readonly [string, string | null])[] = [
    ["id", fields.id],
    ["backend", fields.backend],
    ["format", fields.format],
    ["architecture", fields.architecture],
    ["parameter_count", fields.parameter_count === null ? null : formatParameters(fields.parameter_count)],
    ["quantization", fields.quantization],
    ["size_bytes", `${count(fields.size_bytes)} (${formatBytes(fields.size_bytes)}${several})`],
    ["modified_at", fields.modified_at === null ? null : new Date(fields.modified_at * 1000).toISOString().slice(0, 19).replace("T", " ")],
    ["source", fields.source],
    ["revision", fields.revision],
    ["license", fields.license],
    ["verified", fields.verified],
    ["bundled", fields.bundled ? "yes" : "no"],
    ["path", fields.path],
    ["aliases", fields.aliases.length === 0 ? null : fields.aliases.join(", ")],
    ["chat_template", fields.chat_template === null ? "none" : firstLine(fields.chat_template)],
    ["context_length", count(fields.context_length)],
    ["embedding_length", count(fields.embedding_length)],
    ["block_count", count(fields.block_count)],
    ["vocab_size", count(fields.vocab_size)],
    ["license_url", fields.license_url],
    [
      "fits",
      fits === null
        ? null
        : `${fits.ok ? "yes" : "no"}, ${fits.device} needs about ${formatBytes(fits.needed_bytes)}${fits.available_bytes === null ? "" : ` of ${formatBytes(fits.available_bytes)} free`}`,
    ],
  ];
  return rows.flatMap(([key, value]) => (value === null ? [] : [[key, value] as const]));
}

function firstLine(template: string): string {
  const line = template.trimStart().split(/\r?\n/, 1)[0] ?? "";
  const cut = line.length > 100 ? `${line.slice(0, 100)}…` : line;
  return line.length < template.trim().length && line.length <= 100 ? `${cut} …` : cut;
}

/** A line break inside a value would look like a field of its own. */
function oneLine(text: string): string {
  return text.replace(/[\r\n\u2028\u2029]+/g, " ");
}
