/** Which sequence a conversation gets, and what happens where memory ends; on a real model in llama-engine.test.ts. */
import { expect, it } from "vitest";
import { sequencePool } from "../../../src/node/engines/llama-sequences.ts";

function pool(memory: (made: number) => "enough" | "short" | "fails") {
  let made = 0;
  const { take, all } = sequencePool(0, async () => {
    const answer = memory(made);
    if (answer === "fails") throw new Error("no memory");
    if (answer === "short") return undefined;
    made += 1;
    return made;
  });
  const takeAll = async (sessions: readonly (string | undefined)[]) => {
    const taken: number[] = [];
    for (const session of sessions) taken.push(await take(session));
    return taken;
  };
  return { takeAll, all, made: () => made };
}

it("makes sequences on demand, up to four, and gives the one used longest ago to a new conversation", async () => {
  const { takeAll, all } = pool(() => "enough");
  expect(all()).toEqual([0]);
  expect(await takeAll(["a", "b", "a", undefined, "c", undefined])).toEqual([0, 1, 0, 2, 3, 2]);
  expect(await takeAll(["d", "a", "b"])).toEqual([1, 0, 3]);
  expect([...all()].sort()).toEqual([0, 1, 2, 3]);
});

it("shares what is there where memory is short, and tries again later", async () => {
  let isShort = true;
  const { takeAll } = pool(() => (isShort ? "short" : "enough"));
  expect(await takeAll(["a", "b", "a"])).toEqual([0, 0, 0]);
  isShort = false;
  expect(await takeAll(["b", "a"])).toEqual([1, 0]);
});

it("shares what is there from the first failure on", async () => {
  const { takeAll, made } = pool((count) => (count === 0 ? "enough" : "fails"));
  expect(await takeAll(["a", "b", "c", "d", "a"])).toEqual([0, 1, 0, 1, 0]);
  expect(made()).toBe(1);
});
