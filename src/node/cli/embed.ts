/** `llmspell embed`: vectors of texts. `llmspell similar`: lines that are most like a text. */
import { readFile } from "node:fs/promises";
import { plainVector } from "../../core/api/plain-vector.ts";
import { rank, similarity } from "../../core/embed/collect.ts";
import { SpellError } from "../../core/errors.ts";
import type { EmbeddingModel, EmbedOptions, EmbedResult } from "../../core/spec/embedding-model.ts";
import { flagNumber, flagText } from "./args.ts";
import type { Context } from "./context.ts";
import { readLines } from "./input.ts";
import { defaultEmbedder, defaultReranker } from "./names.ts";
import { disposeSoon, explain, loadEmbeddings, loadReranker, readLoadOptions } from "./session.ts";

/** @throws SpellError of the flags, the texts, the model or its answer */
export async function embed(context: Context): Promise<number> {
  const { operands, flags, screen } = context;
  const areLines = operands.length === 0;
  const texts = areLines ? await linesOf(context, undefined) : operands;
  if (texts.length === 0) throw noTexts();
  const place = (index: number): string => (areLines ? `line ${index + 1} of standard input` : `text ${index + 1}`);
  const empty = texts.indexOf("");
  if (empty >= 0) throw noText(place(empty), areLines ? "Leave empty lines out: each line becomes one vector." : "Leave it out.");
  const query = flags.has("query");
  const { model, result } = await withEmbedder(context, place, (each) => each.embed(texts, { ...embedOptions(context), query }));
  const { vectors, dimensions, tokens, warnings } = result;
  const embeddings = vectors.map(plainVector);
  screen.document({
    status: "ok",
    ...aboutOf(model),
    dimensions,
    embeddings,
    usage: { prompt_tokens: tokens, total_tokens: tokens },
    warnings,
  });
  screen.write(embeddings.map((vector) => `${JSON.stringify(vector)}\n`).join(""));
  return 0;
}

/** @throws SpellError as embed() */
export async function similar(context: Context): Promise<number> {
  const { operands, flags, screen } = context;
  const [text = "", file] = operands;
  if (text.trim() === "") throw noText("TEXT", "Give what the lines are ranked against.");
  const from = file === undefined || file === "-" ? "standard input" : file;
  const lines = (await linesOf(context, file)).map((line, index) => ({ text: line, index })).filter((line) => line.text.trim() !== "");
  if (lines.length === 0) {
    const hint = "Name a file of lines behind TEXT, or pipe them.";
    throw new SpellError("usage-value", `${from}: expected lines of text; got none`, { where: from, hint });
  }
  const texts = lines.map((line) => line.text);
  const place = (index: number): string => `line ${(lines[index]?.index ?? 0) + 1} of ${from}`;
  const compare = flags.has("rerank") ? scoresOfPairs : cosines;
  const { model, result } = await compare(context, text, texts, place);
  const results = rank(result.scores)
    .slice(0, flagNumber(flags, "top-k"))
    .map(({ index, score }) => ({ text: lines[index]?.text ?? "", score: Number(score.toFixed(6)), index: lines[index]?.index ?? 0 }));
  const usage = { prompt_tokens: result.tokens, total_tokens: result.tokens };
  screen.document({ status: "ok", ...aboutOf(model), results, usage, warnings: result.warnings });
  screen.write(results.map((line) => `${line.score.toFixed(3)}  ${line.text}\n`).join(""));
  return 0;
}

/** How far lines are from a text, as a model of vectors sees it. */
function cosines(context: Context, text: string, lines: readonly string[], place: Place) {
  const options = embedOptions(context);
  return withEmbedder(context, place, async (model) => {
    const asked = await model.embed([text], { ...options, query: true }).catch((error: unknown) => {
      throw inPlace(error, () => "TEXT");
    });
    const found = await model.embed(lines, options);
    const [vector = new Float32Array()] = asked.vectors;
    return {
      scores: found.vectors.map((each) => similarity(vector, each)),
      tokens: asked.tokens + found.tokens,
      warnings: [...asked.warnings, ...found.warnings],
    };
  });
}

