/** What every T5 subject gets: 63 ids and the end token, 128 new tokens. The weights are random, so the ids say nothing. */
export const input = [...Array.from({ length: 63 }, (_, i) => 3 + ((i * 7919) % 32_000)), 1];
export const newTokens = 128;
export const batch = 16;

/** Median of a few runs in one process: the first one warms up and does not count. */
export async function rates(rounds, run) {
  await run();
  const all = [];
  for (let round = 0; round < rounds; round += 1) all.push(await run());
  return all.sort((a, b) => a - b)[all.length >> 1];
}

export const print = (figures) => process.stdout.write(`${JSON.stringify(figures)}\n`);
