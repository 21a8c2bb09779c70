/** The families of models that our graphs compute, and what to use in place of those they do not. */
import { SpellError } from "../errors.ts";
import type { Fields } from "../text/fields.ts";

/** What config.json of a family means where it says nothing: the defaults of its configuration class in transformers 4.57.6. */
export interface Family {
  readonly modelType: "t5" | "mt5" | "umt5";
  readonly numLayers: number;
  readonly projection: string;
  readonly tiesEmbeddings: boolean;
  readonly hasBiasPerLayer: boolean;
}

const multilingual = { numLayers: 8, projection: "gated-gelu" } as const;
const families: readonly Family[] = [
  { modelType: "t5", numLayers: 6, projection: "relu", tiesEmbeddings: true, hasBiasPerLayer: false },
  { modelType: "mt5", ...multilingual, tiesEmbeddings: false, hasBiasPerLayer: false },
  { modelType: "umt5", ...multilingual, tiesEmbeddings: true, hasBiasPerLayer: true },
];

/** Classes of transformers whose weights are an encoder and a decoder with a head. */
const generatingClasses = [
  "T5ForConditionalGeneration",
  "T5WithLMHeadModel",
  "MT5ForConditionalGeneration",
  "UMT5ForConditionalGeneration",
];

/** `model_type` of others that people bring: what the family is, and what to use. */
const others: readonly (readonly [types: string, what: string, hint: string])[] = [
  [
    "longt5 switch_transformers pix2struct udop pop2piano",
    "a relative of T5 whose layers are built differently",
    "Use a T5, FLAN-T5, ByT5, mT5 or UMT5 of the same task.",
  ],
  [
    "bart mbart pegasus pegasus_x marian m2m_100 blenderbot blenderbot-small led bigbird_pegasus prophetnet xlm-prophetnet fsmt nllb-moe plbart mvp t5gemma encoder-decoder",
    "an encoder-decoder of another family",
    "Use a T5 for the task: flan-t5-base answers, translates and summarises; mt5-small and its descendants know 101 languages.",
  ],
  [
    "bert roberta distilbert albert electra deberta deberta-v2 xlm-roberta mpnet modernbert nomic_bert camembert",
    "an encoder, which writes no text",
    "Use a language model.",
  ],
  [
    "whisper wav2vec2 speecht5 musicgen bark vits seamless_m4t clip vit blip siglip",
    "a model of sound or pictures",
    "Use a language model.",
  ],
];

/** @param part what is computed of it @throws SpellError model-architecture, naming what was found and what to use */
export function familyOf(fields: Fields, part: "whole" | "encoder" = "whole"): Family {
  const type = fields.raw("model_type");
  const classes = fields.raw("architectures");
  const refuse = (got: string, hint: string): SpellError =>
    new SpellError(
      "model-architecture",
      `${fields.file}: expected model_type ${families.map(({ modelType }) => modelType).join(", ")} with ${generatingClasses[0]} or its like, got ${got.slice(0, 160)}`,
      { where: fields.file, hint },
    );
  const asGguf = "Families that only decode (llama, qwen, gemma …) run as GGUF: use a repository or a file with .gguf in its name.";
  const family = families.find(({ modelType }) => modelType === type);
  if (family === undefined && part === "encoder") {
    throw new SpellError(
      "model-architecture",
      `${fields.file}: expected model_type bert, roberta, xlm-roberta, camembert, ${families.map(({ modelType }) => modelType).join(", ")} of an embedding model, got ${String(type).slice(0, 60)}`,
      { where: fields.file, hint: "Other encoders (MPNet, ModernBERT …) run as GGUF." },
    );
  }
  if (family === undefined) {
    const [, what, hint] = others.find(([types]) => types.split(" ").includes(String(type))) ?? [];
    const named = type === undefined ? "no model_type" : `model_type ${JSON.stringify(type)}`;
    throw refuse(what === undefined ? named : `${named}: ${what}`, hint ?? asGguf);
  }
  if (part === "encoder" || classes === undefined || (Array.isArray(classes) && classes.some((name) => generatingClasses.includes(name))))
    return family;
  const listed = JSON.stringify(classes);
  throw refuse(
    `architectures ${listed}${listed.includes("Encoder") ? ": the decoder is missing" : ""}`,
    "Use the checkpoint that writes text: its architectures name …ForConditionalGeneration.",
  );
}
