import { describe, expect, it } from "vitest";
import { deferred } from "../../../src/core/values.ts";
import { askAhead, type WllamaResult } from "../../../src/engines/wllama/ask-ahead.ts";

/** A worker that answers calls in their order, when it is told to. */
function worker(answers: readonly WllamaResult[]) {
  const calls: string[] = [];
  const waiting: ((result: WllamaResult) => void)[] = [];
  const proxy = {
    wllamaAction(action: string, { req_id }: { readonly req_id?: number }): Promise<WllamaResult> {
      calls.push(`${action} ${req_id}`);
      const { promise, resolve } = deferred<WllamaResult>();
      waiting.push(resolve);
      return promise;
    },
  };
  askAhead(proxy);
  let given = 0;
  return {
    calls,
    proxy,
    answer(): void {
      waiting.shift()?.(answers[given] ?? { has_more: false, data_json: "" });
      given += 1;
    },
  };
}

const progress = { has_more: true, data_json: '{"choices":[],"prompt_progress":{"total":9}}' };
const token = (text: string): WllamaResult => ({ has_more: true, data_json: JSON.stringify({ choices: [{ text }] }) });

describe("the next token is asked for before the last was read", () => {
  it("from the first token on, in order, and not while the prompt is computed", async () => {
    const { calls, proxy, answer } = worker([progress, token("a"), token("b"), token("c")]);
    const read = async (): Promise<string | undefined> => {
      const result = proxy.wllamaAction("get_result", { req_id: 1 });
      answer();
      return (await result).data_json;
    };
    await read();
    await read();
    expect(calls).toHaveLength(2);
    expect(await read()).toContain('"b"');
    expect(calls).toHaveLength(4);
    expect(await read()).toContain('"c"');
    expect(calls).toHaveLength(5);
  });

  it("what was asked ahead is of its own request, and other calls pass", async () => {
    const { calls, proxy, answer } = worker([token("a"), token("b")]);
    for (let i = 0; i < 2; i += 1) {
      const result = proxy.wllamaAction("get_result", { req_id: 1 });
      answer();
      await result;
    }
    void proxy.wllamaAction("cancel", { req_id: 1 });
    void proxy.wllamaAction("get_result", { req_id: 2 });
    expect(calls).toEqual(["get_result 1", "get_result 1", "get_result 1", "cancel 1", "get_result 2"]);
  });

  it("a connection of another kind is left alone", () => {
    expect(() => {
      askAhead(undefined);
      askAhead({} as never);
    }).not.toThrow();
  });
});
