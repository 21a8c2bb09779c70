/** `llmspell rag ask`: a model answers from passages and cites them by number. */
import { SpellError } from "../../core/errors.ts";
import { askMessages, askText, citedIn, contextOf } from "../../core/rag/context.ts";
import type { RagHit } from "../../core/rag/types.ts";
import type { GenerateOptions, Prompt } from "../../core/spec/generate.ts";
import type { LanguageModel } from "../../core/spec/language-model.ts";
import { inWords } from "../../core/text/option-words.ts";
import { flagWord } from "./advice.ts";
import { checkText, flagText } from "./args.ts";
import type { Context } from "./context.ts";
import { defaultModel } from "./names.ts";
import { copiesOf, ingestLine, searchOptions, titleOf, withRag } from "./rag.ts";
import { disposeSoon, explain, loadModel, readGenerateOptions, readLoadOptions, type StreamEnd, usageFields } from "./session.ts";
import { visibleText } from "./terminal.ts";

/** Tokens of an answer, where no flag says how many. */
const answerTokens = 512;
/** Hashed words are a little alike by chance: below this score they are about nothing. */
const leastLexical = 0.15;

/** @throws SpellError rag-empty where no passage is near enough; usage-value for a question without words; of the flags, the index, the model */
export async function ragAsk(context: Context): Promise<number> {
  const { operands, flags, screen, interrupt } = context;
  const question = checkText(operands.join(" "), "QUESTION");
  // of a search: so many passages
  const { topK: _, ...given } = readGenerateOptions(flags);
  return withRag(context, true, async (rag, place) => {
    const settings = (await context.config()).config.rag;
    const search = searchOptions(context);
    const least = settings.embedding.default_provider === "lexical" ? leastLexical : Number.NEGATIVE_INFINITY;
    const threshold = search.threshold ?? Math.max(settings.search.threshold, least);
    const { results } = await rag.context(question, { ...place, ...search, threshold });
    if (results.length === 0) {
      const { documents } = await rag.stats(place);
      throw new SpellError(
        "rag-empty",
        documents === 0
          ? "the index is empty: there is nothing to answer from"
          : `no passage passes the threshold (${threshold}); nothing to answer from`,
        {
          where: "rag.search.threshold",
          details: { threshold, documents },
          ...(documents === 0 ? { hint: "Ingest files first:", actions: [{ kind: "shell", line: ingestLine(place) }] } : {}),
        },
      );
    }
    const model = await loadAnswerer(context);
    try {
      const passages = fitting(results, model, given);
      const { text, used, end } = await answer(context, model, question, passages, given);
      const cited = citedIn(text, used.length);
      const citations = used.map((hit, i) => ({ number: i + 1, is_cited: cited.includes(i + 1), ...hit }));
      screen.endLine();
      screen.document(
        {
          status: "ok",
          text,
          citations,
          model: model.id,
          provider: model.provider,
          backend: model.backend,
          finish_reason: end?.finishReason,
          usage: end === undefined ? undefined : usageFields(end.usage),
          seed: end?.seed,
        },
        ["text", "citations"],
      );
      noteLeftOut(context, model, results, used);
      const listed = citations.filter(({ is_cited }) => is_cited);
      if (listed.length === 0) screen.note(`the answer cites no passage${screen.json ? "" : "; it had these:"}`);
      screen.writeOwn("\n");
      for (const hit of listed.length === 0 ? citations : listed)
        screen.writeOwn(`${screen.out.dim(`[${hit.number}]`)} ${titleOf(hit)}\n${copiesOf(hit, screen)}`);
      return 0;
    } catch (error) {
      throw interrupt.signal.aborted
        ? new SpellError("run-aborted", "stopped before the answer was whole", { cause: error })
        : explain(error, model.id);
    } finally {
      await disposeSoon(model);
    }
  });
}

