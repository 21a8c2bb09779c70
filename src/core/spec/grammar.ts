/** What an answer is held by, as plain data: it crosses to workers and processes. Types only. */
import type { JsonSchema } from "./schema.ts";

/** Code points from … to, both included. */
export type CharRange = readonly [from: number, to: number];

/** One code point out of ranges, or whatever a rule describes. */
export type GrammarItem = { readonly chars: readonly CharRange[] } | { readonly rule: string };

/** Items one after the other; none = the empty text. */
export type GrammarItems = readonly GrammarItem[];

/** A context-free grammar over code points. Every rule has a finite text, and none begins with itself. */
export interface Grammar {
  readonly root: string;
  /** the alternatives of each rule */
  readonly rules: Readonly<Record<string, readonly GrammarItems[]>>;
}

/** The form of an answer, made of the options of a call and checked: grammar/constraint.ts. */
export type Constraint =
  | { readonly kind: "jsonSchema"; readonly schema: JsonSchema; readonly grammar: Grammar }
  | { readonly kind: "choices"; readonly choices: readonly string[]; readonly grammar: Grammar }
  | { readonly kind: "regex"; readonly source: string; readonly grammar: Grammar }
  /** calls of tools: tools/call-grammar.ts; part of an answer */
  | { readonly kind: "tools"; readonly grammar: Grammar }
  /** GBNF of the caller's own, root rule `root`: only engines of llama.cpp read it */
  | { readonly kind: "grammar"; readonly gbnf: string };
