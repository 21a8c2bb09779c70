import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createQueue } from "../../../src/core/text/queue.ts";

const never = new AbortController().signal;
const [one, other] = [{}, {}];
const queueOf = (maxWaiting: number, maxConcurrent = 1) => createQueue({ maxConcurrent, maxPerModel: 1, maxWaiting });

describe("the queue in front of the engines of a provider", () => {
  const warnings: Error[] = [];
  const keep = (warning: Error): void => void warnings.push(warning);
  beforeEach(() => {
    process.prependListener("warning", keep);
  });
  afterEach(() => {
    process.off("warning", keep);
    warnings.length = 0;
  });

  it("holds sixteen that wait on one signal without a warning of too many listeners, and lets all of them go with it", async () => {
    const queue = queueOf(16);
    const controller = new AbortController();
    const endTurn = await queue.take(one, controller.signal);
    const waiting = Array.from({ length: 16 }, () => queue.take(one, controller.signal));
    await expect(queue.take(one, controller.signal)).rejects.toMatchObject({ code: "run-busy" });
    await new Promise((resolve) => setImmediate(resolve));
    expect(warnings).toEqual([]);
    controller.abort();
    for (const result of await Promise.allSettled(waiting)) expect(result).toMatchObject({ reason: { code: "run-aborted" } });
    endTurn();
    (await queue.take(one, never))();
  });

  it("gives turns in order; a signal that comes after the turn has begun does nothing", async () => {
    const queue = queueOf(2);
    const controller = new AbortController();
    const endFirst = await queue.take(one, never);
    const [leaving, staying] = [queue.take(one, controller.signal), queue.take(one, never)];
    endFirst();
    const endSecond = await leaving;
    endSecond();
    const endThird = await staying;
    controller.abort();
    endThird();
    (await queue.take(one, never))();
  });

  it("lets another model go first where one is busy, and never two calls on one model", async () => {
    const queue = queueOf(16, 2);
    const order: string[] = [];
    const endFirst = await queue.take(one, never);
    const second = queue.take(one, never).then((end) => {
      order.push("one");
      return end;
    });
    const third = queue.take(other, never).then((end) => {
      order.push("other");
      return end;
    });
    (await third)();
    expect(order).toEqual(["other"]);
    endFirst();
    (await second)();
    expect(order).toEqual(["other", "one"]);
  });

  it("a turn that is ended twice frees one place", async () => {
    const queue = queueOf(16);
    const end = await queue.take(one, never);
    const second = queue.take(one, never);
    end();
    end();
    await second;
    await expect(Promise.race([queue.take(one, never), Promise.resolve("waits")])).resolves.toBe("waits");
  });
});
