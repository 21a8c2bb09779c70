/** Quantised weights kept between loads: the store, and that a model answers from them as without. */
import { chmod, cp, mkdtemp, open, readdir, rm, stat, truncate, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { SpellError } from "../../../src/core/errors.ts";
import type { ByteSource } from "../../../src/core/formats/byte-source.ts";
import { readSafetensors } from "../../../src/core/formats/safetensors.ts";
import type { Seq2SeqVariant } from "../../../src/core/spec/runtime.ts";
import { greedy } from "../../../src/core/spec/sampling.ts";
import type { BlockStore } from "../../../src/core/t5/block-file.ts";
import { openT5 } from "../../../src/core/t5/engine.ts";
import { openNativeOnnx } from "../../../src/node/engines/onnx-native.ts";
import { openWebOnnx } from "../../../src/node/engines/onnx-web.ts";
import { openFileSource } from "../../../src/node/file-source.ts";
import { createBlockStore } from "../../../src/node/store/block-store.ts";
import { posix } from "../../support/only-where.ts";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "llmspell-blocks-"));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

async function* chunks(...parts: readonly (string | Error)[]): AsyncGenerator<Uint8Array, void, undefined> {
  for (const part of parts) {
    if (part instanceof Error) throw part;
    yield new TextEncoder().encode(part);
  }
}

async function textOf(source: ByteSource | undefined): Promise<string | undefined> {
  return source === undefined ? undefined : new TextDecoder().decode(await source.read(0, source.size));
}

describe("block store", () => {
  it("gives back what was written, under its key only", async () => {
    const store = createBlockStore(join(folder, "a", "b"));
    expect(await store.open("one")).toBeUndefined();
    expect(await textOf(await store.write("one", chunks("ab", "cd")))).toBe("abcd");
    expect(await textOf(await store.open("one"))).toBe("abcd");
    expect(await store.open("two")).toBeUndefined();
    expect(await textOf(await store.write("one", chunks("new")))).toBe("new");
  });

  it("leaves nothing of a write that ends early", async () => {
    const store = createBlockStore(folder);
    await expect(store.write("one", chunks("ab", new SpellError("run-aborted", "stopped")))).rejects.toMatchObject({ code: "run-aborted" });
    expect(await readdir(folder)).toEqual([]);
  });

  it("goes without where nothing can be written", async () => {
    const full = Object.assign(new Error("ENOSPC: no space left on device"), { code: "ENOSPC" });
    expect(await createBlockStore(folder).write("one", chunks("ab", full))).toBeUndefined();
    expect(await readdir(folder)).toEqual([]);
    await writeFile(join(folder, "file"), "");
    expect(await createBlockStore(join(folder, "file")).write("one", chunks("ab"))).toBeUndefined();
  });

  it("keeps the eight files used last, and removes what a killed writer left", async () => {
    const store = createBlockStore(folder);
    for (let i = 0; i < 8; i += 1) await store.write(`${i}`, chunks("x"));
    const old = new Date(Date.now() - 24 * 60 * 60 * 1000);
    for (const name of await readdir(folder)) await utimes(join(folder, name), old, old);
    await writeFile(join(folder, "left.tmp"), "");
    await utimes(join(folder, "left.tmp"), old, old);
    await writeFile(join(folder, "young.tmp"), "");
    expect((await store.open("3"))?.size).toBe(1);
    await store.write("8", chunks("x"));
    await utimes(join(folder, (await newest()) as string), old, old);
    expect((await store.open("3"))?.size).toBe(1);
    const left = await readdir(folder);
    expect(left).toContain("young.tmp");
    expect(left).not.toContain("left.tmp");
    expect(left).toHaveLength(9);
  });

  posix.it("shows nobody else what is kept", async () => {
    const path = join(folder, "cache");
    await createBlockStore(path).write("one", chunks("x"));
    const [name = ""] = await readdir(path);
    expect((await stat(path)).mode & 0o777).toBe(0o700);
    expect((await stat(join(path, name))).mode & 0o777).toBe(0o600);
    await chmod(path, 0o700);
  });

  async function newest(): Promise<string | undefined> {
    const times = await Promise.all((await readdir(folder)).map(async (name) => ({ name, ms: (await stat(join(folder, name))).mtimeMs })));
    return times.sort((a, b) => b.ms - a.ms)[0]?.name;
  }
});

