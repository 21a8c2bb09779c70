/** `calculator`: an expression to a number. Read by precedence, in one pass; nothing of JavaScript is reachable from it. */
import { toolFailed, toolLimit } from "./failure.ts";
import { number, object, text } from "./schema.ts";
import type { ToolDefinition } from "./types.ts";

export const calculator: ToolDefinition = {
  name: "calculator",
  description:
    "Computes an arithmetic expression: + - * / % ^, parentheses, pi, e, and functions such as sqrt, round, min, max, ln, log10, sin. Angles in radians.",
  category: "math",
  version: "1.0.0",
  tags: ["arithmetic", "numbers"],
  parameters: object(
    {
      expression: text('such as "2*(3+4)"'),
      variables: { type: "object", description: "numbers by name", additionalProperties: { type: "number" } },
    },
    ["expression"],
  ),
  output: object({ result: number("value of the expression") }),
  run({ expression, variables = {} }: { readonly expression: string; readonly variables?: Readonly<Record<string, number>> }) {
    const result = compute(expression, variables);
    if (!Number.isFinite(result))
      throw toolFailed("calculator", `expected a finite number, got ${result}${expression.length > 60 ? "" : ` for ${expression}`}`);
    return { result: result === 0 ? 0 : result };
  },
};

const constants: Readonly<Record<string, number>> = { pi: Math.PI, e: Math.E, tau: 2 * Math.PI };

const unary = [
  "abs",
  "acos",
  "asin",
  "atan",
  "cbrt",
  "ceil",
  "cos",
  "exp",
  "floor",
  "log10",
  "log2",
  "sign",
  "sin",
  "sqrt",
  "tan",
  "trunc",
];
/** by name: least and most arguments, and what they give */
const functions: Readonly<Record<string, readonly [least: number, most: number, give: (...values: number[]) => number]>> = {
  ...Object.fromEntries(unary.map((name) => [name, [1, 1, Math[name as "abs"]] as const])),
  ln: [1, 1, Math.log],
  log: [1, 2, (value, base) => (base === undefined ? Math.log(value) : Math.log(value) / Math.log(base))],
  round: [1, 2, (value, digits = 0) => rounded(value, digits)],
  min: [1, 1000, Math.min],
  max: [1, 1000, Math.max],
  sum: [1, 1000, (...values) => values.reduce((all, value) => all + value, 0)],
  mean: [1, 1000, (...values) => values.reduce((all, value) => all + value, 0) / values.length],
  hypot: [1, 1000, Math.hypot],
  atan2: [2, 2, Math.atan2],
  pow: [2, 2, (base, exponent) => base ** exponent],
  factorial: [1, 1, factorial],
};

/** Binary operators: how strongly they bind, and what they give. */
const operators: Readonly<Record<string, readonly [level: number, give: (left: number, right: number) => number]>> = {
  "+": [1, (left, right) => left + right],
  "-": [1, (left, right) => left - right],
  "*": [2, (left, right) => left * right],
  "/": [2, (left, right) => left / right],
  "%": [2, (left, right) => left % right],
  "^": [4, (left, right) => left ** right],
};
/** A sign binds less than a power: -2^2 is -4. */
const signLevel = 3;
const mostLength = 10_000;
const mostDepth = 200;

interface Token {
  readonly text: string;
  readonly at: number;
}

