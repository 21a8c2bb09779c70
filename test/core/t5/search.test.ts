/** The decode loop, prompt lookup, batches and beam search against naive versions over plain arrays. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { OnnxGraph } from "../../../src/core/spec/onnx.ts";
import { greedy } from "../../../src/core/spec/sampling.ts";
import { searchBeams } from "../../../src/core/t5/beam-search.ts";
import { encode } from "../../../src/core/t5/decode.ts";
import { createLookup } from "../../../src/core/t5/lookup.ts";
import { type SearchOptions, searchTokens } from "../../../src/core/t5/search.ts";
import { searchMany } from "../../../src/core/t5/search-many.ts";
import { createWorth } from "../../../src/core/t5/worth.ts";
import { eagerDrafter, plainSession, scoresAfter } from "./plain-session.ts";

const vocabSize = 12;
const end = 1;

function options(more: Partial<SearchOptions> = {}): SearchOptions {
  return {
    maxTokens: 12,
    minTokens: 0,
    noRepeatNgramSize: 0,
    suppressTokens: [],
    endIds: new Set([end]),
    startId: 0,
    pause: async () => undefined,
    sampling: greedy,
    ...more,
  };
}

/** @param draft seed of a copy that writes ahead: the same seed is always right, another one mostly wrong */
async function found(seed: number, input: readonly number[], search: SearchOptions, draft?: number): Promise<number[]> {
  const plain = plainSession(seed, vocabSize);
  const session = {
    ...plain,
    ...(draft === undefined ? {} : { drafter: eagerDrafter(plainSession(draft, vocabSize, plain.runtime.keepsOutputs)) }),
  };
  const ids: number[] = [];
  for await (const id of searchTokens(session, await encode(session, [input]), input, search)) ids.push(id);
  return ids;
}

/** Best token after best token, with bans applied the slow way. */
function naiveGreedy(
  seed: number,
  input: readonly number[],
  { maxTokens, minTokens, noRepeatNgramSize: n, suppressTokens }: SearchOptions,
): number[] {
  const produced = [0];
  while (produced.length <= maxTokens) {
    const scores = [...scoresAfter(seed, input, produced, vocabSize)].map((score, id) => {
      const next = [...produced, id];
      const tail = next.slice(-n).join();
      const repeats = n > 0 && next.some((_, at) => at + n < next.length && next.slice(at, at + n).join() === tail && next.length - at > n);
      return repeats || suppressTokens.includes(id) || (id === end && produced.length <= minTokens) ? -Infinity : score;
    });
    const id = scores.indexOf(Math.max(...scores));
    produced.push(id);
    if (id === end) break;
  }
  return produced.slice(1);
}

interface Hypothesis {
  readonly ids: readonly number[];
  readonly sum: number;
}

/** Every continuation of every beam, sorted; no cache, no shortcuts. Rules as beam-search.ts tells them. */
function naiveBeams(seed: number, input: readonly number[], { maxTokens }: SearchOptions, numBeams: number, lengthPenalty: number) {
  let running: Hypothesis[] = [{ ids: [], sum: 0 }];
  let finished: { ids: readonly number[]; score: number }[] = [];
  for (let length = 1; length <= maxTokens; length += 1) {
    const all = running
      .flatMap(({ ids, sum }) => {
        const scores = [...scoresAfter(seed, input, [0, ...ids], vocabSize)];
        const total = Math.log(scores.reduce((added, score) => added + Math.exp(score), 0));
        return scores.map((score, id) => ({ ids: [...ids, id], sum: sum + score - total }));
      })
      .sort((a, b) => b.sum - a.sum);
    const isDone = ({ ids }: Hypothesis): boolean => ids.at(-1) === end || length === maxTokens;
    const ended = all.slice(0, numBeams).filter(isDone);
    finished = [...finished, ...ended.map(({ ids, sum }) => ({ ids, score: sum / length ** lengthPenalty }))]
      .sort((a, b) => b.score - a.score)
      .slice(0, numBeams);
    running = all.filter((hypothesis) => !isDone(hypothesis)).slice(0, numBeams);
    const best = running[0];
    if (best === undefined) break;
    if (finished.length === numBeams && best.sum / length ** lengthPenalty <= (finished.at(-1)?.score ?? 0)) break;
  }
  return finished;
}

