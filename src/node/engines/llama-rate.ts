/**
 * How likely node-llama-cpp's model finds each of several choices as its whole answer: its tokens, and an end behind them. Choices that begin alike share
 * what is computed.
 */
import type { ControlledEvaluateInputItem, LlamaContextSequence, LlamaModel, Token } from "node-llama-cpp";
import { throwIfAborted } from "../../core/errors.ts";
import { amongThemselves, areRated } from "../../core/grammar/choice-odds.ts";

export interface RatedCall {
  readonly model: LlamaModel;
  readonly sequence: LlamaContextSequence;
  readonly prompt: readonly Token[];
  /** told how many tokens are computed next */
  readonly onBatch: (tokens: number) => void;
  readonly contextLength: number;
  readonly signal?: AbortSignal | undefined;
}

/** A beginning of choices: the tokens that go on from it, and how likely each is once that is known. */
interface Fork {
  readonly next: Set<Token>;
  odds?: ReadonlyMap<Token, number>;
}

export interface RatedChoices {
  /** of each choice among them alone */
  readonly logprobs: readonly number[];
  /** tokens of each choice, without an end */
  readonly paths: readonly (readonly Token[])[];
}

/** @returns undefined where there are too many, or one does not fit behind the prompt; what stands in the sequence then is its own to say */
export async function rateChoices(
  { model, sequence, prompt, onBatch, contextLength, signal }: RatedCall,
  choices: readonly string[],
): Promise<RatedChoices | undefined> {
  const { eos, eot } = model.tokens;
  const ends = [...new Set([eos, eot])].filter((token) => token !== null && model.isEogToken(token)) as Token[];
  if (ends.length === 0 || !areRated(choices)) return undefined;
  const paths = choices.map((text) => model.tokenize(text, false, "trimLeadingSpace"));
  if (choices.length === 1) return { logprobs: [0], paths };
  if (paths.some(({ length }) => prompt.length + length >= contextLength)) return undefined;

  const forks = new Map<string, Fork>();
  const forkAfter = (path: readonly Token[], count: number): Fork => {
    const key = path.slice(0, count).join();
    const fork = forks.get(key) ?? { next: new Set() };
    forks.set(key, fork);
    return fork;
  };
  for (const path of paths) {
    for (const [at, token] of path.entries()) forkAfter(path, at).next.add(token);
    for (const token of ends) forkAfter(path, path.length).next.add(token);
  }

  const compute = async (path: readonly Token[]): Promise<void> => {
    throwIfAborted(signal);
    const wanted = path.findIndex((_, at) => forkAfter(path, at).odds === undefined);
    const first = wanted < 0 ? path.length : wanted;
    if (forkAfter(path, first).odds !== undefined) return;
    // the token whose step gives the numbers of a fork stands before it
    const all = [...prompt, ...path];
    await sequence.adaptStateToTokens(all.slice(0, prompt.length - 1 + first), false);
    const begin = sequence.nextTokenIndex;
    const steps = all.slice(begin).map((token, i): ControlledEvaluateInputItem => {
      const at = begin + i + 1 - prompt.length;
      if (at < first) return token;
      // the likeliest token is the one that is drawn at temperature 0
      const logits = { filter: { tokens: [...forkAfter(path, at).next], includeSelected: true } };
      return [token, { generateNext: { token: true, logits, totalLogitWeight: true, options: { temperature: 0 } } }];
    });
    onBatch(steps.length);
    const outputs = await sequence.controlledEvaluate(steps);
    for (const [i, output] of outputs.entries()) {
      const { logits = new Map<Token, number>(), totalLogitWeight = Number.NaN } = output?.next ?? {};
      if (logits.size === 0) continue;
      const most = Math.max(...logits.values()) + Math.log(totalLogitWeight);
      forkAfter(path, begin + i + 1 - prompt.length).odds = new Map([...logits].map(([token, logit]) => [token, logit - most]));
    }
  };
  for (const path of paths.toSorted(compareTokens)) await compute(path);

  const oddsOf = (path: readonly Token[], at: number, token: Token): number => forkAfter(path, at).odds?.get(token) ?? Number.NaN;
  const sums = paths.map(
    (path) =>
      path.reduce<number>((sum, token, at) => sum + oddsOf(path, at, token), 0) +
      Math.max(...ends.map((token) => oddsOf(path, path.length, token))),
  );
  return sums.every(Number.isFinite) ? { logprobs: amongThemselves(sums), paths } : undefined;
}

/** Paths that begin alike stand together. */
function compareTokens(a: readonly Token[], b: readonly Token[]): number {
  for (const [at, token] of a.entries()) {
    const other = b[at];
    if (other === undefined || token > other) return 1;
    if (token < other) return -1;
  }
  return a.length - b.length;
}
