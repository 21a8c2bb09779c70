/** Written by tools/generate.mjs from builtins/models. */

export interface BundledFile {
  readonly name: string;
  /** bytes */
  readonly size: number;
  readonly sha256: string;
}

/** Files of the bundled models, by the names of the models. */
export const bundledFiles: Readonly<Record<"tiny-stories" | "tiny-t5-en-fr", readonly BundledFile[]>> = {
  "tiny-stories": [
    { name: "tiny-stories.gguf", size: 3121440, sha256: "9f97250d9858a0a36fe71774a0ba6f3f3de19cb602c9f7aecca211417d76415d" },
  ],
  "tiny-t5-en-fr": [
    { name: "config.json", size: 863, sha256: "192b8dd54c01a73852db875b2260f6f4b486f797aa18cd2cac46ed25c150b0e7" },
    { name: "generation_config.json", size: 140, sha256: "357b6542e559c84146f6ceb965e536efc251f816f3047299827caeb244b6fbd2" },
    { name: "model.safetensors", size: 6860224, sha256: "ff52a4385b4ca7aa00fdbee6874e4a3328209df990ec6d00d3b631da79723f7e" },
    { name: "tokenizer.json", size: 162801, sha256: "d446fbac48f19ec449a65381d750d82071ba4e625b8ed04950166b65e97cb6ba" },
    { name: "tokenizer_config.json", size: 278, sha256: "7ca5c24a287848e6c5fa6e6561880d35f93b68d9d557fd03399bd2c58f6cc2d4" },
  ],
};
