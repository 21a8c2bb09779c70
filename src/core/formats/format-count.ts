/** Whole numbers for people: 9,437,184. By hand, because the locale tables behind toLocaleString cost milliseconds at a cold start. */
export function formatCount(value: number | bigint): string {
  return String(value).replace(/\B(?=(\d{3})+$)/g, ",");
}