/** @throws SpellError tool-failed, with the place; tool-limit */
function compute(expression: string, variables: Readonly<Record<string, number>>): number {
  if (expression.length > mostLength)
    throw toolLimit("calculator", `expected an expression of at most ${mostLength} characters, got ${expression.length}`);
  const tokens = readTokens(expression);
  let next = 0;
  let depth = 0;
  const peek = (): string | undefined => tokens[next]?.text;
  const wrong = (expected: string): Error => {
    const token = tokens[next];
    const got = token === undefined ? "the end" : `"${token.text.slice(0, 40)}" at position ${token.at + 1}`;
    return toolFailed("calculator", `expected ${expected}, got ${got}`);
  };
  const take = (text: string): void => {
    if (peek() !== text) throw wrong(`"${text}"`);
    next += 1;
  };

  /** What stands there, with operators that bind at least as strongly. */
  const read = (level: number): number => {
    depth += 1;
    if (depth > mostDepth) throw toolLimit("calculator", `expected at most ${mostDepth} nested levels, got more`);
    let left = readOne();
    for (;;) {
      const operator = peek() === "**" ? "^" : (peek() ?? "");
      const known = Object.hasOwn(operators, operator) ? operators[operator] : undefined;
      if (known === undefined || known[0] < level) break;
      next += 1;
      // powers are read from the right
      left = known[1](left, read(operator === "^" ? known[0] : known[0] + 1));
    }
    depth -= 1;
    return left;
  };

  const readOne = (): number => {
    const token = peek();
    if (token === undefined) throw wrong("a number");
    if (token === "+" || token === "-") {
      next += 1;
      const value = read(signLevel);
      return token === "-" ? -value : value;
    }
    if (token === "(") {
      next += 1;
      const value = read(0);
      take(")");
      return value;
    }
    if (/^[\d.]/.test(token)) {
      next += 1;
      return Number(token);
    }
    if (!/^\p{L}/u.test(token)) throw wrong("a number");
    if (tokens[next + 1]?.text === "(") return readCall(token);
    const value = Object.hasOwn(variables, token) ? variables[token] : Object.hasOwn(constants, token) ? constants[token] : undefined;
    if (value === undefined) throw wrong(`a number, a variable or one of ${Object.keys(constants).join(", ")}`);
    next += 1;
    return value;
  };

  const readCall = (name: string): number => {
    const known = Object.hasOwn(functions, name) ? functions[name] : undefined;
    if (known === undefined) throw wrong(`one of ${Object.keys(functions).join(", ")}`);
    next += 1;
    take("(");
    const values: number[] = [];
    while (peek() !== ")") {
      if (values.length > 0) take(",");
      values.push(read(0));
    }
    const [least, most, give] = known;
    if (values.length < least || values.length > most)
      throw wrong(`${least === most ? least : `${least} to ${most}`} arguments of ${name} before this, which has ${values.length}`);
    take(")");
    return give(...values);
  };

  const value = read(0);
  if (next < tokens.length) throw wrong("an operator");
  return value;
}

/** @throws SpellError tool-failed */
function readTokens(expression: string): readonly Token[] {
  const tokens: Token[] = [];
  const each = /\s+|(\d[\d_]*(?:\.\d*)?(?:[eE][+-]?\d+)?|\.\d+(?:[eE][+-]?\d+)?|\*\*|[-+*/%^(),]|\p{L}[\p{L}\p{N}_]*)/uy;
  while (each.lastIndex < expression.length) {
    const at = each.lastIndex;
    const found = each.exec(expression);
    if (found === null) {
      const letter = String.fromCodePoint(expression.codePointAt(at) ?? 0);
      throw toolFailed("calculator", `expected numbers, names and operators, got "${letter}" at position ${at + 1}`);
    }
    if (found[1] !== undefined) tokens.push({ text: /^\d/.test(found[1]) ? found[1].replaceAll("_", "") : found[1], at });
  }
  return tokens;
}

/** Half away from zero, as people round: 2.675 as it is written, not as it is stored. */
function rounded(value: number, digits: number): number {
  if (!Number.isInteger(digits) || digits < -15 || digits > 15)
    throw toolFailed("calculator", `expected whole digits from -15 to 15 for round, got ${digits}`);
  const [mantissa, exponent = "0"] = String(Math.abs(value)).split("e");
  const shifted = Number(`${mantissa}e${Number(exponent) + digits}`);
  const [whole, power = "0"] = String(Math.round(shifted)).split("e");
  return Math.sign(value) * Number(`${whole}e${Number(power) - digits}`);
}

function factorial(value: number): number {
  if (!Number.isInteger(value) || value < 0 || value > 170)
    throw toolFailed("calculator", `expected a whole number from 0 to 170 for factorial, got ${value}`);
  let product = 1;
  for (let factor = 2; factor <= value; factor += 1) product *= factor;
  return product;
}
