/** `file-operations`: files in the folders that `runtime.security` allows, by `tools.file_operations`. */
import { toBase64 } from "../base64.ts";
import type { ToolsConfig } from "../config/config.generated.ts";
import { SpellError, throwIfAborted } from "../errors.ts";
import type { FileFacts, ToolFiles } from "../platform.ts";
import { bytesOfBase64, toText } from "./bytes.ts";
import { toolFailed, toolLimit } from "./failure.ts";
import { any, flag, object, oneOf, text } from "./schema.ts";
import type { ToolDefinition } from "./types.ts";

interface Input {
  readonly operation: keyof typeof operations;
  readonly path: string;
  readonly to?: string;
  readonly content?: string;
  readonly is_base64?: boolean;
  readonly pattern?: string;
  readonly contains?: string;
}

interface Work {
  readonly files: ToolFiles;
  readonly rules: ToolsConfig["file_operations"];
  readonly signal: AbortSignal;
}

/** Paths of one search, and files it looks into. */
const mostFound = 1000;

export const fileOperations: ToolDefinition = {
  name: "file-operations",
  description: "Reads, writes, lists, searches, copies, moves and removes files in the folders that the configuration allows.",
  category: "files",
  version: "1.0.0",
  tags: ["read", "write", "search"],
  parameters: object(
    {
      operation: oneOf("what to do", [
        "read",
        "write",
        "append",
        "exists",
        "info",
        "list",
        "search",
        "make_folder",
        "copy",
        "move",
        "remove",
      ]),
      path: { ...text("file or folder; relative to the folder of the script, which is ."), minLength: 1 },
      to: { ...text("copy, move: the new path, where nothing is yet"), minLength: 1 },
      content: text("write, append: text in UTF-8"),
      is_base64: flag("read, write, append: the content is base64 of bytes [false]"),
      pattern: text("search: names, with * and ? [*]"),
      contains: text("search: only text files in which this stands, as it is"),
    },
    ["operation", "path"],
  ),
  output: object(
    {
      result: any("read: text; exists: true or false; info: facts; list, search: list of facts with path; others: true"),
      bytes: { type: "integer", description: "read, write, append, copy: how many", minimum: 0 },
      is_cut: flag("search: there are more"),
    },
    ["result"],
  ),
  async run(input: Input, { files, settings, signal }) {
    const rules = settings.file_operations;
    for (const path of [input.path, input.to]) if (path !== undefined) checkEnding(path, rules.blocked_extensions);
    try {
      return await operations[input.operation](input, { files: await files(), rules, signal });
    } catch (error) {
      // files are those of scripts too, and speak as theirs
      if (error instanceof SpellError && error.code === "script-error") throw toolFailed("file-operations", error.message, error);
      if (error instanceof SpellError && error.code === "script-denied")
        throw error.with({ hint: "Tools may do this only where the configuration allows it." });
      throw error;
    }
  },
};

const operations = {
  async read({ path, is_base64 = false }: Input, { files, rules }: Work) {
    const bytes = await files.read(path, rules.max_file_size);
    const result = is_base64 ? toBase64(bytes) : toText(bytes);
    if (result === undefined)
      throw toolFailed("file-operations", `${path}: expected text in UTF-8, got other bytes; is_base64 = true reads them`);
    return { result, bytes: bytes.length };
  },
  write: (input: Input, work: Work) => put(input, work, false),
  append: (input: Input, work: Work) => put(input, work, true),
  exists: async ({ path }: Input, { files }: Work) => ({ result: (await files.look(path)) !== undefined }),
  info: async ({ path }: Input, { files }: Work) => ({ result: shown(await there(path, files), path) }),
  list: async ({ path }: Input, { files }: Work) => ({
    result: (await files.list(path)).map((facts) => shown(facts, joined(path, facts.name))),
  }),
  async search({ path, pattern = "*", contains }: Input, { files, rules, signal }: Work) {
    const fits = glob(pattern);
    const result: object[] = [];
    const look = async (folder: string, depth: number): Promise<boolean> => {
      for (const facts of await files.list(folder)) {
        throwIfAborted(signal);
        const at = joined(folder, facts.name);
        if (fits(facts.name) && (contains === undefined || (await holds(at, facts, contains, files, rules)))) {
          if (result.length >= mostFound) return false;
          result.push(shown(facts, at));
        }
        if (facts.kind === "folder" && depth < rules.max_depth && !(await look(at, depth + 1))) return false;
      }
      return true;
    };
    const isWhole = await look(path, 1);
    return { result, ...(!isWhole && { is_cut: true }) };
  },
  async make_folder({ path }: Input, { files }: Work) {
    await files.makeFolder(path);
    return { result: true };
  },
  async copy({ path, to }: Input, { files, rules }: Work) {
    const target = await free(to, files);
    const bytes = await files.read(path, rules.max_file_size);
    await files.write(target, bytes, false);
    return { result: true, bytes: bytes.length };
  },
  async move({ path, to }: Input, { files }: Work) {
    await files.move(path, await free(to, files));
    return { result: true };
  },
  async remove({ path }: Input, { files }: Work) {
    await files.remove(path);
    return { result: true };
  },
} as const;

