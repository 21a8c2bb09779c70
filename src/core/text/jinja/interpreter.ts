/**
 * @huggingface/jinja with the meaning that Python gives: its lexer, parser and statements, and our expressions. Everything passes evaluate(), which
 * the library leaves open to a subclass; chat templates are written for, and tested with, the Jinja of Python.
 */
import { Interpreter, parse, Template, tokenize } from "@huggingface/jinja";
import { filter } from "./filters.ts";
import { attribute, item, slice } from "./methods.ts";
import { operate } from "./operators.ts";
import { isPrefix, notPrefix, rewritten, scopeName, type Token, tupleName, withoutRaw } from "./source.ts";
import { test } from "./tests.ts";
import {
  bool,
  countOf,
  dict,
  float,
  func,
  int,
  isDict,
  isFunc,
  isMissing,
  isStr,
  isTrue,
  iterate,
  kindOf,
  list,
  missing,
  newScope,
  numberOf,
  printedAs,
  repr,
  type Scope,
  splitArguments,
  str,
  text,
  tuple,
  type Value,
} from "./values.ts";

/** What is read of the parser's nodes. */
interface Node {
  readonly type: string;
  readonly value?: unknown;
  readonly body?: readonly Node[];
  readonly [member: string]: unknown;
}

/** Members of the library's interpreter; the published types do not resolve here. */
interface Base {
  evaluate(node: Node | undefined, scope: Scope): Value;
  evaluateArguments(args: readonly Node[], scope: Scope): [Value[], Map<string, Value>];
}
const LibraryInterpreter = Interpreter as unknown as new (scope: Scope) => Base;

/** Thrown by `break` and `continue`; the library keeps their classes to itself. */
function thrownBy(type: string): new () => Error {
  try {
    new LibraryInterpreter(newScope()).evaluate({ type }, newScope());
  } catch (error) {
    return (error as object).constructor as new () => Error;
  }
  throw new Error(`${type} does nothing`);
}
const [Break, Continue] = [thrownBy("Break"), thrownBy("Continue")];

/** What the bodies that a break or continue leaves had written. */
const leftBehind = new WeakMap<Error, string>();

/** Nodes that are written by themselves; all others are expressions, whose value is printed. */
const silent: ReadonlySet<string> = new Set(["Set", "Macro", "Comment"]);
const statements: ReadonlySet<string> = new Set([
  ...silent,
  "Program",
  "If",
  "For",
  "CallStatement",
  "FilterStatement",
  "Break",
  "Continue",
]);

/** Most turns of a range(), as in the sandbox that transformers uses. */
const longestRange = 100_000;

class PythonInterpreter extends LibraryInterpreter {
  /** the innermost expression that failed */
  failed: Node | undefined;

  override evaluate(node: Node | undefined, scope: Scope): Value {
    if (node === undefined) return missing;
    if (statements.has(node.type)) return this.#statement(node, scope);
    try {
      return this.#expression(node, scope);
    } catch (error) {
      this.failed ??= node;
      throw error;
    }
  }

