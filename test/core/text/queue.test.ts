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
    const turn = await queue.take(one, controller.signal);
    const waiting = Array.from({ length: 16 }, () => queue.take(one, controller.signal));
    await expect(queue.take(one, controller.signal)).rejects.toMatchObject({ code: "run-busy" });
    await new Promise((resolve) => setImmediate(resolve));
    expect(warnings).toEqual([]);
    controller.abort();
    for (const result of await Promise.allSettled(waiting)) expect(result).toMatchObject({ reason: { code: "run-aborted" } });
    turn.end();
    (await queue.take(one, never)).end();
  });

  it("gives turns in order; a signal that comes after the turn has begun does nothing", async () => {
    const queue = queueOf(2);
    const controller = new AbortController();
    const firstTurn = await queue.take(one, never);
    const [leaving, staying] = [queue.take(one, controller.signal), queue.take(one, never)];
    firstTurn.end();
    const secondTurn = await leaving;
    secondTurn.end();
    const thirdTurn = await staying;
    controller.abort();
    thirdTurn.end();
    (await queue.take(one, never)).end();
  });

  it("lets another model go first where one is busy, and never two calls on one model", async () => {
    const queue = queueOf(16, 2);
    const order: string[] = [];
    const firstTurn = await queue.take(one, never);
    const second = queue.take(one, never).then((turn) => {
      order.push("one");
      return turn;
    });
    const third = queue.take(other, never).then((turn) => {
      order.push("other");
      return turn;
    });
    (await third).end();
    expect(order).toEqual(["other"]);
    firstTurn.end();
    (await second).end();
    expect(order).toEqual(["other", "one"]);
  });

  it("a turn that is ended twice frees one place", async () => {
    const queue = queueOf(16);
    const { end } = await queue.take(one, never);
    const second = queue.take(one, never);
    end();
    end();
    await second;
    await expect(Promise.race([queue.take(one, never), Promise.resolve("waits")])).resolves.toBe("waits");
  });

  it("a turn is wanted once another caller waits, and from its start where one waits already", async () => {
    const queue = queueOf(16);
    const wantedOf = async ({ wanted }: { readonly wanted: Promise<void> }) =>
      Promise.race([wanted.then(() => "wanted"), new Promise((resolve) => setTimeout(resolve, 5, "calm"))]);
    const first = await queue.take(one, never);
    expect(await wantedOf(first)).toBe("calm");
    const [second, third] = [queue.take(one, never), queue.take(one, never)];
    expect(await wantedOf(first)).toBe("wanted");
    first.end();
    expect(await wantedOf(await second)).toBe("wanted");
    (await second).end();
    expect(await wantedOf(await third)).toBe("calm");
  });
});