const inputs = fc.array(fc.integer({ min: 2, max: vocabSize - 1 }), { minLength: 1, maxLength: 8 });
const seeds = fc.integer({ min: 1, max: 1_000_000 });

describe("searchTokens", () => {
  it("finds what the naive loop finds, with n-grams and bans", async () => {
    await fc.assert(
      fc.asyncProperty(
        seeds,
        inputs,
        fc.constantFrom(0, 2, 3),
        fc.integer({ min: 0, max: 5 }),
        async (seed, input, noRepeatNgramSize, minTokens) => {
          const search = options({ noRepeatNgramSize, minTokens, suppressTokens: [5] });
          expect(await found(seed, input, search)).toEqual(naiveGreedy(seed, input, search));
        },
      ),
      { numRuns: 300 },
    );
  });

  it("guesses from the input never change the answer", async () => {
    // a model that copies its input: scores depend on the place only, so guesses are right until the input ends
    const input = [3, 7, 2, 9, 4, 8, 6, 10, 11, 5, 3, 7, 2, 9, 4];
    for (let seed = 1; seed <= 50; seed += 1) {
      const search = options({ maxTokens: 40, suppressTokens: [end] });
      expect(await found(seed, input, search)).toEqual(naiveGreedy(seed, input, search));
    }
  });

  it("a copy that writes ahead never changes the answer, whether it is always right or mostly wrong", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 1000 }),
        fc.integer({ min: 1, max: 1000 }),
        fc.array(fc.integer({ min: 2, max: vocabSize - 1 }), { minLength: 1, maxLength: 8 }),
        fc.integer({ min: 0, max: 3 }),
        async (seed, draft, input, noRepeatNgramSize) => {
          const search = options({ maxTokens: 30, minTokens: 4, noRepeatNgramSize });
          const wanted = naiveGreedy(seed, input, search);
          expect(await found(seed, input, search, draft)).toEqual(wanted);
          expect(await found(seed, input, search, seed)).toEqual(wanted);
        },
      ),
      { numRuns: 100 },
    );
  });

  it("a copy that is right saves passes of the model; the first token waits for none", async () => {
    const session = plainSession(4, vocabSize);
    const passes: number[] = [];
    const counted: typeof session = {
      ...session,
      decoder: {
        ...session.decoder,
        run: (feeds) => {
          passes.push(feeds["input_ids"]?.shape[1] ?? 0);
          return session.decoder.run(feeds);
        },
      },
      drafter: eagerDrafter(plainSession(4, vocabSize)),
    };
    const search = options({ maxTokens: 40, suppressTokens: [end] });
    const ids: number[] = [];
    for await (const id of searchTokens(counted, await encode(counted, [[2, 5, 9]]), [2, 5, 9], search)) ids.push(id);
    expect(ids).toHaveLength(40);
    expect(passes[0]).toBe(1);
    expect(passes.length).toBeLessThan(12);
  });

  it("a copy that is wrong, or as slow as the model, takes next to no time; one that is right and quick goes on", async () => {
    const take = async (draft: number | undefined, guessMs = 0): Promise<number> => {
      const plain = plainSession(4, vocabSize);
      const copy = plainSession(draft ?? 0, vocabSize, plain.runtime.keepsOutputs).decoder;
      let at = 0;
      const timed = (graph: OnnxGraph, ms: number): OnnxGraph => ({
        ...graph,
        run: (feeds) => {
          at += ms;
          return graph.run(feeds);
        },
      });
      const session = {
        ...plain,
        decoder: timed(plain.decoder, 10),
        drafter: draft === undefined ? undefined : { graph: timed(copy, guessMs), worth: createWorth(), now: () => at },
      };
      const search = options({ maxTokens: 500, suppressTokens: [end] });
      for (let answer = 0; answer < 3; answer += 1)
        for await (const _ of searchTokens(session, await encode(session, [[2, 5, 9]]), [2, 5, 9], search));
      return at;
    };
    const alone = await take(undefined);
    expect((await take(9, 3)) / alone).toBeLessThan(1.02);
    expect((await take(4, 12)) / alone).toBeLessThan(1.02);
    expect((await take(4, 2)) / alone).toBeLessThan(0.5);
  });

  it("R12 refuses scores that are no numbers, or all the same", async () => {
    for (const value of [Number.NaN, Number.POSITIVE_INFINITY, 0]) {
      const session = plainSession(1, vocabSize);
      const broken = {
        ...session,
        decoder: {
          ...session.decoder,
          run: async (feeds: Parameters<typeof session.decoder.run>[0]) => {
            const out = await session.decoder.run(feeds);
            const scores = new Float32Array(vocabSize).fill(value);
            return { ...out, logits: session.runtime.tensor("float32", scores, [1, 1, vocabSize]) };
          },
        },
      };
      const first = async (): Promise<unknown> => searchTokens(broken, await encode(broken, [[2, 1]]), [2, 1], options()).next();
      await expect(first()).rejects.toMatchObject({ code: "run-nan" });
    }
  });

  it("R12 refuses a later score that is no number, though the engine chose", async () => {
    const session = plainSession(1, vocabSize);
    let steps = 0;
    const broken = {
      ...session,
      decoder: {
        ...session.decoder,
        run: async (feeds: Parameters<typeof session.decoder.run>[0]) => {
          steps += 1;
          const out = await session.decoder.run(feeds);
          return steps < 3 ? out : { ...out, sum: session.runtime.tensor("float32", Float32Array.of(Number.NaN), [1, 1]) };
        },
      },
    };
    const search = options({ suppressTokens: [end] });
    const all = async (): Promise<void> => {
      for await (const _ of searchTokens(broken, await encode(broken, [[2, 1]]), [2, 1], search));
    };
    await expect(all()).rejects.toMatchObject({ code: "run-nan" });
    expect(steps).toBe(3);
  });

  it("leaves the scores in the engine but for the first token, and where the best one is banned", async () => {
    const input = [2, 5, 9];
    const free = options({ endIds: new Set(), maxTokens: 4 });
    let seed = 1;
    let answer: readonly number[] = [];
    // four tokens, the third of them not among those before
    while (answer.length < 4 || answer.slice(0, 2).includes(answer[2] as number)) answer = naiveGreedy(++seed, input, free);
    const scored = async (search: SearchOptions): Promise<number[]> => {
      const session = plainSession(seed, vocabSize);
      const at: number[] = [];
      let step = 0;
      const counted: typeof session = {
        ...session,
        decoder: {
          ...session.decoder,
          run: (feeds, outputs) => {
            step += 1;
            if (outputs?.includes("logits") === true) at.push(step);
            return session.decoder.run(feeds, outputs);
          },
        },
      };
      for await (const _ of searchTokens(counted, await encode(counted, [input]), input, search));
      return at;
    };
    expect(await scored(free)).toEqual([1]);
    // the third step is taken again, and those behind it with all scores too
    expect((await scored({ ...free, suppressTokens: [answer[2] as number] })).slice(0, 2)).toEqual([1, 4]);
  });

  it("R7 ends between two tokens when it is aborted", async () => {
    const session = plainSession(7, vocabSize);
    const controller = new AbortController();
    const search = options({ suppressTokens: [end], maxTokens: 100, signal: controller.signal });
    let count = 0;
    const run = async (): Promise<void> => {
      for await (const _ of searchTokens(session, await encode(session, [[2]]), [2], search)) {
        count += 1;
        if (count === 5) controller.abort();
      }
    };
    await expect(run()).rejects.toMatchObject({ code: "run-aborted" });
    expect(count).toBeLessThanOrEqual(5 + 7); // guesses that were right are given out before the next breath
  });
});