  #statement(node: Node, scope: Scope): Value {
    switch (node.type) {
      case "For":
        return this.#loop(node, scope);
      case "Macro":
        return this.#macro(node, scope);
      case "Set":
        return this.#set(node, scope);
      default:
        return super.evaluate(node, scope);
    }
  }

  #expression(node: Node, scope: Scope): Value {
    const part = (name: string): Value => this.evaluate(node[name] as Node, scope);
    switch (node.type) {
      case "BinaryExpression": {
        const operator = (node["operator"] as Token).value;
        const left = part("left");
        if (operator === "and") return isTrue(left) ? part("right") : left;
        if (operator === "or") return isTrue(left) ? left : part("right");
        return operate(operator, left, part("right"));
      }
      case "UnaryExpression": {
        const operator = (node["operator"] as Token).value;
        const value = part("argument");
        if (operator === "not") return bool(!isTrue(value));
        const number = numberOf(value);
        if (number === undefined) throw new TypeError(`bad operand type for unary ${operator}: '${kindOf(value)}'`);
        const signed = operator === "-" ? -number : number;
        return value.type === "FloatValue" ? float(signed) : int(signed);
      }
      case "IntegerLiteral":
        return int(node.value as number);
      case "TupleLiteral":
        return tuple((node.value as readonly Node[]).map((each) => this.evaluate(each, scope)));
      case "ObjectLiteral":
        return dict([...(node.value as Map<Node, Node>)].map(([key, each]) => [this.#key(key, scope), this.evaluate(each, scope)]));
      case "MemberExpression":
        return this.#member(node, part("object"), scope);
      case "TestExpression": {
        const value = part("operand");
        return bool(test((node["test"] as { readonly value: string }).value, value, []) !== node["negate"]);
      }
      case "Identifier": {
        const value = super.evaluate(node, scope);
        return node.value === "varargs" && value.type === "ArrayValue" ? tuple(iterate(value)) : value;
      }
      default:
        return super.evaluate(node, scope);
    }
  }

  #key(node: Node, scope: Scope): string {
    const key = this.evaluate(node, scope);
    if (isStr(key)) return key.value;
    throw new TypeError(`a ${kindOf(key)} as a key of a dict is not supported`);
  }

  #member(node: Node, object: Value, scope: Scope): Value {
    const property = node["property"] as Node;
    if (node["computed"] !== true)
      return property.type === "IntegerLiteral" ? item(object, int(property.value as number)) : attribute(object, property.value as string);
    if (property.type !== "SliceExpression") return item(object, this.evaluate(property, scope));
    const bounds = ["start", "stop", "step"].map((name) => this.evaluate(property[name] as Node | undefined, scope));
    return slice(object, bounds);
  }

  /** Called by the library for `{{ x | f }}` and `{% filter f %}`. */
  applyFilter(operand: Value, node: Node, scope: Scope): Value {
    const isCall = node.type === "CallExpression";
    const name = String((isCall ? (node["callee"] as Node) : node).value);
    const [args, named] = isCall ? this.evaluateArguments(node["args"] as readonly Node[], scope) : [[], new Map<string, Value>()];
    for (const [prefix, wanted] of [
      [notPrefix, false],
      [isPrefix, true],
    ] as const)
      if (name.startsWith(prefix)) return bool(test(name.slice(prefix.length), operand, args) === wanted);
    return filter(name, operand, { args, named });
  }

  /** Called by the library for every body. */
  evaluateBlock(nodes: readonly Node[], scope: Scope): Value {
    let written = "";
    for (const node of nodes) {
      try {
        const value = this.evaluate(node, scope);
        if (!silent.has(node.type)) written += text(value);
      } catch (error) {
        // what was written before a break or continue stays
        if (error instanceof Break || error instanceof Continue) leftBehind.set(error, written + (leftBehind.get(error) ?? ""));
        else if (!statements.has(node.type)) this.failed ??= node;
        throw error;
      }
    }
    return str(written);
  }

  #set(node: Node, scope: Scope): Value {
    const target = node["assignee"] as Node;
    if (target.type !== "TupleLiteral" || node.value === null) return super.evaluate(node, scope);
    this.#assign(target, this.evaluate(node.value as Node, scope), scope);
    return missing;
  }

  /** To a name, or to several by taking the value apart. */
  #assign(target: Node, value: Value, scope: Scope): void {
    if (target.type === "Identifier") {
      scope.setVariable(target.value as string, value);
      return;
    }
    if (target.type !== "TupleLiteral") throw new TypeError("only names can be assigned to");
    const names = target.value as readonly Node[];
    const values = iterate(value);
    if (names.length !== values.length) throw new TypeError(`expected ${names.length} values to unpack, got ${values.length}`);
    for (const [i, each] of names.entries()) this.#assign(each, values[i] ?? missing, scope);
  }

  /** A macro sees the names around its own place, not around that of its call. */
  #macro(node: Node, scope: Scope): Value {
    super.evaluate(node, scope);
    const name = (node["name"] as { readonly value: string }).value;
    const macro = scope.lookupVariable(name);
    if (!isFunc(macro)) return missing;
    const call = func((args, from) => {
      const own = newScope(scope);
      const caller = from.lookupVariable("caller");
      if (!isMissing(caller)) own.setVariable("caller", caller);
      return macro.value(args, own);
    });
    scope.setVariable(name, call);
    return missing;
  }

  /** Each turn has a scope of its own, and its condition is looked at when its turn has come. */
  #loop(node: Node, outer: Scope): Value {
    const target = node["loopvar"] as Node;
    const body = node.body ?? [];
    if (target.value === scopeName) return this.evaluateBlock(body, newScope(outer));
    const iterable = node["iterable"] as Node;
    const isFiltered = iterable.type === "SelectExpression";
    const values = iterate(this.evaluate((isFiltered ? iterable["lhs"] : iterable) as Node, outer));
    const condition = isFiltered ? (iterable["test"] as Node) : undefined;
    const passes = (value: Value): boolean => {
      if (condition === undefined) return true;
      const own = newScope(outer);
      this.#assign(target, value, own);
      return isTrue(this.evaluate(condition, own));
    };
    const state: LoopState = { values, passes, next: 0, taken: [], changed: undefined };
    let written = "";
    let isEmpty = true; // no turn came to its end, as the Jinja of Python has it
    for (let index = 0; ; index += 1) {
      const value = takeTurn(state, index);
      if (value === undefined) break;
      const scope = newScope(outer);
      scope.setVariable("loop", loopValue(state, index));
      this.#assign(target, value, scope);
      try {
        written += text(this.evaluateBlock(body, scope));
        isEmpty = false;
      } catch (error) {
        if (!(error instanceof Continue || error instanceof Break)) throw error;
        written += leftBehind.get(error) ?? "";
        if (error instanceof Break) break;
      }
    }
    return str(isEmpty ? written + text(this.evaluateBlock(node["defaultBlock"] as readonly Node[], newScope(outer))) : written);
  }
}

