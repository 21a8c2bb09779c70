/** GgufHandle that makes vectors with node-llama-cpp. Pooling is as the file says; a decoder that says nothing gives the vector of the last token. */
import type { LlamaModel, Token } from "node-llama-cpp";
import { unit } from "../../core/embed/collect.ts";
import { closedError, messageOf, SpellError, throwIfAborted } from "../../core/errors.ts";
import type { DeviceReport, GgufHandle, GgufOpenOptions, ModelEmbedOptions } from "../../core/spec/runtime.ts";

/** @throws SpellError device-memory, run-nan */
export async function openLlamaEmbeddings(
  model: LlamaModel,
  { contextLength }: Pick<GgufOpenOptions, "contextLength">,
  threads: number,
  report: (threads: number) => DeviceReport,
): Promise<GgufHandle> {
  // The engine keeps one place free, and reads a text in one step.
  const contextSize = contextLength + 1;
  const context = await model.createEmbeddingContext({ contextSize, batchSize: contextSize, threads }).catch((cause: unknown) => {
    throw new SpellError("device-memory", `no memory for texts of ${contextLength} tokens: ${messageOf(cause)}`, { cause });
  });
  const vectorOf = async (tokens: Token[]): Promise<Float32Array> =>
    unit(Float32Array.from((await context.getEmbeddingFor(tokens)).vector));
  const { bos, eos } = model.tokens;
  const around = context.calculateInputLength([...model.tokenize("a")]) - model.tokenize("a").length;
  /**
   * Special tokens in a text are read as such, as the libraries that made the models do. The engine puts no mark before a text that begins with one, nor behind
   * one that ends so, and reads no text without a token.
   */
  const tokensOf = (text: string): Token[] => {
    const own = model.tokenize(text, true);
    if (around > 0 && bos !== null && (own.length === 0 || own[0] === bos)) own.unshift(bos);
    if (around > 1 && eos !== null && own.at(-1) === eos) own.push(eos);
    return own;
  };
  const dimensions = (await vectorOf(model.tokenize("a"))).length;
  let alive = true;

  async function* embed(texts: readonly string[], { truncate, countOnly, signal }: ModelEmbedOptions) {
    for (const [index, text] of texts.entries()) {
      if (!alive) throw closedError();
      throwIfAborted(signal);
      if (countOnly === true) {
        yield { index, vector: new Float32Array(), tokens: model.tokenize(text, true).length };
        continue;
      }
      const own = tokensOf(text);
      const whole = context.calculateInputLength([...own]);
      if (whole <= contextLength) {
        // white space alone may have no token, and some families put nothing around a text
        if (whole === 0)
          throw new SpellError("run-option", `text ${index + 1}: expected at least one token, got none`, { where: `texts[${index}]` });
        yield { index, vector: await vectorOf(own), tokens: whole };
        continue;
      }
      if (!truncate) {
        throw new SpellError("run-context", `text ${index + 1} has ${whole} tokens; this model reads ${contextLength}`, {
          where: `texts[${index}]`,
          hint: "Divide the text, or cut it with truncate.",
          details: { index, promptTokens: whole, contextLength },
        });
      }
      const kept = own.slice(0, contextLength - (whole - own.length));
      yield { index, vector: await vectorOf(kept), tokens: contextLength, wholeTokens: whole };
    }
  }

  return {
    get alive() {
      return alive;
    },
    device: report(threads),
    contextLength,
    dimensions,
    countsTokens: true,
    unsupported: [],
    notes: [],
    embed,
    // biome-ignore lint/correctness/useYield: it refuses
    async *generate() {
      throw new SpellError("run-option", "this model was opened to make vectors, not text");
    },
    async dispose() {
      if (!alive) return;
      alive = false;
      await context.dispose();
      await model.dispose();
    },
  };
}