describe("a model from kept blocks", () => {
  /** Counts what is made and what is found. */
  function countingStore(): BlockStore & { made: number; found: number } {
    const store = createBlockStore(folder);
    return {
      made: 0,
      found: 0,
      leastBytes: 0,
      async open(key) {
        const source = await store.open(key);
        if (source !== undefined) this.found += 1;
        return source;
      },
      write(key, parts) {
        this.made += 1;
        return store.write(key, parts);
      },
    };
  }

  const bundled = fileURLToPath(new URL("../../../builtins/models/tiny-t5-en-fr/", import.meta.url));

  async function answer(
    variant: Seq2SeqVariant,
    blocks?: BlockStore,
    signal?: AbortSignal,
    openOnnx = openNativeOnnx,
    model = bundled,
  ): Promise<string> {
    const names = (await readdir(model)).filter((name) => /\.(json|safetensors|model)$/.test(name));
    const handle = await openT5(
      await Promise.all(names.map((name) => openFileSource(join(model, name)))),
      {
        onnx: await openOnnx(),
        threads: 1,
        report: () => ({ chosen: "cpu", tried: [], runtime: "onnxruntime-node" }),
        pause: async () => undefined,
        now: () => performance.now(),
        ...(blocks === undefined ? {} : { blocks }),
      },
      { variant, inputLength: 512, ...(signal === undefined ? {} : { signal }) },
    );
    let text = "";
    const pieces = handle.generate("translate English to French: I would like to buy a ticket.", {
      maxTokens: 40,
      stop: [],
      sampling: greedy,
      noRepeatNgramSize: 0,
    });
    for await (const piece of pieces) if (piece.type === "text") text += piece.text;
    await handle.dispose();
    return text;
  }

  it.each(["q8", "q4"] as const)("answers in %s as without them, made once", async (variant) => {
    const store = countingStore();
    const plain = await answer(variant);
    expect(plain.length).toBeGreaterThan(5);
    expect(await answer(variant, store)).toBe(plain);
    expect(await answer(variant, store)).toBe(plain);
    expect([store.made, store.found]).toEqual([1, 1]);
  });

  it("keeps variants apart, and nothing of f32", async () => {
    const store = countingStore();
    for (const variant of ["f32", "q8", "q4", "q8"] as const) await answer(variant, store);
    expect([store.made, store.found]).toEqual([2, 1]);
    expect(await readdir(folder)).toHaveLength(2);
  });

  it("keeps one file for both variants in WebAssembly, where neither is in blocks", async () => {
    const store = countingStore();
    const plain = await answer("q8", undefined, undefined, openWebOnnx);
    expect(plain.length).toBeGreaterThan(5);
    for (const variant of ["q8", "q4"] as const) expect(await answer(variant, store, undefined, openWebOnnx)).toBe(plain);
    expect([store.made, store.found]).toEqual([1, 1]);
  });

  it("makes a damaged file anew", async () => {
    const store = countingStore();
    const plain = await answer("q8", store);
    const [name = ""] = await readdir(folder);
    for (const size of [1000, 0, 100_000]) {
      await truncate(join(folder, name), size);
      expect(await answer("q8", store)).toBe(plain);
    }
    expect(store.made).toBe(4);
  });

  const halves = { nan: 0x7e00, infinity: 0x7c00, minusInfinity: 0xfc00 };
  const damaged = [
    ["encoder.block.0.layer.0.SelfAttention.q.weight", halves.nan],
    ["decoder.block.0.layer.0.SelfAttention.q.weight", halves.minusInfinity],
  ] as const;
  it.each([
    ...(["q8", "q4"] as const).flatMap((variant) => damaged.map((weight) => [variant, "native", ...weight] as const)),
    ...damaged.map((weight) => ["q8", "web", ...weight] as const),
    ["q4", "native", "decoder.final_layer_norm.weight", halves.nan],
    ["q8", "native", "decoder.block.0.layer.0.SelfAttention.relative_attention_bias.weight", halves.infinity],
  ] as const)("is refused in %s (%s) where %s holds %i, and nothing is kept", async (variant, way, name, half) => {
    const model = await mkdtemp(join(tmpdir(), "llmspell-damaged-"));
    try {
      await cp(bundled, model, { recursive: true });
      await plant(join(model, "model.safetensors"), name, half);
      const openOnnx = way === "web" ? openWebOnnx : openNativeOnnx;
      const refusal = { code: "run-nan", where: name, message: expect.stringContaining(`tensor ${name} holds what is no number`) };
      await expect(answer(variant, countingStore(), undefined, openOnnx, model)).rejects.toMatchObject(refusal);
      await expect(answer(variant, undefined, undefined, openOnnx, model)).rejects.toMatchObject(refusal);
      expect(await readdir(folder)).toEqual([]);
    } finally {
      await rm(model, { recursive: true, force: true });
    }
  });

  /** Writes a half in place of the third one of a tensor of halves. */
  async function plant(path: string, name: string, half: number): Promise<void> {
    const offset = (await readSafetensors(await openFileSource(path))).get(name)?.offset ?? Number.NaN;
    const file = await open(path, "r+");
    await file.write(Uint8Array.of(half & 255, half >> 8), 0, 2, offset + 4);
    await file.close();
  }

  it("stops making them when nobody wants them", async () => {
    const abort = new AbortController();
    const store = countingStore();
    const open = store.open.bind(store);
    store.open = async (key) => {
      abort.abort();
      return open(key);
    };
    await expect(answer("q8", store, abort.signal)).rejects.toMatchObject({ code: "run-aborted" });
    expect(await readdir(folder)).toEqual([]);
  });
});
