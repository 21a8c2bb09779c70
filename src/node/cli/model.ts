/** `llmspell model info`: details of a model from its headers, and where it would run. No model is loaded. */
import type { Fit, ModelInfo } from "../../core/backends/models.ts";
import { toSnake } from "../../core/values.ts";
import type { Context } from "./context.ts";
import { formatBytes, formatParameters } from "./format.ts";
import { backendLabel } from "./names.ts";
import { deviceFields, explain } from "./session.ts";

/** @throws SpellError of LocalLlm.info */
export async function modelInfo({ operands, flags, screen, interrupt, openSpell }: Context): Promise<number> {
  const [spec = ""] = operands;
  const { models } = await openSpell();
  const options = { signal: interrupt.signal, remote: flags.has("remote") };
  const { notes, device, ...info } = await models.info(spec, options).catch((error: unknown) => {
    throw explain(error, spec, "info");
  });
  screen.document({ status: "ok", ...toSnake(info), device: deviceFields(device ?? undefined) });
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
    ["backend", backendLabel(fields.backend)],
    ["format", fields.format],
    ["architecture", fields.architecture],
    ["parameter_count", fields.parameterCount === null ? null : formatParameters(fields.parameterCount)],
    ["quantization", fields.quantization],
    ["size_bytes", fields.sizeBytes === null ? null : `${count(fields.sizeBytes)} (${formatBytes(fields.sizeBytes)}${several})`],
    ["modified_at", fields.modifiedAt === null ? null : new Date(fields.modifiedAt * 1000).toISOString().slice(0, 19).replace("T", " ")],
    ["source", fields.source],
    ["revision", fields.revision],
    ["license", fields.license],
    ["verified", fields.verified],
    ["bundled", fields.bundled ? "yes" : "no"],
    ["path", fields.path],
    ["aliases", fields.aliases.length === 0 ? null : fields.aliases.join(", ")],
    ["chat_template", fields.format === null ? null : fields.chatTemplate === null ? "none" : firstLine(fields.chatTemplate)],
    ["context_length", count(fields.contextLength)],
    ["embedding_length", count(fields.embeddingLength)],
    ["block_count", count(fields.blockCount)],
    ["vocab_size", count(fields.vocabSize)],
    ["license_url", fields.licenseUrl],
    ["fits", fits === null ? null : fitsText(fits)],
  ];
  return rows.flatMap(([key, value]) => (value === null ? [] : [[key, value] as const]));
}

function fitsText({ ok, device, neededBytes, availableBytes }: Fit): string {
  const free = availableBytes === null ? "" : ` of ${formatBytes(availableBytes)} free`;
  return `${ok ? "yes" : "no"}, ${device} needs about ${formatBytes(neededBytes)}${free}`;
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