/** The model that is named, else the default one, else the bundled one: what is asked offline is answered, and what would answer better is said. */
async function loadAnswerer(context: Context): Promise<LanguageModel> {
  const { flags, screen } = context;
  const name = flagText(flags, "model");
  const options = readLoadOptions(flags);
  try {
    return await loadModel(context, name, options);
  } catch (error) {
    if (name !== undefined || !(error instanceof SpellError) || error.code !== "model-not-installed") throw error;
    screen.note(`${error.message}; ${defaultModel} answers, which knows only stories:`, error.actions);
    return loadModel(context, defaultModel, options);
  }
}

/** Says which passages the model did not have, and whether the best was cut. */
function noteLeftOut(
  { screen }: Context,
  { id, contextLength = 4096 }: LanguageModel,
  all: readonly RagHit[],
  used: readonly RagHit[],
): void {
  const key = (hit: RagHit): string => `${hit.id}\n${hit.start}-${hit.end}`;
  const had = new Set(used.map(key));
  const left = all.filter((hit) => !had.has(key(hit)));
  const [[best], [first]] = [all, used];
  const isCut = best !== undefined && first?.content !== best.content && key(first ?? best) === key(best);
  if (left.length === 0 && !isCut) return;
  const names = left.slice(0, 3).map((hit) => `${titleOf(hit)} (${hit.score.toFixed(3)})`);
  const rest = left.length > names.length ? [`${left.length - names.length} more`] : [];
  const said = [
    ...(isCut ? ["the best passage was cut"] : []),
    ...(left.length > 0 ? [`left out: ${[...names, ...rest].join(", ")}`] : []),
  ];
  screen.note(`the context of ${id} (${contextLength} tokens) has no room for all passages; ${said.join("; ")}`);
}

/** Passages that leave the model room for its answer; a word is about one and a half tokens, for small vocabularies two. The best is there, cut where it must be. */
function fitting(
  hits: readonly RagHit[],
  { contextLength = 4096 }: LanguageModel,
  { maxTokens = answerTokens }: GenerateOptions,
): readonly RagHit[] {
  const room = Math.max(32, contextLength - Math.min(maxTokens, contextLength / 2) - 100);
  const { results } = contextOf(hits, room, (text) => Math.ceil(text.length / 3));
  const [best] = hits;
  if (best === undefined || results[0] === best) return results;
  return [{ ...best, content: best.content?.slice(0, room * 3) }];
}

/** Asks; where the prompt is too long still, with fewer passages, and in the end with a shorter one. */
async function answer(
  { screen, interrupt, flags }: Context,
  model: LanguageModel,
  question: string,
  passages: readonly RagHit[],
  given: GenerateOptions,
): Promise<{ readonly text: string; readonly used: readonly RagHit[]; readonly end: StreamEnd | undefined }> {
  let used = passages;
  for (;;) {
    const context = contextOf(used, Number.POSITIVE_INFINITY, () => 0).text;
    const isChat = model.hasChatTemplate;
    const prompt: Prompt = isChat ? askMessages(question, context) : askText(question, context);
    const progress = screen.progress("reading the passages");
    const room = Math.floor((model.contextLength ?? 4096) / 2);
    let text = "";
    let end: StreamEnd | undefined;
    try {
      for await (const part of model.stream(prompt, { maxTokens: Math.min(answerTokens, room), ...given, signal: interrupt.signal })) {
        if (part.type === "text-delta") {
          if (text === "") progress.end();
          text += part.text;
          // it may cite what acts on a terminal
          if (!flags.has("no-stream")) screen.write(visibleText(part.text));
        } else if (part.type === "warning") screen.note(inWords(part, flagWord));
        else if (part.type === "stream-end") end = part;
      }
      progress.end();
      if (flags.has("no-stream")) screen.write(visibleText(text));
      return { text, used, end };
    } catch (error) {
      progress.end();
      const [first] = used;
      const length = first?.content?.length ?? 0;
      if (
        !(error instanceof SpellError) ||
        error.code !== "run-context" ||
        first === undefined ||
        text !== "" ||
        (used.length === 1 && length < 80)
      )
        throw error;
      used = used.length > 1 ? used.slice(0, -1) : [{ ...first, content: first.content?.slice(0, Math.floor(length / 2)) }];
    }
  }
}
