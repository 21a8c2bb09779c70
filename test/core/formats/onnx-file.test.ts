/** A look into ONNX files: good ones, and G65 and G66, what may come instead. */
import { readFile } from "node:fs/promises";
import { beforeAll, describe, expect, it } from "vitest";
import { SpellError } from "../../../src/core/errors.ts";
import { bytesSource } from "../../../src/core/formats/byte-source.ts";
import { type OnnxFileFacts, readOnnxFile } from "../../../src/core/formats/onnx-file.ts";
import { OnnxGraphBuilder } from "../../../src/core/onnx/graph-builder.ts";
import { ProtoWriter } from "../../../src/core/protobuf.ts";
import { writeExport } from "../../fixtures/t5-export.ts";

const root = new URL("../../../", import.meta.url);
const none = (): undefined => undefined;
const read = (bytes: Uint8Array, beside: (name: string) => { readonly size: number } | undefined = none): Promise<OnnxFileFacts> =>
  readOnnxFile(bytesSource("model.onnx", bytes), beside);

async function codeOf(promise: Promise<unknown>): Promise<string> {
  try {
    await promise;
    return "accepted";
  } catch (error) {
    if (error instanceof SpellError) return error.code;
    throw error;
  }
}

/** y = x · w with w outside, where `location` says. */
function externalGraph(location: string, offset = 0, length = 16): Uint8Array {
  const graph = new OnnxGraphBuilder("g");
  const w = graph.weight({ name: "w", type: "float32", shape: [2, 2], length: 16 });
  graph.output(graph.node("MatMul", [graph.input("x", "float32", [2, 2]), w], { output: "y" }), "float32", [2, 2]);
  return graph.toModel().encode(() => ({ location, offset, length }));
}

describe("readOnnxFile", () => {
  let files: ReadonlyMap<string, Uint8Array>;
  let external: ReadonlyMap<string, Uint8Array>;
  beforeAll(async () => {
    files = await writeExport((path) => readFile(new URL(path, root)));
    external = await writeExport((path) => readFile(new URL(path, root)), { external: true });
  });
  const graphOf = (name: string, from = files): Uint8Array => from.get(name) ?? new Uint8Array(0);

  it("finds inputs and outputs of an exporter's graphs, weights inside", async () => {
    const encoder = await read(graphOf("encoder_model.onnx"));
    expect(encoder).toEqual({ inputs: ["input_ids", "attention_mask"], outputs: ["last_hidden_state"], externalFiles: [] });
    const decoder = await read(graphOf("decoder_model_merged.onnx"));
    expect(decoder.inputs).toHaveLength(4 + 3 * 4);
    expect(decoder.inputs).toContain("past_key_values.2.encoder.value");
    expect(decoder.outputs).toContain("present.0.decoder.key");
  });

  it("finds the file with the weights, where they lie beside", async () => {
    const data = graphOf("encoder_model.onnx_data", external);
    const beside = (name: string) => (name === "encoder_model.onnx_data" ? { size: data.length } : undefined);
    expect((await read(graphOf("encoder_model.onnx", external), beside)).externalFiles).toEqual(["encoder_model.onnx_data"]);
    expect(await codeOf(read(graphOf("encoder_model.onnx", external), () => ({ size: data.length - 1 })))).toBe("onnx-external");
  });

  it("reads what it needs of a large file, not its weights", async () => {
    const weights = 8 * 1024 * 1024;
    const tensor = new ProtoWriter()
      .int(1, weights / 4)
      .int(2, 1)
      .string(8, "w")
      .bytes(9, new Uint8Array(weights));
    const whole = bytesSource("large.onnx", new ProtoWriter().message(7, new ProtoWriter().message(5, tensor)).finish());
    let taken = 0;
    const counted = {
      ...whole,
      read: (offset: number, length: number) => {
        taken += length;
        return whole.read(offset, length);
      },
    };
    await readOnnxFile(counted, none);
    expect(taken).toBeLessThan(600_000);
  });

  it("G65: empty, garbage, another format, no graph, cut → onnx-parse", async () => {
    const good = externalGraph("w.bin");
    const bad = [
      new Uint8Array(0),
      new TextEncoder().encode("<!doctype html><html>log in</html>"),
      new Uint8Array(64).fill(255),
      new ProtoWriter().int(1, 9).string(2, "nobody").finish(),
      good.subarray(0, good.length >> 1),
    ];
    for (const bytes of bad) expect(await codeOf(read(bytes))).toBe("onnx-parse");
  });

  it("G65: messages nested without end → onnx-parse", async () => {
    let graph = new ProtoWriter().string(2, "g");
    for (let depth = 0; depth < 100; depth += 1) {
      graph = new ProtoWriter().message(1, new ProtoWriter().message(5, new ProtoWriter().message(6, graph)));
    }
    expect(await codeOf(read(new ProtoWriter().message(7, graph).finish()))).toBe("onnx-parse");
  });

  it.each(["../secret.bin", "/etc/passwd", "a/b.bin", "a\\b.bin", "C:secret", "..", ".", "", "w\u0000.bin", "missing.bin"])(
    "G66: weights at %j → onnx-external",
    async (location) => {
      expect(await codeOf(read(externalGraph(location), (name) => (name === "w.bin" ? { size: 16 } : undefined)))).toBe("onnx-external");
    },
  );

  it("G66: offset past the end, negative, or no number → onnx-external; an exact fit is taken", async () => {
    const beside = () => ({ size: 16 });
    expect(await codeOf(read(externalGraph("w.bin", 0, 16), beside))).toBe("accepted");
    for (const [offset, length] of [
      [1, 16],
      [16, 1],
      [-1, 4],
      [0.5, 4],
      [2 ** 52, 2 ** 52],
    ] as const) {
      expect(await codeOf(read(externalGraph("w.bin", offset, length), beside)), `${offset}+${length}`).toBe("onnx-external");
    }
  });

  it("G66: also inside the branches of a node", async () => {
    const tensor = new ProtoWriter().string(8, "w").message(13, new ProtoWriter().string(1, "location").string(2, "../w")).int(14, 1);
    const branch = new ProtoWriter().string(1, "then_branch").message(6, new ProtoWriter().message(5, tensor));
    const node = new ProtoWriter().string(4, "If").message(5, branch);
    expect(await codeOf(read(new ProtoWriter().message(7, new ProtoWriter().message(1, node)).finish()))).toBe("onnx-external");
  });

  it("sweep: every cut of a graph, and every bit of its first 512 bytes, gives a typed code or a good parse", async () => {
    const good = externalGraph("w.bin");
    for (let cut = 0; cut < good.length; cut += 1) {
      expect(["onnx-parse", "accepted", "onnx-external"], `cut at ${cut}`).toContain(
        await codeOf(read(good.subarray(0, cut), () => ({ size: 16 }))),
      );
    }
    for (let bit = 0; bit < Math.min(512, good.length) * 8; bit += 1) {
      const flipped = good.slice();
      flipped[bit >> 3] = (flipped[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      expect(["onnx-parse", "accepted", "onnx-external"], `bit ${bit}`).toContain(await codeOf(read(flipped, () => ({ size: 16 }))));
    }
  });
});
