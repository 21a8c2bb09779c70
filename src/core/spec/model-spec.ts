/**
 * What a user types to name a model: `name[:variant][@backend]` or a path. This release knows bundled names and local files;
 * repositories and addresses are recognised, so that they get a true answer instead of "unknown model".
 */
import { SpellError } from "../errors.ts";

export type ModelSpec =
  | { readonly kind: "name"; readonly name: string; readonly variant?: string; readonly backend?: string }
  | { readonly kind: "path"; readonly path: string };

const ident = /^[A-Za-z0-9][A-Za-z0-9._-]{0,79}$/;
const pathStart = /^(\.{1,2}([/\\]|$)|[/~]|[A-Za-z]:[\\/]|\\\\)/;
const laterSources = /^(hf:|hf\.co\/|huggingface\.co\/|ollama:|registry\.ollama\.ai\/|https?:\/\/)/i;
const grammar = "name[:variant][@backend], or a path that begins with ./ ../ / or ~/";

/** @throws SpellError spec-syntax; backend-unknown; usage-not-available for sources of a later release */
export function parseModelSpec(text: string): ModelSpec {
  if (text.length === 0 || text.length > 512) throw syntax(text, `wanted 1–512 characters; got ${text.length}`);
  if (/[\p{Cc}\p{Bidi_Control}]/u.test(text)) throw syntax(text, "it holds control characters");
  if (pathStart.test(text)) return { kind: "path", path: text.replace(/@(candle|local)$/i, "") };
  if (laterSources.test(text)) {
    throw new SpellError("usage-not-available", `models from ${JSON.stringify(text.slice(0, 60))} come with a later release`, {
      hint: "Fetch the .gguf file yourself and give its path.",
      commands: ['llmspell generate -m ./model.gguf "Hello"'],
    });
  }
  const at = text.lastIndexOf("@");
  const backend = at < 0 ? undefined : text.slice(at + 1).toLowerCase();
  const reference = at < 0 ? text : text.slice(0, at);
  const [name = "", variant, more] = reference.split(":");
  if (!ident.test(name) || (variant !== undefined && !ident.test(variant)) || more !== undefined) throw syntax(text, `wanted ${grammar}`);
  if (backend === "ollama") throw new SpellError("usage-not-available", "the ollama backend comes with a later release");
  if (backend !== undefined && backend !== "candle" && backend !== "local") {
    throw new SpellError(
      "backend-unknown",
      `Backend '${backend}' not configured and no matching builtin profile found. Available: candle (alias local)`,
    );
  }
  return { kind: "name", name, ...(variant === undefined ? {} : { variant }), ...(backend === undefined ? {} : { backend: "candle" }) };
}

function syntax(text: string, problem: string): SpellError {
  return new SpellError("spec-syntax", `${JSON.stringify(text.slice(0, 60))} names no model: ${problem}`, {
    commands: ['llmspell generate -m tiny-stories "Once upon a time"'],
  });
}
