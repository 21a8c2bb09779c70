/** The side that holds an engine: what it says, and in how many messages. */
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { SpellError } from "../../../src/core/errors.ts";
import { createEngineHost, type HostedEngine } from "../../../src/core/remote/engine.ts";
import { type FromEngine, frameMs } from "../../../src/core/remote/protocol.ts";
import type { ModelHandle, ModelPiece } from "../../../src/core/spec/runtime.ts";

const text = (letter: string): ModelPiece => ({ type: "text", text: letter });
const end: ModelPiece = {
  type: "end",
  finishReason: "stop",
  promptTokens: 1,
  cachedTokens: 0,
  completionTokens: 4,
  prefillMs: 0,
  decodeMs: 0,
};

/** An engine whose model writes these pieces, each so many milliseconds after the one before. */
function hostOf(
  pieces: readonly (ModelPiece | Error)[],
  everyMs: number,
): { readonly said: FromEngine[]; readonly ask: () => Promise<void> } {
  const said: FromEngine[] = [];
  const engine: HostedEngine = {
    open: async () =>
      ({
        device: { chosen: "cpu" },
        contextLength: 8,
        unsupported: [],
        notes: [],
        async *generate() {
          for (const piece of pieces) {
            if (everyMs > 0) await new Promise((resolve) => setTimeout(resolve, everyMs));
            if (piece instanceof Error) throw piece;
            yield piece;
          }
        },
      }) as unknown as ModelHandle<never>,
  };
  const host = createEngineHost(engine, (message) => said.push(message));
  return {
    said,
    async ask() {
      host.receive({ type: "open", files: [], options: {} });
      await vi.advanceTimersByTimeAsync(0);
      host.receive({ type: "generate", call: 1, prompt: "x", options: {} });
      await vi.advanceTimersByTimeAsync(1000);
    },
  };
}

const sizes = (said: readonly FromEngine[]): number[] =>
  said.flatMap((message) => (message.type === "pieces" ? [message.pieces.length] : []));
const pieces = (said: readonly FromEngine[]): unknown[] => said.flatMap((message) => (message.type === "pieces" ? message.pieces : []));

describe("pieces", () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  it("that come within a frame share a message; the first goes at once and the last does not wait", async () => {
    const all = [text("a"), text("b"), text("c"), end];
    const { said, ask } = hostOf(all, 0);
    await ask();
    expect(sizes(said)).toEqual([1, 3]);
    expect(pieces(said)).toEqual(all);
  });

  it("that come slower go one by one", async () => {
    const { said, ask } = hostOf([text("a"), text("b"), text("c"), end], frameMs);
    await ask();
    expect(sizes(said)).toEqual([1, 1, 1, 1]);
  });

  it("wait a frame at most, whatever follows", async () => {
    const { said, ask } = hostOf([...Array.from({ length: 40 }, () => text("a")), end], 4);
    await ask();
    expect(Math.max(...sizes(said))).toBeLessThanOrEqual(frameMs / 4 + 1);
    expect(pieces(said)).toHaveLength(41);
  });

  it("come before the failure that follows them", async () => {
    const { said, ask } = hostOf([text("a"), text("b"), new SpellError("run-crash", "gone")], 0);
    await ask();
    expect(said.map(({ type }) => type).filter((type) => type !== "progress")).toEqual(["opened", "pieces", "pieces", "failed"]);
    expect(pieces(said)).toEqual([text("a"), text("b")]);
  });
});
