/** Which files of an export are which, and what is missing. */
import { readFile } from "node:fs/promises";
import { beforeAll, describe, expect, it } from "vitest";
import { bytesSource } from "../../../src/core/formats/byte-source.ts";
import { acceptExport, findExportFiles, looksLikeExport } from "../../../src/core/t5/export-files.ts";
import { writeExport } from "../../fixtures/t5-export.ts";

const named = (...names: readonly string[]) => names.map((name) => bytesSource(name, new Uint8Array(1)));
const complete = ["config.json", "tokenizer.json", "encoder_model.onnx", "decoder_model_merged.onnx"];

describe("an export's files", () => {
  it("are an export where a configuration lies beside both graphs", () => {
    expect(looksLikeExport(named(...complete))).toBe(true);
    expect(looksLikeExport(named("config.json", "encoder_model_q4.onnx", "decoder_model_q4.onnx"))).toBe(true);
    expect(looksLikeExport(named("config.json", "model.onnx"))).toBe(false);
    expect(looksLikeExport(named("encoder_model.onnx", "decoder_model_merged.onnx"))).toBe(false);
  });

  it("have forms by their endings; the full one is the default, in halves where only those are there", () => {
    const { forms } = findExportFiles(
      named(...complete, "encoder_model_quantized.onnx", "decoder_model_merged_quantized.onnx", "encoder_model_q4.onnx"),
    );
    expect(forms.map(({ variant, dtype }) => [variant, dtype])).toEqual([
      ["f32", "fp32"],
      ["q8", "q8"],
    ]);
    const halves = findExportFiles(named("config.json", "tokenizer.json", "encoder_model_fp16.onnx", "decoder_model_merged_fp16.onnx"));
    expect(halves.forms.map(({ dtype }) => dtype)).toEqual(["fp16"]);
  });

  it("want a merged decoder and a tokenizer", () => {
    expect(() => findExportFiles(named("config.json", "tokenizer.json", "encoder_model.onnx", "decoder_model.onnx"))).toThrow(
      expect.objectContaining({ code: "model-layout", message: expect.stringContaining("decoder_model_merged.onnx") }),
    );
    expect(() => findExportFiles(named(...complete.filter((name) => name !== "tokenizer.json")))).toThrow(
      expect.objectContaining({ code: "tokenizer-missing" }),
    );
  });

  describe("with contents", () => {
    let files: Map<string, Uint8Array>;
    beforeAll(async () => {
      files = await writeExport((path) => readFile(new URL(`../../../${path}`, import.meta.url)), { external: true });
    });
    const accept = (changes: Readonly<Record<string, Uint8Array | undefined>> = {}) => {
      const all = new Map<string, Uint8Array | undefined>([...files, ...Object.entries(changes)]);
      const sources = [...all].flatMap(([name, bytes]) => (bytes === undefined ? [] : [bytesSource(name, bytes)]));
      return acceptExport(findExportFiles(sources));
    };

    it("are counted with the weights beside the graphs", async () => {
      const facts = await accept();
      const size = ["encoder_model", "decoder_model_merged"].flatMap((graph) => [`${graph}.onnx`, `${graph}.onnx_data`]);
      expect(facts.sizeBytes).toBe(size.reduce((sum, name) => sum + (files.get(name)?.length ?? 0), 0));
      expect(facts.config).toMatchObject({ dModel: 192, vocabSize: 4000 });
    });

    it.each([
      ["decoder_model_merged.onnx", "onnx-parse"],
      ["decoder_model_merged.onnx_data", "onnx-external"],
    ])("named where %s is a Git LFS pointer", async (name, code) => {
      const pointer = new TextEncoder().encode("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n");
      await expect(accept({ [name]: pointer })).rejects.toMatchObject({ code, message: expect.stringContaining("a Git LFS pointer") });
    });

    it("G57: of another architecture → model-architecture", async () => {
      const config = new TextEncoder().encode(JSON.stringify({ model_type: "bart", architectures: ["BartForConditionalGeneration"] }));
      await expect(accept({ "config.json": config })).rejects.toMatchObject({ code: "model-architecture" });
    });

    it("G65: with the graphs mixed up → onnx-parse that names inputs and outputs", async () => {
      await expect(
        accept({
          "encoder_model.onnx": files.get("decoder_model_merged.onnx"),
          "decoder_model_merged.onnx": files.get("encoder_model.onnx"),
        }),
      ).rejects.toMatchObject({
        code: "onnx-parse",
        message: expect.stringContaining("expected a graph from input_ids to last_hidden_state"),
      });
    });

    it("G66: without their weights → onnx-external that names the file", async () => {
      await expect(accept({ "encoder_model.onnx_data": undefined })).rejects.toMatchObject({
        code: "onnx-external",
        message: expect.stringContaining("encoder_model.onnx_data"),
      });
    });
  });
});