async function put({ path, content, is_base64 = false }: Input, { files, rules }: Work, append: boolean) {
  if (content === undefined) throw toolFailed("file-operations", "write and append take content; got none");
  const bytes = is_base64 ? bytesOfBase64("file-operations", content) : new TextEncoder().encode(content);
  const size = bytes.length + (append ? ((await files.look(path))?.size ?? 0) : 0);
  if (size > rules.max_file_size)
    throw toolLimit(
      "file-operations",
      `expected a file of at most ${rules.max_file_size} bytes (tools.file_operations.max_file_size), got ${size}`,
    );
  await files.write(path, bytes, append);
  return { result: true, bytes: bytes.length };
}

async function there(path: string, files: ToolFiles): Promise<FileFacts> {
  const facts = await files.look(path);
  if (facts === undefined) throw toolFailed("file-operations", `expected a file or folder, got none at ${path}`);
  return facts;
}

async function free(path: string | undefined, files: ToolFiles): Promise<string> {
  if (path === undefined) throw toolFailed("file-operations", "copy and move take to, the new path; got none");
  if ((await files.look(path)) !== undefined) throw toolFailed("file-operations", `expected nothing at ${path}, got a file or folder`);
  return path;
}

async function holds(path: string, { kind, size }: FileFacts, said: string, files: ToolFiles, rules: Work["rules"]): Promise<boolean> {
  if (kind !== "file" || size > rules.max_file_size || isBlocked(path, rules.blocked_extensions)) return false;
  return toText(await files.read(path, rules.max_file_size))?.includes(said) === true;
}

function shown({ name, kind, size, modifiedMs }: FileFacts, path: string) {
  return { path, name, kind, size, modified_at: new Date(modifiedMs).toISOString() };
}

function joined(folder: string, name: string): string {
  return folder === "" || folder === "." ? name : `${folder.replace(/\/+$/, "")}/${name}`;
}

/** Letter by letter, back to the last star alone: no pattern takes more than both lengths multiplied. */
function glob(pattern: string): (name: string) => boolean {
  return (name) => {
    let [p, n, star, from] = [0, 0, -1, 0];
    while (n < name.length) {
      if (pattern[p] === "*") [star, from, p] = [p, n, p + 1];
      else if (p < pattern.length && (pattern[p] === "?" || pattern[p] === name[n])) [p, n] = [p + 1, n + 1];
      else if (star >= 0) [p, from, n] = [star + 1, from + 1, from + 1];
      else return false;
    }
    while (pattern[p] === "*") p += 1;
    return p === pattern.length;
  };
}

function isBlocked(path: string, endings: readonly string[]): boolean {
  // Windows leaves out dots and spaces at the end, and what follows a colon
  const ending = /\.([^./\\]+)$/.exec(path.replace(/:.*$/s, (rest) => (/^:[\\/]/.test(rest) ? rest : "")).replace(/[. ]+$/, ""))?.[1];
  return ending !== undefined && endings.some((each) => each.replace(/^\./, "").toLowerCase() === ending.toLowerCase());
}

/** @throws SpellError tool-denied */
function checkEnding(path: string, endings: readonly string[]): void {
  if (!isBlocked(path, endings)) return;
  throw new SpellError("tool-denied", `file-operations: ${path.slice(0, 200)}: tools.file_operations.blocked_extensions has its ending`, {
    where: "tools.file_operations.blocked_extensions",
    actions: [{ kind: "show-config", section: "tools" }],
  });
}
