/** What Jinja's grammar has and the library's parser lacks, said in words that it has. Works on its tokens: a template never sees the names with `$`. */

export interface Token {
  readonly type: string;
  readonly value: string;
}

const token = (type: string, value: string): Token => ({ type, value });
const name = (value: string): Token => token("Identifier", value);
const [open, close] = [token("OpenParen", "("), token("CloseParen", ")")];
const closers: Readonly<Record<string, string>> = {
  OpenParen: "CloseParen",
  OpenSquareBracket: "CloseSquareBracket",
  OpenCurlyBracket: "CloseCurlyBracket",
};

/** `{% raw %}…{% endraw %}` as the text it stands for. Its marks take the space and the line break beside them, as those of other blocks. */
export function withoutRaw(source: string): string {
  const block = /(^[ \t]*)?\{%(-?)\s*raw\s*(-?)%\}\n?(.*?)(^[ \t]*)?\{%(-?)\s*endraw\s*(-?)%\}\n?/gms;
  return source.replace(block, (_, _indent, before: string, inStart: string, body: string, _space, inEnd: string, after: string) => {
    const start = inStart === "-" ? body.trimStart() : body;
    return `{{${before} ${JSON.stringify(inEnd === "-" ? start.trimEnd() : start)} ${after}}}`;
  });
}

export function rewritten(tokens: readonly Token[]): readonly Token[] {
  return chained(tested(scoped(tupled(numbered(tokens)))));
}

/** `1e3`, `1.5e-3` and `1_000` as one token each. */
function numbered(tokens: readonly Token[]): readonly Token[] {
  const made: Token[] = [];
  for (let at = 0; at < tokens.length; at += 1) {
    const [each, next, sign, digits] = tokens.slice(at, at + 4) as [Token, Token?, Token?, Token?];
    const isBare =
      next?.type === "Identifier" &&
      /^e$/i.test(next.value) &&
      sign?.type === "AdditiveBinaryOperator" &&
      digits?.type === "NumericLiteral";
    const tail = isBare
      ? `e${sign?.value}${digits?.value}`
      : next?.type === "Identifier" && /^(e\d+|(_\d+)+(e\d+)?)$/i.test(next.value)
        ? next.value
        : "";
    if (each.type !== "NumericLiteral" || tail === "") {
      made.push(each);
      continue;
    }
    const [whole = "", power] = `${each.value}${tail}`.replaceAll("_", "").split(/e/i);
    made.push(token("NumericLiteral", power === undefined ? whole : `${whole.includes(".") ? whole : `${whole}.0`}e${power}`));
    at += isBare ? 3 : 1;
  }
  return made;
}

const beforeGroup = /^(and|or|not|in|is|if|elif|else|set|for)$/;

/** Whether a value ends here, so that a bracket behind it is a call. */
function isValue(before: Token | undefined): boolean {
  if (before === undefined) return false;
  if (before.type === "Identifier") return !beforeGroup.test(before.value);
  return /^(CloseParen|CloseSquareBracket|CloseCurlyBracket|StringLiteral)$/.test(before.type);
}

/** `()` and `(x,)` as calls of a function. */
function tupled(tokens: readonly Token[]): readonly Token[] {
  const made: Token[] = [];
  for (let at = 0; at < tokens.length; ) {
    const end = unitEnd(tokens, at);
    const each = tokens[at] as Token;
    if (end === at + 1) made.push(each);
    else {
      const inside = tokens.slice(at + 1, end - 1);
      const isGroup = each.type === "OpenParen" && !isValue(tokens[at - 1]);
      const isTuple = isGroup && (inside.length === 0 || inside.at(-1)?.type === "Comma");
      made.push(
        ...(isTuple ? [name(tupleName)] : []),
        each,
        ...tupled(isTuple ? inside.slice(0, -1) : inside),
        ...tokens.slice(end - 1, end),
      );
    }
    at = end;
  }
  return made;
}

export const tupleName = "$tuple";

/** `{% with a = 1, b = 2 %}` as a loop of one turn, which has a scope of its own. */
function scoped(tokens: readonly Token[]): readonly Token[] {
  const made: Token[] = [];
  for (let at = 0; at < tokens.length; at += 1) {
    const word = tokens[at]?.type === "OpenStatement" && tokens[at + 1]?.type === "Identifier" ? tokens[at + 1]?.value : undefined;
    if (word === "endwith") {
      made.push(token("OpenStatement", "{%"), name("endfor"));
      at += 1;
    } else if (word === "with") {
      const end = tokens.findIndex((each, i) => i > at && each.type === "CloseStatement");
      const body = tokens.slice(at + 2, end);
      made.push(
        token("OpenStatement", "{%"),
        name("for"),
        name(scopeName),
        name("in"),
        token("OpenSquareBracket", "["),
        token("NumericLiteral", "0"),
        token("CloseSquareBracket", "]"),
        token("CloseStatement", "%}"),
      );
      for (const part of parts(body))
        if (part.length > 0) made.push(token("OpenStatement", "{%"), name("set"), ...part, token("CloseStatement", "%}"));
      at = end;
    } else made.push(tokens[at] as Token);
  }
  return made;
}