/** Turns of a loop that were taken, and those ahead, whose condition was not looked at yet. */
interface LoopState {
  readonly values: readonly Value[];
  readonly passes: (value: Value) => boolean;
  next: number;
  readonly taken: Value[];
  changed: readonly Value[] | undefined;
}

/** Looks ahead as far as the turn at this index. @returns undefined where there is none */
function takeTurn(state: LoopState, index: number): Value | undefined {
  while (state.taken.length <= index && state.next < state.values.length) {
    const value = state.values[state.next] ?? missing;
    state.next += 1;
    if (state.passes(value)) state.taken.push(value);
  }
  return state.taken[index];
}

/** Members that look ahead do so when they are read: conditions may depend on the turns between. */
function loopValue(state: LoopState, index: number): Value {
  const length = (): number => {
    while (state.next < state.values.length) takeTurn(state, state.taken.length);
    return state.taken.length;
  };
  const members: Readonly<Record<string, () => Value>> = {
    index: () => int(index + 1),
    index0: () => int(index),
    first: () => bool(index === 0),
    last: () => bool(takeTurn(state, index + 1) === undefined),
    length: () => int(length()),
    revindex: () => int(length() - index),
    revindex0: () => int(length() - index - 1),
    previtem: () => state.taken[index - 1] ?? missing,
    nextitem: () => takeTurn(state, index + 1) ?? missing,
    depth: () => int(1),
    depth0: () => int(0),
    cycle: () => func((args) => args[index % args.length] ?? missing),
    changed: () =>
      func((args) => {
        const isSame = state.changed !== undefined && operate("==", list(state.changed), list(args)).value === true;
        state.changed = args;
        return bool(!isSame);
      }),
  };
  return withMembers(new LazyMembers(members));
}

