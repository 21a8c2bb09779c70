/**
 * Which families of models are supported, and what the others are.
 *
 * Source: the table of names in llama.cpp v0.5.0, as both engines carry it. It lies in the binaries as consecutive C strings from `llama` to
 * `pockettts` (`strings -n 2 libllama.v0.5.0.so`; the linker keeps `bert`, `qwen`, `qwen2`, `glm4`, `rwkv7` as tails of longer names);
 * each name is also in wllama.wasm. Taken out are those that generate no text from text token by token; they are in `encoderArchitectures` and in `refused`, with the reason.
 * Each name kept was shown to that engine in an otherwise wrong file: it knew and implements them all (of the table it lacks `gptj` alone).
 */
import { SpellError } from "../errors.ts";
import { quote } from "./defect.ts";
import type { Metadata } from "./metadata.ts";

/** Values of `general.architecture` that a GGUF runtime runs: decoder-only language models. */
export const supportedArchitectures: readonly string[] = `
  llama llama4 deci falcon grok gpt2 gptneox mpt baichuan starcoder refact bloom stablelm qwen qwen2 qwen2moe qwen2vl qwen3 qwen3moe qwen3next
  qwen3vl qwen3vlmoe qwen35 qwen35moe qwen4exp phi2 phi3 phimoe plamo plamo2 plamo3 codeshell orion internlm2 minicpm minicpm3 gemma gemma2
  gemma3 gemma3n gemma4 starcoder2 mamba mamba2 maple jamba falcon-h1 xverse command-r cohere2 cohere2moe dbrx olmo olmo2 olmoe muse-glimmer
  openelm arctic deepseek deepseek2 deepseek2-ocr deepseek32 deepseek4 chatglm glm4 glm4moe glm-dsa bitnet jais jais2 nemotron nemotron_h
  nemotron_h_moe exaone exaone4 exaone-moe rwkv6 rwkv6qwen2 rwkv7 arwkv7 granite granitemoe granitehybrid graniteswitch granite_swa chameleon
  plm bailingmoe bailingmoe2 bailingmoe3 dots1 dots3note arcee afmoe laguna ernie4_5 ernie4_5-moe hunyuan-moe hunyuan-dense hunyuan_vl hy_v3
  hy_v4 smollm3 gpt-oss lfm2 lfm2moe smallthinker seed_oss grovemoe apertus minimax-01 hrm_text minimax-m2 minimax-m3 cogvlm pangu-embedded
  mistral3 mistral4 paddleocr mimo2 step35 spark2_5 maincoder kimi-linear kimi-k3 talkie mellum nanbeige`
  .trim()
  .split(/\s+/);

/** Families that read a text as a whole and write none: embedding models. */
export const encoderArchitectures: ReadonlySet<string> = new Set(
  "bert modern-bert nomic-bert nomic-bert-moe neo-bert jina-bert-v2 jina-bert-v3 eurobert gemma-embedding llama-embed".split(" "),
);

/** Families without attention: they have no heads, and state instead of a KV cache. */
export const recurrentArchitectures: ReadonlySet<string> = new Set(["mamba", "mamba2", "rwkv6", "rwkv6qwen2", "rwkv7", "arwkv7"]);

const audio = { what: "a model that makes sound, not text", hint: "Use a language model." };
const draft = { what: "a draft that only helps another model", hint: "Use the model it belongs to." };
const diffusion = { what: "a diffusion model, which does not write token by token", hint: "Use a model that writes token by token." };
const projector = {
  what: "a projector, the part that sees or hears for a language model",
  hint: "Use the language model's own .gguf, which lies beside it.",
};

type Kind = typeof projector;

const refused: ReadonlyMap<string, Kind> = new Map(
  (
    [
      ["wavtokenizer-dec qwen3tts pockettts", audio],
      ["gemma4-assistant eagle3 dflash", draft],
      ["dream llada llada-moe rnd1", diffusion],
      ["clip", projector],
    ] as const
  ).flatMap(([names, kind]) => names.split(" ").map((name): [string, Kind] => [name, kind])),
);

const adapter = {
  what: "an adapter (LoRA), which changes another model",
  hint: "Use a model. Adapters are not supported: merge the adapter into its model before converting it.",
};

/** `general.type` of files that hold no model. */
const otherFiles: ReadonlyMap<string, Kind> = new Map([
  ["adapter", adapter],
  ["mmproj", projector],
  ["imatrix", { what: "statistics for quantising a model", hint: "Use the model itself." }],
  ["dataset", { what: "a data set", hint: "Use a model." }],
]);

const t5: ReadonlySet<string> = new Set(["t5", "t5encoder"]);

/**
 * @returns the architecture, which a runtime supports
 * @throws SpellError gguf-metadata (not named), model-t5-gguf, model-architecture with what was found, what to do and, if unknown, the supported list
 */
export function acceptArchitecture(metadata: Metadata): string {
  const { source } = metadata;
  const fail = (what: string, hint: string, found: string): SpellError =>
    new SpellError("model-architecture", `${source.name} is ${what}`, {
      where: source.name,
      hint,
      details: { found, supported: supportedArchitectures },
    });

  const type = metadata.described("general.type") ?? "";
  const other = otherFiles.get(type);
  if (other !== undefined) throw fail(`${other.what} (general.type ${quote(type)})`, other.hint, type);

  const architecture = metadata.text("general.architecture");
  if (architecture === undefined) throw metadata.error("general.architecture", "expected the name of a model family; the key is missing");
  if (t5.has(architecture)) {
    const message = `${source.name} is a T5 model as GGUF (${quote(architecture)}); GGUF runtimes write wrong text with it or crash`;
    throw new SpellError("model-t5-gguf", message, {
      where: source.name,
      actions: [{ kind: "pull", model: "flan-t5-small" }],
      details: { found: architecture },
    });
  }
  const known = refused.get(architecture);
  if (known !== undefined) throw fail(`${known.what} (${quote(architecture)})`, known.hint, architecture);
  if (!supportedArchitectures.includes(architecture) && !encoderArchitectures.has(architecture)) {
    const hint = `Supported families: ${supportedArchitectures.join(", ")}.`;
    throw fail(`of the family ${quote(architecture)}, which is not supported`, hint, architecture);
  }
  return architecture;
}
