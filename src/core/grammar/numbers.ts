/** Numbers between bounds, by their digits: exact, since bounds are compared as decimals and no number has more than 15 digits. */
import type { GrammarItems } from "../spec/grammar.ts";
import type { GrammarBuilder } from "./builder.ts";

/** The largest number of 15 digits: a double holds each of them, with a point anywhere in it. */
const most = 999_999_999_999_999n;
/** Digits behind the point, where there are bounds. */
const decimals = 6;

export interface NumberBounds {
  readonly minimum?: number | undefined;
  readonly maximum?: number | undefined;
  readonly exclusiveMinimum?: number | undefined;
  readonly exclusiveMaximum?: number | undefined;
}

/** @returns no alternatives where no number between the bounds can be written */
export function numbersWithin(b: GrammarBuilder, bounds: NumberBounds, isWhole: boolean): readonly GrammarItems[] {
  const out: GrammarItems[] = [];
  for (let places = 0; places <= (isWhole ? 0 : decimals); places += 1) {
    const low = highest([scaled(bounds.minimum, places, "up"), above(scaled(bounds.exclusiveMinimum, places, "down"), 1n), -most]);
    const high = -highest([
      negated(scaled(bounds.maximum, places, "down")),
      negated(above(scaled(bounds.exclusiveMaximum, places, "up"), -1n)),
      -most,
    ]);
    if (low > high) continue;
    if (high >= 0n) out.push(...digitsBetween(b, low > 0n ? low : 0n, high, places));
    if (low < 0n) out.push(...digitsBetween(b, high < 0n ? -high : 1n, -low, places).map((items) => [...b.text("-"), ...items]));
  }
  return out;
}

function highest(values: readonly (bigint | undefined)[]): bigint {
  return values.reduce<bigint>((best, value) => (value !== undefined && value > best ? value : best), -(10n ** 400n));
}

function above(value: bigint | undefined, step: bigint): bigint | undefined {
  return value === undefined ? undefined : value + step;
}

function negated(value: bigint | undefined): bigint | undefined {
  return value === undefined ? undefined : -value;
}

/** A number in units of 10^-places. A number between two units is rounded. */
function scaled(value: number | undefined, places: number, round: "up" | "down"): bigint | undefined {
  if (value === undefined) return undefined;
  const [, sign = "", whole = "0", fraction = "", power = "0"] = /^(-?)(\d+)(?:\.(\d+))?(?:e([+-]?\d+))?$/.exec(String(value)) ?? [];
  const digits = BigInt(`${sign}${whole}${fraction}`);
  const shift = Number(power) - fraction.length + places;
  if (shift >= 0) return digits * 10n ** BigInt(shift);
  const unit = 10n ** BigInt(-shift);
  const [quotient, rest] = [digits / unit, digits % unit];
  if (rest === 0n) return quotient;
  if (round === "up") return rest > 0n ? quotient + 1n : quotient;
  return rest < 0n ? quotient - 1n : quotient;
}

/** Decimals from … to in units of 10^-places, with no leading zeros but the one before the point. */
function digitsBetween(b: GrammarBuilder, from: bigint, to: bigint, places: number): readonly GrammarItems[] {
  const digit = b.chars("0-9");
  const run = (count: number): GrammarItems => b.repeat("digits", digit, count, count);
  const free = (count: number): GrammarItems =>
    count <= places || places === 0 ? run(count) : [...run(count - places), ...b.text("."), ...run(places)];
  const point = (rest: number): GrammarItems => (rest === places && places > 0 ? b.text(".") : []);
  /** @param low as many digits as `high` */
  const between = (low: string, high: string): readonly GrammarItems[] => {
    const rest = low.length - 1;
    if (rest < 0) return [[]];
    if (/^0*$/.test(low) && /^9*$/.test(high)) return [free(low.length)];
    const [first, last] = [Number(low[0]), Number(high[0])];
    const after = (value: number, ends: readonly GrammarItems[]): GrammarItems[] =>
      ends.map((end) => [...b.text(String(value)), ...point(rest), ...end]);
    if (first === last) return after(first, between(low.slice(1), high.slice(1)));
    const isLowFull = /^0*$/.test(low.slice(1));
    const isHighFull = /^9*$/.test(high.slice(1));
    const [start, end] = [isLowFull ? first : first + 1, isHighFull ? last : last - 1];
    return [
      ...(isLowFull ? [] : after(first, between(low.slice(1), "9".repeat(rest)))),
      ...(start <= end ? [[...b.chars(start === end ? String(start) : `${start}-${end}`), ...point(rest), ...free(rest)]] : []),
      ...(isHighFull ? [] : after(last, between("0".repeat(rest), high.slice(1)))),
    ];
  };
  const out: GrammarItems[] = [];
  for (let width = places + 1; width <= String(to).length || width === places + 1; width += 1) {
    const least = width === places + 1 ? 0n : 10n ** BigInt(width - 1);
    const largest = 10n ** BigInt(width) - 1n;
    const [low, high] = [from > least ? from : least, to < largest ? to : largest];
    if (low <= high) out.push(...between(String(low).padStart(width, "0"), String(high).padStart(width, "0")));
  }
  return out;
}
