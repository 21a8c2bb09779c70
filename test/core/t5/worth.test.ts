import { describe, expect, it } from "vitest";
import { seededRandom } from "../../../src/core/sampling.ts";
import { createWorth } from "../../../src/core/t5/worth.ts";

/**
 * An engine and a copy by their figures.
 * @param accept share of guesses that are right
 * @param guess what one takes, made and checked, in passes
 * @returns passes' time for each token
 */
function simulate(accept: (token: number) => number, guess: number, tokens: number, late: (random: number) => number = () => 1): number {
  const worth = createWorth();
  const random = seededRandom(7);
  let spent = 0;
  for (let count = 0; count < tokens; ) {
    const guesses = Math.min(4, worth.affords());
    let right = 0;
    while (right < guesses && random() < accept(count)) right += 1;
    const ms = (1 + guess * guesses) * late(random());
    if (guesses > 0) worth.told(guesses, right, ms);
    else worth.plain(ms);
    spent += ms;
    count += 1 + right;
  }
  return spent / tokens;
}

describe("createWorth", () => {
  it("begins once it knows what a pass takes", () => {
    const worth = createWorth();
    expect(worth.affords()).toBe(0);
    for (let pass = 0; pass < 3; pass += 1) worth.plain(10);
    expect(worth.affords()).toBeGreaterThan(2);
  });

  it("loses a few passes of an answer where guesses are wrong or dear, and less of the next ones", () => {
    for (const [accept, guess] of [
      [0, 0.3],
      [0.3, 0.4],
      [0.5, 0.5],
      [1, 1.2],
    ] as const) {
      expect(simulate(() => accept, guess, 128)).toBeLessThan(1.04);
      expect(simulate(() => accept, guess, 4000)).toBeLessThan(1.01);
    }
  });

  it("keeps nearly all that there is to gain, on a restless machine too", () => {
    // four guesses at 0.9 give 4.1 tokens for 1.8 passes
    expect(simulate(() => 0.9, 0.2, 4000)).toBeLessThan(0.5);
    // where one in ten takes four times as long, all take 1.3
    expect(
      simulate(
        () => 0.9,
        0.2,
        4000,
        (random) => (random < 0.1 ? 4 : 1),
      ),
    ).toBeLessThan(0.55 * 1.3);
  });

  it("ends where it begins to fail, and is found again where it pays again", () => {
    const turns = simulate((token) => (token < 1000 ? 0.95 : 0), 0.2, 2000);
    expect(turns).toBeLessThan(0.76);
    expect(simulate((token) => (token < 1000 ? 0 : 0.95), 0.2, 3000)).toBeLessThan(0.85);
  });
});