describe("createLookup", async () => {
  it("guesses what followed the same tokens before, and nothing where there was none", async () => {
    const lookup = createLookup([4, 5, 6, 7, 8, 9]);
    expect(await lookup.guess([0, 4, 5, 6], 7)).toEqual([7, 8, 9]);
    expect(await lookup.guess([0, 4, 5, 6], 2)).toEqual([7, 8]);
    expect(await lookup.guess([0, 9, 4], 7)).toEqual([]);
    expect(await lookup.guess([0, 2, 3, 2, 3], 7)).toEqual([2, 3]);
  });

  it("pauses where its guesses keep failing, and begins again", async () => {
    const lookup = createLookup([4, 5, 6]);
    let asked = 0;
    for (let step = 0; step < 40; step += 1) {
      const guesses = await lookup.guess([0, 4, 5], 7);
      if (guesses.length > 0) {
        asked += 1;
        lookup.learn(guesses.length, 0, 1);
      }
    }
    expect(asked).toBeGreaterThan(2);
    expect(asked).toBeLessThan(20);
  });
});

describe("searchMany", () => {
  it("answers each input as it would be answered alone", async () => {
    await fc.assert(
      fc.asyncProperty(seeds, fc.array(inputs, { minLength: 1, maxLength: 20 }), async (seed, list) => {
        const session = plainSession(seed, vocabSize);
        const answers = list.map((): number[] => []);
        for await (const { index, id } of searchMany(session, list, options())) answers[index]?.push(id);
        const alone = await Promise.all(list.map((input) => found(seed, input, options())));
        expect(answers).toEqual(alone);
      }),
      { numRuns: 60 },
    );
  });
});

