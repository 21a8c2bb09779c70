/** When guesses are made, how many, and that an answer loses no more than a step or two by them. */
import { expect, it } from "vitest";
import { createGuesser, type GuessCosts } from "../../../src/node/engines/llama-guess.ts";

/** Runs an answer on an engine whose steps take 1 ms, `first` ms more with guesses and `cost` ms for each. @returns milliseconds, steps and the largest number of guesses */
function answer(prompt: readonly number[], tokens: readonly number[], cost: number, first = 0, costs?: GuessCosts) {
  const guesser = createGuesser(prompt, costs);
  let [ms, steps, most] = [0, 0, 0];
  for (let at = 0; at < tokens.length; steps += 1) {
    const guesses = guesser.guess(tokens.length - at - 1);
    most = Math.max(most, guesses.length);
    let right = 0;
    while (right < guesses.length && guesses[right] === tokens[at + right]) right += 1;
    const stepMs = 1 + cost * guesses.length + (guesses.length > 0 ? first : 0);
    ms += stepMs;
    guesser.told(guesses.length, right, stepMs);
    for (const token of tokens.slice(at, at + right + 1)) guesser.push(token);
    at += right + 1;
  }
  return { ms, steps, most };
}

const text = Array.from({ length: 120 }, (_, index) => 100 + ((index * 37) % 89) * 1000);
const other = Array.from({ length: 120 }, (_, index) => 7 + index);

it("guesses nothing where nothing is repeated", () => {
  expect(answer(text, other, 0.1)).toEqual({ ms: 120, steps: 120, most: 0 });
});

it("guesses more at once, the longer the past is repeated, and pays for it where guesses are cheap", () => {
  const copied = answer(text.slice(0, 89), text.slice(0, 89), 0.2);
  expect(copied.most).toBe(12);
  expect(copied.ms).toBeLessThan(89 / 2);
});

it("guesses within the answer as within the prompt", () => {
  expect(answer([], [...text.slice(0, 60), ...text.slice(0, 60)], 0.2).steps).toBeLessThan(90);
});

it.each([0.1, 0.8, 1.5])("loses a step or two where what was copied breaks off each time, at a cost of %d a guess", (cost) => {
  const broken: number[] = [];
  for (let at = 0; at + 8 < 80; at += 8) broken.push(...text.slice(at, at + 8), 1, 2, 3 + at);
  const { ms } = answer(text.slice(0, 89), broken, cost);
  expect(ms).toBeLessThanOrEqual(broken.length + 2 + cost);
});

it("knows in later answers of a model what several guesses cost", () => {
  const costs: GuessCosts = new Map();
  const [first, second] = [0, 1].map(() => answer(text.slice(0, 89), text.slice(0, 89), 0.2, 0.6, costs));
  expect(first?.most).toBe(12);
  expect(second?.steps).toBeLessThan(first?.steps ?? 0);
  expect(answer(text.slice(0, 89), other.slice(0, 60), 0.2, 0.6, costs).ms).toBe(60);
});

it("tries again in a later answer where other programs made guesses dear", () => {
  const costs: GuessCosts = new Map();
  answer(text.slice(0, 89), text.slice(0, 89), 5, 0, costs);
  expect(answer(text.slice(0, 89), text.slice(0, 89), 0.2, 0, costs).most).toBe(12);
});

it("never asks for more than there is room for, nor for tokens that are not there", () => {
  const guesser = createGuesser(text.slice(0, 20));
  for (const token of text.slice(0, 12)) {
    guesser.told(0, 0, 1);
    guesser.push(token);
  }
  expect(guesser.guess(0)).toEqual([]);
  expect(guesser.guess(12)).toEqual([text[12]]);
});
