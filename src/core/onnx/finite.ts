/** Weights are numbers: forms in 8 and 4 bits would hide what is none, and the model would answer wrongly without a word. */
import { SpellError } from "../errors.ts";

/**
 * One pass; four sums, as each waits for its own additions alone.
 * @throws SpellError run-nan where a value is infinite or no number
 */
export function checkFinite(name: string, values: Float32Array): void {
  let [a, b, c, d] = [0, 0, 0, 0];
  const whole = values.length - (values.length % 4);
  for (let i = 0; i < whole; i += 4) {
    a += values[i] as number;
    b += values[i + 1] as number;
    c += values[i + 2] as number;
    d += values[i + 3] as number;
  }
  for (let i = whole; i < values.length; i += 1) a += values[i] as number;
  // Sums of 32-bit numbers stay far below what 64 bits hold.
  if (Number.isFinite(a + b + c + d)) return;
  throw new SpellError("run-nan", `tensor ${name} holds what is no number; expected finite weights`, { where: name });
}