/** As a model sees it that reads both together. @throws SpellError usage-value */
async function scoresOfPairs(context: Context, text: string, lines: readonly string[], place: Place) {
  const { flags } = context;
  if (flags.has("dimensions"))
    throw new SpellError("usage-value", "--dimensions is of vectors, and --rerank makes none; expected one of the two", {
      where: "--dimensions",
    });
  const { truncate, signal } = embedOptions(context);
  const name = flagText(flags, "model") ?? defaultReranker;
  return ask(context, name, place, await loadReranker(context, name, readLoadOptions(flags)), (model) =>
    model.rerank(text, lines, { truncate, signal }),
  );
}

async function withEmbedder<R extends Told>(context: Context, place: Place, call: (model: EmbeddingModel) => Promise<R>) {
  const name = flagText(context.flags, "model") ?? defaultEmbedder;
  return ask(context, name, place, await loadEmbeddings(context, name, readLoadOptions(context.flags)), call);
}

/** What the text of this index is called here: its line in a file, say. */
type Place = (index: number) => string;

type Told = Pick<EmbedResult, "warnings">;

/** Asks, gives the model back, and tells the warnings. */
async function ask<M extends Pick<EmbeddingModel, "dispose">, R extends Told>(
  context: Context,
  name: string,
  place: Place,
  model: M,
  call: (model: M) => Promise<R>,
): Promise<{ readonly model: M; readonly result: R }> {
  const { screen, interrupt } = context;
  const progress = screen.progress("reading the texts");
  try {
    const result = await call(model);
    progress.end();
    for (const message of new Set(result.warnings.map((warning) => warning.message))) screen.note(message);
    return { model, result };
  } catch (error) {
    progress.end();
    throw interrupt.signal.aborted
      ? new SpellError("run-aborted", "stopped before all texts were read")
      : explain(inPlace(error, place), name, "run", context);
  } finally {
    await disposeSoon(model);
  }
}

/** The error of one text, with the place that the text has here. */
function inPlace(error: unknown, place: Place): unknown {
  if (!(error instanceof SpellError)) return error;
  if (error.code === "run-option" && error.where === "dimensions")
    return new SpellError("usage-value", `--${error.message}`, { where: "--dimensions", cause: error });
  const [, index] = /^texts\[(\d+)\]$/.exec(error.where ?? "") ?? [];
  if (index === undefined) return error;
  const where = place(Number(index));
  const moved = error.with({ message: error.message.replace(/^text \d+/, where), where });
  if (error.code !== "run-context") return moved;
  return moved.with({ hint: "Divide the text, or have it cut:", actions: [{ kind: "use-option", name: "truncate", value: true }] });
}

function aboutOf({
  id,
  provider,
  backend,
  architecture,
}: Pick<EmbeddingModel, "id" | "provider" | "backend" | "architecture">): Readonly<Record<string, string>> {
  return { model: id, provider, backend, architecture };
}

function embedOptions({ flags, interrupt }: Context): EmbedOptions {
  return { dimensions: flagNumber(flags, "dimensions"), truncate: flags.has("truncate"), signal: interrupt.signal };
}

/** @throws SpellError usage-no-prompt, usage-value */
async function linesOf({ stdin, interrupt, screen }: Context, file: string | undefined): Promise<readonly string[]> {
  if (file !== undefined && file !== "-") return linesOfFile(file);
  if (stdin === undefined) throw noTexts();
  const lines: string[] = [];
  for await (const line of readLines(stdin, interrupt.signal, screen)) lines.push(line);
  return lines;
}

function noTexts(): SpellError {
  const message = "no texts were given; expected some on the command line, or a line each on standard input";
  return new SpellError("usage-no-prompt", message, { hint: "Write texts behind the command, each in quotes, or pipe a text a line." });
}

function noText(where: string, hint: string): SpellError {
  return new SpellError("usage-value", `${where} is empty; expected at least one character`, { where, hint });
}

async function linesOfFile(file: string): Promise<readonly string[]> {
  try {
    const text = new TextDecoder("utf-8", { fatal: true }).decode(await readFile(file));
    return text.replace(/\r?\n$/, "").split(/\r?\n/);
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    const why =
      code === "ENOENT"
        ? "no such file"
        : code === "ERR_ENCODING_INVALID_ENCODED_DATA"
          ? "it is not UTF-8 text"
          : code === "EISDIR"
            ? "it is a folder"
            : `it cannot be read (${code})`;
    throw new SpellError("usage-value", `${file}: expected a file of lines; ${why}`, {
      where: file,
      hint: "Name a text file with a text a line, or pipe the lines.",
      cause,
    });
  }
}