/** Name of the variable of a loop that is only a scope. */
export const scopeName = "$with";

/** Split at the commas that are in no bracket. */
function parts(tokens: readonly Token[]): readonly (readonly Token[])[] {
  const found: Token[][] = [[]];
  for (let at = 0; at < tokens.length; ) {
    const end = unitEnd(tokens, at);
    if (tokens[at]?.type === "Comma") found.push([]);
    else found.at(-1)?.push(...tokens.slice(at, end));
    at = end;
  }
  return found;
}

/** @returns the position behind a token, or behind the bracket that it opens */
function unitEnd(tokens: readonly Token[], at: number): number {
  const closer = closers[tokens[at]?.type ?? ""];
  if (closer === undefined) return at + 1;
  let next = at + 1;
  while (next < tokens.length && tokens[next]?.type !== closer) next = unitEnd(tokens, next);
  return next + 1;
}

const afterTest = /^(and|or|else|if|is|in|not)$/;

/** `x is NAME(…)` and `x is NAME y` as filters: the parser knows no arguments of tests. */
function tested(tokens: readonly Token[]): readonly Token[] {
  const made: Token[] = [];
  for (let at = 0; at < tokens.length; ) {
    const isWord = tokens[at]?.type === "Identifier" && tokens[at]?.value === "is" && tokens[at - 1]?.type !== "Dot";
    const isNot = isWord && tokens[at + 1]?.type === "Identifier" && tokens[at + 1]?.value === "not";
    const nameAt = at + (isNot ? 2 : 1);
    const argumentAt = nameAt + 1;
    const argument = tokens[argumentAt];
    const begins =
      argument !== undefined &&
      (/^(NumericLiteral|StringLiteral|Open(Paren|SquareBracket|CurlyBracket))$/.test(argument.type) ||
        (argument.type === "Identifier" && !afterTest.test(argument.value)));
    if (!isWord || tokens[nameAt]?.type !== "Identifier" || !begins) {
      made.push(tokens[at] as Token);
      at += 1;
      continue;
    }
    const filter = name(`${isNot ? notPrefix : isPrefix}${tokens[nameAt]?.value}`);
    let end = unitEnd(tokens, argumentAt);
    if (argument.type !== "OpenParen") {
      while (tokens[end]?.type === "Dot" || tokens[end]?.type === "OpenParen" || tokens[end]?.type === "OpenSquareBracket")
        end = tokens[end]?.type === "Dot" ? end + 2 : unitEnd(tokens, end);
    }
    const inside = argument.type === "OpenParen" ? tokens.slice(argumentAt + 1, end - 1) : tokens.slice(argumentAt, end);
    made.push(token("Pipe", "|"), filter, open, ...tested(inside), close);
    at = end;
  }
  return made;
}

/** Filters that stand for a test with arguments, and for its negation. */
export const isPrefix = "$is ";
export const notPrefix = "$is not ";

const parting = /^(and|or|if|elif|else|set|for)$/;

/** `a < b < c` as `(a < b and b < c)`: the parser reads `(a < b) < c`. */
function chained(tokens: readonly Token[]): readonly Token[] {
  const made: Token[] = [];
  let operands: Token[][] = [[]];
  let signs: Token[][] = [];
  const flush = (): void => {
    if (signs.length < 2) made.push(...operands.flatMap((operand, i) => [...operand, ...(signs[i] ?? [])]));
    else {
      const links = signs.flatMap((sign, i) => [
        ...(i === 0 ? [] : [name("and")]),
        ...(operands[i] ?? []),
        ...sign,
        ...(operands[i + 1] ?? []),
      ]);
      made.push(open, ...links, close);
    }
    [operands, signs] = [[[]], []];
  };
  for (let at = 0; at < tokens.length; ) {
    const each = tokens[at] as Token;
    const isName = each.type === "Identifier" && tokens[at - 1]?.type !== "Dot";
    const isNotIn = isName && each.value === "not" && tokens[at + 1]?.value === "in";
    if (each.type === "ComparisonBinaryOperator" || (isName && each.value === "in") || isNotIn) {
      signs.push(isNotIn ? [each, tokens[at + 1] as Token] : [each]);
      operands.push([]);
      at += isNotIn ? 2 : 1;
      continue;
    }
    const end = unitEnd(tokens, at);
    const isPart =
      /^(Text|Comment|(Open|Close)(Statement|Expression)|Comma|Colon|Equals)$/.test(each.type) ||
      (isName && (parting.test(each.value) || each.value === "not"));
    if (isPart) {
      flush();
      made.push(each);
    } else if (end > at + 1) {
      operands.at(-1)?.push(each, ...chained(tokens.slice(at + 1, end - 1)), ...tokens.slice(end - 1, end));
    } else operands.at(-1)?.push(each);
    at = end;
  }
  flush();
  return made;
}
