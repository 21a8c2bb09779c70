/** How likely each of several choices is: an engine tells how likely the model finds each as a whole answer, this compares them among themselves. */
import { limits } from "../limits.ts";

/** Whether engines that read one choice after the other rate these: more would cost more than the answer. */
export function areRated(choices: readonly string[]): boolean {
  return choices.reduce((sum, { length }) => sum + length, 0) <= limits.ratedCharacters;
}

/** @param sums log-probability of each choice @returns the same among the choices alone: their probabilities add up to 1 */
export function amongThemselves(sums: readonly number[]): readonly number[] {
  const most = Math.max(...sums);
  const total = most + Math.log(sums.reduce((sum, value) => sum + Math.exp(value - most), 0));
  return sums.map((value) => value - total);
}
