import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createTurns } from "../../../src/core/text/turns.ts";

describe("the line in front of a model", () => {
  const warnings: Error[] = [];
  const keep = (warning: Error): void => void warnings.push(warning);
  beforeEach(() => {
    process.prependListener("warning", keep);
  });
  afterEach(() => {
    process.off("warning", keep);
    warnings.length = 0;
  });

  it("holds sixteen who wait on one signal without a warning of too many listeners, and lets all of them go with it", async () => {
    const turns = createTurns(16);
    const controller = new AbortController();
    const endTurn = await turns.take(controller.signal);
    const waiting = Array.from({ length: 16 }, () => turns.take(controller.signal));
    await expect(turns.take(controller.signal)).rejects.toMatchObject({ code: "run-busy" });
    await new Promise((resolve) => setImmediate(resolve));
    expect(warnings).toEqual([]);
    controller.abort();
    for (const result of await Promise.allSettled(waiting)) expect(result).toMatchObject({ reason: { code: "run-aborted" } });
    endTurn();
    (await turns.take())();
  });

  it("gives turns in order; a signal that comes after the turn has begun does nothing", async () => {
    const turns = createTurns(2);
    const controller = new AbortController();
    const endFirst = await turns.take();
    const [leaving, staying] = [turns.take(controller.signal), turns.take(controller.signal)];
    endFirst();
    const endSecond = await leaving;
    endSecond();
    const endThird = await staying;
    controller.abort();
    endThird();
    (await turns.take())();
  });
});
