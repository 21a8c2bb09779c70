import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { SpellError } from "../../../src/core/errors.ts";
import { limits } from "../../../src/core/limits.ts";
import { readAhead } from "../../../src/core/text/read-ahead.ts";

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

const pause = (): Promise<unknown> => vi.advanceTimersByTimeAsync(limits.pausedReaderMs);

/** Numbers up to a count, and what became of their source. */
function numbers(count: number, fault?: Error) {
  const seen = { made: 0, ended: false, left: 0 };
  async function* make(): AsyncGenerator<number, void, undefined> {
    try {
      for (seen.made = 1; seen.made <= count; seen.made += 1) yield seen.made;
      if (fault !== undefined) throw fault;
    } finally {
      seen.ended = true;
    }
  }
  let want = (): void => undefined;
  const wanted = new Promise<void>((resolve) => {
    want = resolve;
  });
  const stream = readAhead(make(), wanted, () => {
    seen.left += 1;
  });
  return { stream, seen, want };
}

describe("a reader that pauses", () => {
  it("holds its source back as long as nobody else wants the turn", async () => {
    const { stream, seen } = numbers(5);
    await stream.next();
    await vi.advanceTimersByTimeAsync(100 * limits.pausedReaderMs);
    expect(seen).toEqual({ made: 1, ended: false, left: 0 });
    await stream.return();
    expect(seen).toMatchObject({ ended: true, left: 0 });
  });

  it("gets all that is left in order, once the turn was wanted and the source has ended", async () => {
    const { stream, seen, want } = numbers(5);
    await stream.next();
    want();
    await pause();
    expect(seen.ended).toBe(true);
    const rest: number[] = [];
    for await (const each of stream) rest.push(each);
    expect(rest).toEqual([2, 3, 4, 5]);
  });

  it("that is only slow goes on one by one", async () => {
    const { stream, seen, want } = numbers(50);
    want();
    for (let at = 1; at < 20; at += 1) {
      expect((await stream.next()).value).toBe(at);
      await vi.advanceTimersByTimeAsync(limits.pausedReaderMs / 2);
      expect(seen.made).toBe(at);
    }
  });

  it("is told of an error behind what was kept", async () => {
    const { stream, want } = numbers(2, new SpellError("run-nan", "no number"));
    await stream.next();
    want();
    await pause();
    expect((await stream.next()).value).toBe(2);
    await expect(stream.next()).rejects.toMatchObject({ code: "run-nan" });
  });

  it("and then leaves ends its source, and keeps no timer", async () => {
    const { stream, seen, want } = numbers(3);
    await stream.next();
    want();
    await vi.advanceTimersByTimeAsync(1);
    await stream.return();
    expect([seen.ended, vi.getTimerCount()]).toEqual([true, 0]);
    const ahead = numbers(3);
    await ahead.stream.next();
    ahead.want();
    await pause();
    await ahead.stream.return();
    expect(ahead.seen).toMatchObject({ ended: true, left: 1 });
  });
});
