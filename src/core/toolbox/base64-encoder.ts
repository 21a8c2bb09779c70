/** `base64-encoder`: text to base64 and back. */
import { toBase64 } from "../base64.ts";
import { bytesOfBase64, toHex, toText } from "./bytes.ts";
import { toolFailed } from "./failure.ts";
import { flag, object, oneOf, text } from "./schema.ts";
import type { ToolDefinition } from "./types.ts";

interface Input {
  readonly operation: "encode" | "decode";
  readonly input: string;
  readonly url_safe?: boolean;
  readonly to?: "text" | "hex";
}

export const base64Encoder: ToolDefinition = {
  name: "base64-encoder",
  description: "Encodes text as base64, or decodes base64 to text or hex. Both alphabets are read.",
  category: "utility",
  version: "1.0.0",
  tags: ["encoding"],
  parameters: object(
    {
      operation: oneOf("what to do", ["encode", "decode"]),
      input: text("text to encode, or base64 to decode"),
      url_safe: flag("encode: - and _ in place of + and /, without = [false]"),
      to: oneOf("decode: text in UTF-8, or bytes as hex [text]", ["text", "hex"]),
    },
    ["operation", "input"],
  ),
  output: object({ result: text("base64, text or hex") }),
  run({ operation, input, url_safe = false, to = "text" }: Input) {
    if (operation === "encode") {
      const encoded = toBase64(new TextEncoder().encode(input));
      return { result: url_safe ? encoded.replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "") : encoded };
    }
    const bytes = bytesOfBase64("base64-encoder", input);
    const result = to === "hex" ? toHex(bytes) : toText(bytes);
    if (result === undefined)
      throw toolFailed("base64-encoder", 'expected base64 of text in UTF-8, got other bytes; to = "hex" shows them');
    return { result };
  },
};
