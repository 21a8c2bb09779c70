/** Which graphs a session opens, in which order, and what becomes of them when one fails. */
import { describe, expect, it } from "vitest";
import { SpellError } from "../../../src/core/errors.ts";
import { bytesSource } from "../../../src/core/formats/byte-source.ts";
import type { OnnxGraph, OnnxRuntime } from "../../../src/core/spec/onnx.ts";
import { openT5Session } from "../../../src/core/t5/decode.ts";
import { acceptT5, findT5Files } from "../../../src/core/t5/files.ts";
import { sessionWeights } from "../../../src/core/t5/session-weights.ts";
import { deferred } from "../../../src/core/values.ts";
import { writeTinyT5 } from "../../fixtures/t5-writer.ts";
import { failure } from "../../support/failure.ts";

/** Opens nothing: notes what is asked for. @param fails part of the graph's inputs, by which one is refused */
function noting({ fails, waits }: { readonly fails?: RegExp; readonly waits?: Promise<void> } = {}) {
  const asked: string[] = [];
  const open = new Set<string>();
  const runtime = {
    name: "noting",
    device: "cpu",
    reads16Bit: true,
    widens: false,
    fastBlocks: "few-rows",
    columnLimit: 127,
    fusedProducts: true,
    keepsOutputs: false,
    opensApart: () => true,
    async open(model, { beside }) {
      const names = new TextDecoder().decode(model.encode(({ name, length }) => ({ location: name, offset: 0, length })));
      const graph = names.includes("last_hidden_state") ? "encoder" : names.includes("past.0.key") ? "decoder" : "rows";
      asked.push(beside === undefined ? graph : `${graph} ${beside}`);
      if (beside === "apart") await waits;
      if (fails?.test(graph) === true) throw new SpellError("device-memory", `no room for the ${graph}`);
      open.add(graph);
      return { threads: 2, dispose: async () => void open.delete(graph) } as Partial<OnnxGraph> as OnnxGraph;
    },
  } as Partial<OnnxRuntime> as OnnxRuntime;
  return { runtime, asked, open };
}

const files = [...writeTinyT5()].map(([name, bytes]) => bytesSource(name, bytes));
async function session(runtime: OnnxRuntime, options: { readonly threads?: number; readonly lowMemory?: boolean } = {}, variant = "f32") {
  const facts = await acceptT5(findT5Files(files));
  const weights = await sessionWeights(facts, [], { variant: variant as "f32" | "q8", runtime });
  return openT5Session(facts.config, weights, runtime, { threads: 2, ...options });
}

describe("the graphs of a session", () => {
  it("are opened beside each other where both take long, and freed with it", async () => {
    const { promise, resolve } = deferred();
    const { runtime, asked, open } = noting({ waits: promise });
    const opening = session(runtime);
    await expect.poll(() => asked).toEqual(["encoder apart", "decoder here"]);
    resolve();
    const { dispose } = await opening;
    expect(asked).toEqual(["encoder apart", "decoder here", "rows"]);
    await dispose();
    expect(open.size).toBe(0);
  });

  it.each([
    ["one thread", { threads: 1 }, "f32"],
    ["little memory", { lowMemory: true }, "f32"],
    ["smaller weights", {}, "q8"],
  ] as const)("with %s one after the other, the largest first", async (_, options, variant) => {
    const { runtime, asked } = noting();
    await session(runtime, options, variant);
    expect(asked).toEqual(["decoder", "encoder", "rows"]);
  });

  it.each(["encoder", "decoder", "rows"])("are all freed where there is no room for the %s", async (name) => {
    const { runtime, open } = noting({ fails: new RegExp(name) });
    expect((await failure(session(runtime))).message).toBe(`no room for the ${name}`);
    expect(open.size).toBe(0);
  });
});
