/** `llmspell model info`: what a model file says about itself, and where it would run. Reads its header; no model is loaded. */
import { stat } from "node:fs/promises";
import { freemem } from "node:os";
import type { Spell } from "../../core/api/spell.ts";
import type { FoundModel } from "../../core/backends/candle.ts";
import { type ModelSummary, summarizeModel } from "../../core/backends/summary.ts";
import { isGpu } from "../../core/devices.ts";
import type { Context } from "./context.ts";
import { formatBytes, formatParameters } from "./format.ts";
import { deviceFields, explain } from "./session.ts";

/** @throws SpellError of Spell.inspect */
export async function modelInfo({ operands, screen, interrupt, openSpell }: Context): Promise<number> {
  const [spec = ""] = operands;
  const spell = await openSpell();
  const found = await spell.inspect(spec, { signal: interrupt.signal }).catch((error: unknown) => {
    throw explain(error, spec, "llmspell model info");
  });
  const facts = summarizeModel(found);
  const preview = await spell.preview(found, { signal: interrupt.signal });
  const fields = await describe(found, facts, preview);
  screen.document({ status: "ok", ...fields });
  screen.writeOwn(
    textLines(found, facts, fields)
      .map(([key, value]) => `${screen.out.word(`${key}:`)} ${screen.clean(oneLine(value))}\n`)
      .join(""),
  );
  for (const note of facts.notes) screen.note(note);
  return 0;
}

/** Everything known; what is not known is null. */
async function describe({ id, bundled, files }: FoundModel, facts: ModelSummary, preview: Awaited<ReturnType<Spell["preview"]>>) {
  const [file] = files;
  const path = file?.path ?? null;
  const modified = path === null ? undefined : await stat(path).catch(() => undefined);
  const contextLength = facts.contextLength;
  const needed = Math.ceil(preview.needs.memoryBytes);
  const device = preview.chosen ?? "cpu";
  // Free memory as the system counts it; on Linux that includes caches it would give up. A card was asked already, and says yes or no.
  const available = isGpu(device) ? null : (process.availableMemory?.() ?? freemem());
  return {
    id,
    backend: "candle",
    format: facts.format,
    architecture: facts.architecture,
    parameter_count: facts.parameterCount ?? null,
    quantization: facts.quantization,
    size_bytes: facts.sizeBytes,
    modified_at: modified === undefined ? null : Math.floor(modified.mtimeMs / 1000),
    source: null,
    revision: null,
    license: facts.license ?? null,
    verified: "none",
    bundled,
    loaded: null,
    path,
    aliases: [] as readonly string[],
    context_length: contextLength,
    embedding_length: facts.embeddingLength,
    block_count: facts.blockCount,
    vocab_size: facts.vocabSize,
    chat_template: facts.chatTemplate ?? null,
    capabilities: facts.capabilities,
    license_url: null,
    files: files.map((part) => ({ path: part.path ?? part.name, size_bytes: part.size, sha256: null })),
    fits: { device, needed_bytes: needed, available_bytes: available, ok: available === null || needed <= available },
    device: deviceFields(preview),
  };
}

/** For people: numbers with units, and only what is known. */
function textLines(
  { files }: FoundModel,
  facts: ModelSummary,
  fields: Awaited<ReturnType<typeof describe>>,
): readonly (readonly [string, string])[] {
  const count = (value: number): string => value.toLocaleString("en-US");
  const rows: readonly (readonly [string, string | null])[] = [
    ["id", fields.id],
    ["backend", fields.backend],
    ["format", fields.format],
    ["architecture", fields.architecture],
    ["parameter_count", fields.parameter_count === null ? null : formatParameters(fields.parameter_count)],
    ["quantization", fields.quantization],
    ["size_bytes", `${count(fields.size_bytes)} (${formatBytes(fields.size_bytes)}${files.length > 1 ? ` in ${files.length} files` : ""})`],
    ["modified_at", fields.modified_at === null ? null : new Date(fields.modified_at * 1000).toISOString().slice(0, 19).replace("T", " ")],
    ["license", fields.license],
    ["verified", fields.verified],
    ["bundled", fields.bundled ? "yes" : "no"],
    ["path", fields.path],
    ["chat_template", facts.chatTemplate === undefined ? "none" : firstLine(facts.chatTemplate)],
    ["context_length", count(fields.context_length)],
    ["embedding_length", count(fields.embedding_length)],
    ["block_count", count(fields.block_count)],
    ["vocab_size", count(fields.vocab_size)],
    [
      "fits",
      `${fields.fits.ok ? "yes" : "no"}, ${fields.fits.device} needs about ${formatBytes(fields.fits.needed_bytes)}${fields.fits.available_bytes === null ? "" : ` of ${formatBytes(fields.fits.available_bytes)} free`}`,
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
