/** Eight clients for ten minutes, some of which leave: nothing is mixed, and slots, listeners, connections and memory are as at the start (H29). LLMSPELL_LONG_MINUTES shortens it. */
import { setTimeout as sleep } from "node:timers/promises";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { expect, it, onTestFinished } from "vitest";
import type { RequestRecord } from "../../src/core/serve/record.ts";
import { createServe } from "../../src/core/serve/serve.ts";
import { createSpell } from "../../src/node/main.ts";
import { listen } from "../../src/node/serve/listen.ts";

setFlagsFromString("--expose-gc");
const collectGarbage = runInNewContext("gc") as () => void;
const minutes = Number(process.env["LLMSPELL_LONG_MINUTES"] ?? 10);

it(`H29: ${minutes} minutes of clients that ask, and leave at any time`, async () => {
  const warned: string[] = [];
  const onWarning = ({ message }: Error): number => warned.push(message);
  process.on("warning", onWarning);
  const spell = createSpell({ config: { providers: { candle: { provider_type: "candle", keep_alive_seconds: -1 } } }, env: {} });
  /** requests that have come and are not over */
  let open = 0;
  const statuses = new Map<number, number>();
  const onRequest = ({ status }: RequestRecord): void => {
    statuses.set(status, (statuses.get(status) ?? 0) + 1);
    open -= 1;
  };
  const { url, server, close } = await listen(createServe(spell, { onRequest }), { port: 0 });
  server.on("request", () => {
    open += 1;
  });
  onTestFinished(async () => {
    process.off("warning", onWarning);
    await close();
    await spell.dispose();
  });

  /** Counts up from a number that only this client knows: its answer must hold no other. */
  const ask = async (client: number, leaveMs: number | undefined): Promise<string | undefined> => {
    const word = `word${client}`;
    const body = { model: "tiny-stories", prompt: `The ${word}`, max_tokens: 40, stream: true, seed: client, temperature: 0 };
    const signal = leaveMs === undefined ? undefined : AbortSignal.timeout(leaveMs);
    try {
      const answer = await fetch(`${url}/v1/completions`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify(body),
        signal: signal ?? null,
      });
      const text = await answer.text();
      if (answer.status !== 200) return undefined;
      return [...text.matchAll(/"text":"((?:[^"\\]|\\.)*)"/g)].map(([, piece]) => piece).join("");
    } catch {
      return undefined; // it left
    }
  };
  const wanted = new Map<number, string | undefined>();
  for (let client = 0; client < 8; client++) wanted.set(client, await ask(client, undefined));
  const settle = async (): Promise<{ readonly heapMb: number; readonly connections: number }> => {
    await sleep(6000); // kept connections end after 5 s
    collectGarbage();
    const connections = await new Promise<number>((resolve) => server.getConnections((_, count) => resolve(count)));
    return { heapMb: process.memoryUsage().heapUsed / 2 ** 20, connections };
  };
  await settle();
  const before = await settle();

  const until = performance.now() + minutes * 60_000;
  let [whole, left] = [0, 0];
  await Promise.all(
    Array.from({ length: 8 }, async (_, client) => {
      while (performance.now() < until) {
        const text = await ask(client, Math.random() < 0.5 ? Math.round(Math.random() * 300) : undefined);
        if (text === undefined) left += 1;
        else {
          expect(text).toBe(wanted.get(client));
          whole += 1;
        }
      }
    }),
  );
  const after = await settle();
  console.log({ minutes, whole, left, statuses: Object.fromEntries(statuses), before, after });
  expect(whole).toBeGreaterThan(minutes * 10);
  expect(left).toBeGreaterThan(minutes * 10);
  expect(open).toBe(0);
  expect(after.connections).toBeLessThanOrEqual(before.connections);
  expect(after.heapMb).toBeLessThan(before.heapMb + 15);
  expect(await ask(0, undefined)).toBe(wanted.get(0));
  expect(warned).toEqual([]);
});
