/** Calls of tools as a grammar: the form of the family, the names that may be called, and the input of each by its schema. */
import { SpellError } from "../errors.ts";
import { limits } from "../limits.ts";
import type { Grammar, GrammarItem, GrammarItems } from "../spec/grammar.ts";
import { mostCalls } from "./call-parser.ts";
import type { ToolFamily } from "./families.ts";
import { inputGrammar } from "./input-grammar.ts";
import type { PlainTool } from "./messages.ts";

/**
 * @param begun what stands there already: a trigger, or what a call that has to come begins with
 * @param isMany up to eight calls
 * @throws SpellError run-option for schemas that are too large together
 */
export function callGrammar(tools: readonly PlainTool[], family: ToolFamily, begun: string, isMany: boolean): Grammar {
  const rules: Record<string, readonly GrammarItems[]> = {};
  const heads = tools.map(({ name }) => letters(family.head(name)));
  for (const [i, tool] of tools.entries()) {
    const { root, rules: own } = inputGrammar(tool, `tools[${i}].inputSchema`);
    const named = (item: GrammarItem): GrammarItem => ("rule" in item ? { rule: `t${i}-${item.rule}` } : item);
    for (const [name, alternatives] of Object.entries(own)) rules[`t${i}-${name}`] = alternatives.map((items) => items.map(named));
    rules[`input-${i}`] = [[{ rule: `t${i}-${root}` }, ...letters(family.tail)]];
  }
  if (Object.keys(rules).length > limits.grammarRules) {
    const message = `tools: expected schemas of at most ${limits.grammarRules} rules together, got more`;
    throw new SpellError("run-option", message, { where: "tools" });
  }
  // what is written of the first call is written
  const isWritten = family.triggers.filter((trigger) => begun.endsWith(trigger)).sort((a, b) => b.length - a.length);
  const left = tools.map(({ name }) => {
    const whole = family.begin + family.head(name);
    const mark = [begun, ...isWritten].find((each) => whole.startsWith(each)) ?? isWritten.find((each) => whole.includes(each));
    return letters(mark === undefined || mark === "" ? whole : whole.slice(whole.indexOf(mark) + mark.length));
  });
  const several = isMany && tools.length > 0 ? family.between : undefined;
  rules["first"] = left.map((items, i) => [...items, { rule: `input-${i}` }]);
  rules["call"] = heads.map((items, i) => [...items, { rule: `input-${i}` }]);
  rules["calls"] = [[{ rule: "first" }, ...(several === undefined ? [] : [{ rule: "more-1" }]), ...letters(family.end)]];
  if (several === undefined) delete rules["call"];
  else {
    for (let i = 1; i < mostCalls; i += 1)
      rules[`more-${i}`] = [[...letters(several), { rule: "call" }, ...(i + 1 < mostCalls ? [{ rule: `more-${i + 1}` }] : [])], []];
  }
  return { root: "calls", rules };
}

function letters(text: string): GrammarItems {
  return Array.from(text, (letter) => {
    const code = letter.codePointAt(0) ?? 0;
    return { chars: [[code, code]] };
  });
}
