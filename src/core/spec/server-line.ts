/** Lines of `tools.mcp.servers`: `NAME = command line` or `NAME = address`. Reads them; starts and asks nothing. */

/** A server of the Model Context Protocol that the configuration allows. */
export interface ServerLine {
  /** its tools are `NAME_tool` */
  readonly name: string;
  /** a program and its arguments; undefined for an address */
  readonly command?: readonly string[] | undefined;
  readonly url?: URL | undefined;
  /** Names of variables: a program is given them, an address gets the value of its only one as a bearer token. */
  readonly variables: readonly string[];
}

/** @returns a text: what is wrong, with the number of the line where there are several */
export function parseServerLines(lines: readonly string[]): readonly ServerLine[] | string {
  const servers: ServerLine[] = [];
  for (const [i, text] of lines.entries()) {
    const line = parseLine(text);
    if (typeof line === "string") return lines.length === 1 ? line : `line ${i + 1}: ${line}`;
    if (servers.some(({ name }) => name === line.name)) return `expected a name of its own for each server, got ${line.name} twice`;
    servers.push(line);
  }
  return servers;
}

function parseLine(line: string): ServerLine | string {
  const [, name, rest = ""] = /^\s*([a-z][a-z0-9-]{0,31})\s*=\s*(.*?)\s*$/s.exec(line) ?? [];
  const got = JSON.stringify(line.slice(0, 80));
  if (name === undefined) return `expected NAME = command or address, with a name of at most 32 small letters, digits and -; got ${got}`;
  const words = splitWords(rest);
  const variables = words.filter(isVariable).map((word) => word.slice(1));
  const [first, ...others] = words.filter((word) => !isVariable(word));
  if (first === undefined) return `expected a command or an address after ${name} =, got none`;
  if (!/^https?:\/\//i.test(first)) return { name, command: [first, ...others], variables };
  if (!URL.canParse(first) || others.length > 0 || variables.length > 1)
    return `expected one address after ${name} =, and at most one $VARIABLE with its token; got ${got}`;
  const url = new URL(first);
  if (url.username !== "" || url.password !== "") return `expected an address without user and password after ${name} =`;
  return { name, url, variables };
}

const isVariable = (word: string): boolean => /^\$[A-Za-z_][A-Za-z0-9_]*$/.test(word);

/** Words of a command line: at spaces, without a shell. What stands in "" or '' is one word, as it is written. */
export function splitWords(line: string): readonly string[] {
  const words = line.match(/(?:"[^"]*"|'[^']*'|[^\s"'])+/g) ?? [];
  return words.map((word) => word.replace(/"([^"]*)"|'([^']*)'/g, (_, double?: string, single?: string) => double ?? single ?? ""));
}

/** A command line that splitWords() reads again. */
export function joinWords(words: readonly string[]): string {
  return words.map((word) => (/^[^\s"']+$/.test(word) ? word : word.includes('"') ? `'${word}'` : `"${word}"`)).join(" ");
}