class LazyMembers extends Map<string, Value> {
  readonly #members: Readonly<Record<string, () => Value>>;
  constructor(members: Readonly<Record<string, () => Value>>) {
    super();
    this.#members = members;
  }
  override get(name: string): Value | undefined {
    return Object.hasOwn(this.#members, name) ? this.#members[name]?.() : undefined;
  }
}

function withMembers(members: Map<string, Value>): Value {
  return { type: "NamespaceValue", value: members, __bool__: () => bool(true) };
}

/** Names that every template has, beside `namespace`, which the library brings. */
function globals(scope: Scope): void {
  for (const [name, value] of Object.entries({ true: true, True: true, false: false, False: false, none: null, None: null }))
    scope.set(name, value);
  scope.setVariable(tupleName, func(tuple));
  scope.setVariable(
    "range",
    func((args) => {
      const [a, b, c] = args.map((each) => countOf(each));
      const [from, to, by] = b === undefined ? [0, a ?? 0, 1] : [a ?? 0, b, c ?? 1];
      if (by === 0) throw new TypeError("range() arg 3 must not be zero");
      const length = Math.max(0, Math.ceil((to - from) / by));
      if (length > longestRange) throw new RangeError(`range() of ${length} numbers; at most ${longestRange} are made`);
      const numbers = list(Array.from({ length }, (_, i) => int(from + i * by)));
      return printedAs(numbers, `range(${[from, to, ...(by === 1 ? [] : [by])].join(", ")})`);
    }),
  );
  scope.setVariable(
    "dict",
    func((all) => {
      const { args, named } = splitArguments(all);
      const given = args[0] === undefined ? [] : isDict(args[0]) ? [...args[0].value] : iterate(args[0]).map(pairOf);
      return dict([...given, ...named]);
    }),
  );
  scope.setVariable(
    "cycler",
    func((args) => {
      let at = 0;
      const next = func(() => args[at++ % args.length] ?? missing);
      const reset = func(() => {
        at = 0;
        return missing;
      });
      return withMembers(new LazyMembers({ next: () => next, reset: () => reset, current: () => args[at % args.length] ?? missing }));
    }),
  );
  scope.setVariable(
    "joiner",
    func(([glue = str(", ")]) => {
      let isUsed = false;
      return func(() => {
        const shown = isUsed ? glue : str("");
        isUsed = true;
        return shown;
      });
    }),
  );
}

function pairOf(pair: Value): readonly [string, Value] {
  const [key, value, ...more] = iterate(pair);
  if (key === undefined || value === undefined || more.length > 0 || !isStr(key)) throw new TypeError(`${repr(pair)} is no pair of a dict`);
  return [key.value, value];
}

/** A template that failed: what failed, and the expression in which it did. */
export class TemplateFault extends Error {
  readonly expression: string | undefined;
  constructor(message: string, expression: string | undefined, cause: unknown) {
    super(message, { cause });
    this.expression = expression;
  }
}

/** What a template says of the messages, by raise_exception(). */
export class Raised extends Error {}

/**
 * @param values by name; null is None
 * @throws TemplateFault what cannot be read or computed; Raised by the template's own refusal; RangeError by what grows without end
 */
export function renderTemplate(source: string, values: Readonly<Record<string, unknown>>, now: (format: string) => string): string {
  const program = readTemplate(source);
  const scope = newScope();
  globals(scope);
  scope.setVariable(
    "raise_exception",
    func(([message = missing]) => {
      throw new Raised(text(message));
    }),
  );
  scope.setVariable(
    "strftime_now",
    func(([format = missing]) => str(now(text(format)))),
  );
  for (const [name, value] of Object.entries(values)) scope.set(name, value);
  const interpreter = new PythonInterpreter(scope);
  try {
    return text(interpreter.evaluate(program, scope));
  } catch (error) {
    if (error instanceof RangeError || error instanceof Raised) throw error;
    const shown = interpreter.failed && expressionText(interpreter.failed);
    const message = error instanceof Error ? error.message : String(error);
    throw new TemplateFault(
      message.startsWith("Cannot call something") ? "no function or method of this name is known" : message,
      shown,
      error,
    );
  }
}

/** Names that reach for a host object where an interpreter is careless; no published template uses them. */
const forbiddenName = /^(__\w+__|constructor|prototype|__proto__)$/;

function readTemplate(source: string): Node {
  let furthest = 0;
  let tokens: readonly Token[] = [];
  try {
    // Python reads any line end as one
    const plain: readonly Token[] = tokenize(withoutRaw(source.replace(/\r\n?/g, "\n")), { lstrip_blocks: true, trim_blocks: true });
    const bad = plain.find(({ type, value }) => type === "Identifier" && forbiddenName.test(value));
    if (bad !== undefined) throw new TypeError(`it uses the name ${bad.value}, which no template needs`);
    tokens = rewritten(plain);
    // The parser says what it wanted, and not where; how far it read does.
    const watched = new Proxy([...tokens], {
      get(target, key) {
        if (typeof key === "string" && /^\d+$/.test(key)) furthest = Math.max(furthest, Number(key));
        return Reflect.get(target, key) as unknown;
      },
    });
    return parse(watched) as unknown as Node;
  } catch (error) {
    if (error instanceof RangeError) throw error;
    const near = tokens
      .slice(Math.max(0, furthest - 6), furthest + 1)
      .map(({ type, value }) => (type === "StringLiteral" ? JSON.stringify(value) : value));
    throw new TemplateFault(parseFault(error, tokens, furthest), near.length === 0 ? undefined : near.join(" "), error);
  }
}

/** What the parser could not read, in the words of a template. */
function parseFault(error: unknown, tokens: readonly Token[], furthest: number): string {
  const message = error instanceof Error ? error.message : String(error);
  const [, statement] = /^Unknown statement type: (\w+)/.exec(message) ?? [];
  if (statement !== undefined) return `there is no statement '${statement}'`;
  const at = tokens[furthest];
  if (!/^Parser Error|^Unexpected token|^Unknown statement|reading 'type'/.test(message)) return message;
  if (at === undefined || /reading 'type'/.test(message)) return "it ends in the middle of a statement";
  if (at.value === "recursive") return "a loop that calls itself (recursive) is not supported";
  const around = tokens.slice(Math.max(0, furthest - 1), furthest + 2).map(({ value }) => value);
  return /\{% \+|\+ %\}/.test(around.join(" ")) ? "the + of {%+ and +%} is not supported" : `unexpected ${at.value}`;
}

/** An expression as a template has it. */
function expressionText(node: Node): string | undefined {
  try {
    const shown = Template.prototype.format.call({ parsed: { type: "Program", body: [node] } } as never, { indent: 0 }) as string;
    return shown.replaceAll(/\| \$is (not )?/g, "is $1").trim();
  } catch {
    return undefined;
  }
}