describe("searchMany with bans", () => {
  it("finds what the naive loop finds for each", async () => {
    await fc.assert(
      fc.asyncProperty(
        seeds,
        fc.array(inputs, { minLength: 2, maxLength: 6 }),
        fc.constantFrom(0, 2, 3),
        fc.integer({ min: 0, max: 12 }),
        async (seed, list, noRepeatNgramSize, minTokens) => {
          const search = options({ noRepeatNgramSize, minTokens, suppressTokens: [5], maxTokens: 36 });
          const answers = list.map((): number[] => []);
          for await (const { index, id } of searchMany(plainSession(seed, vocabSize), list, search)) answers[index]?.push(id);
          expect(answers).toEqual(list.map((input) => naiveGreedy(seed, input, search)));
        },
      ),
      { numRuns: 60 },
    );
  });
});

describe("searchBeams", () => {
  it("finds what the naive search finds, for every length penalty", async () => {
    await fc.assert(
      fc.asyncProperty(
        seeds,
        inputs,
        fc.integer({ min: 2, max: 5 }),
        fc.constantFrom(-1, 0, 0.6, 1, 2),
        async (seed, input, numBeams, lengthPenalty) => {
          const session = plainSession(seed, vocabSize);
          const answers = await searchBeams(session, await encode(session, [input]), {
            ...options({ maxTokens: 8 }),
            sampling: { kind: "beam", seed: 3, numBeams, lengthPenalty, numReturnSequences: numBeams },
          });
          const wanted = naiveBeams(seed, input, options({ maxTokens: 8 }), numBeams, lengthPenalty);
          expect(answers.map(({ ids }) => ids)).toEqual(wanted.map(({ ids }) => ids));
          answers.forEach(({ score }, rank) => {
            expect(score).toBeCloseTo(wanted[rank]?.score ?? Number.NaN, 4);
          });
        },
      ),
      { numRuns: 200 },
    );
  });
});
