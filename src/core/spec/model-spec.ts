/**
 * What a user types to name a model: one parser and one printer for command line, configuration, library and scripts.
 * It reads text; whether a backend is declared or a model exists is decided elsewhere (backends/).
 */
import { SpellError, type SpellErrorOptions } from "../errors.ts";
import { nearest } from "../nearest.ts";
import { decodeUri } from "../values.ts";
import type { Action } from "./action.ts";

export type ModelSpec = (NameSpec | HfSpec | OllamaSpec | UrlSpec | PathSpec) & {
  /** who is to run it, in lower case; `local` is read as `candle` */
  readonly backend?: string | undefined;
};

/** A short name: of the catalogue, given with --as, or of a server. A service elsewhere may call its models anything. */
export interface NameSpec {
  readonly kind: "name";
  readonly name: string;
  readonly variant?: string | undefined;
}

/** A repository of the Hugging Face Hub, or one file of it. */
export interface HfSpec {
  readonly kind: "hf";
  readonly owner: string;
  readonly repo: string;
  readonly variant?: string | undefined;
  readonly file?: string | undefined;
  /** branch, tag or commit; default `main` */
  readonly revision?: string | undefined;
}

/** A model of the Ollama registry, or of a server under its own name. */
export interface OllamaSpec {
  readonly kind: "registry";
  /** another registry, with its port; default registry.ollama.ai */
  readonly host?: string | undefined;
  /** default `library` */
  readonly namespace?: string | undefined;
  readonly name: string;
  readonly tag?: string | undefined;
}

export interface UrlSpec {
  readonly kind: "url";
  /** normalised, without a fragment */
  readonly url: string;
  /** 64 lower-case hex digits */
  readonly sha256?: string | undefined;
}

export interface PathSpec {
  readonly kind: "path";
  readonly path: string;
}

export interface ParseSpecOptions {
  /** Hosts, or `host:port`, that may be private or local; `any` where nothing is going to be asked. */
  readonly allowHosts?: readonly string[] | "any" | undefined;
  /** Words that may follow `@`, in lower case; `NAME/REST` is then read as `REST@NAME`. Without it no prefix is read. */
  readonly providers?: readonly string[] | undefined;
  /** Those words whose models are named by a server, in its own way: with an owner, a registry, in any case. Default: `ollama`. */
  readonly servers?: readonly string[] | undefined;
  /** Those words whose models are called as a service elsewhere likes: the rest of the text is the name, with whatever stands in it. */
  readonly services?: readonly string[] | undefined;
  /** The server that a name with an owner may be meant for, where nothing opens repositories. */
  readonly owners?: string | undefined;
}

/** The grammar in one line, for messages and help. */
export const specGrammar =
  "NAME[:VARIANT][@BACKEND], hf:OWNER/REPO[:QUANT|/FILE][#REVISION], ollama:[[HOST/]NAMESPACE/]NAME[:TAG], https://…[#sha256=…], or a path that begins with ./ ../ / or ~/";

const ident = /^[A-Za-z0-9][A-Za-z0-9._-]{0,79}$/;
const hubName = /^[A-Za-z0-9_][A-Za-z0-9._-]{0,95}$/;
const hubFile = /^[A-Za-z0-9_][A-Za-z0-9._ +=-]{0,199}$/;
/** Source: types/model/name.go of ollama; owners on other servers have dots too. */
const serverName = /^(?:(?:(\w[\w.:-]{0,349})\/)?(\w[\w.-]{0,79})\/)?(\w[\w.-]{0,79})(?::(\w[\w.-]{0,79}))?$/;
const registryHost = /^([A-Za-z0-9][A-Za-z0-9.-]*\.[A-Za-z0-9.-]*|localhost|[A-Za-z0-9.-]+(?=:))(:\d{1,5})?$/;
const ollamaHost = "registry.ollama.ai";
const usualServers: readonly string[] = ["ollama"];
const revisionForm = /^[A-Za-z0-9][A-Za-z0-9._-]{0,99}(\/[A-Za-z0-9][A-Za-z0-9._-]{0,99}){0,4}$/;
const pathStart = /^(\.{1,2}([/\\]|$)|[/~]|[A-Za-z]:[\\/]|\\\\)/;

/** @throws SpellError spec-syntax with the grammar and an example; spec-host; backend-unknown for an unknown prefix */
export function parseModelSpec(text: string, options: ParseSpecOptions = {}): ModelSpec {
  if (text.length === 0 || text.length > 512) throw syntax(text, `expected 1–512 characters; got ${text.length}`);
  if (/[\p{Cc}\p{Bidi_Control}\u200b\ufeff]/u.test(text)) throw syntax(text, "it holds control characters");
  if (pathStart.test(text)) return { kind: "path", ...pathBackend(text) };
  const elsewhere = parseElsewhere(text, options);
  if (elsewhere !== undefined) return elsewhere;
  const served = parseServed(text, options);
  if (served !== undefined) return served;
  const plain = parsePlain(text, options);
  if (plain !== undefined) return plain;
  if (/^[a-z][a-z0-9+.-]*:\/\//i.test(text)) return parseUrl(text, options);
  if (/^(file|data|ftp|blob|javascript):/i.test(text)) throw schemeError(text);
  return parseName(text, options);
}

/** `NAME@SERVICE`, `SERVICE/NAME`: the `@` wins, and the same word may stand in front too. @returns undefined for other forms */
function parseElsewhere(text: string, { services = [], providers = [] }: ParseSpecOptions): ModelSpec | undefined {
  if (/^(hf|ollama):|:\/\//i.test(text)) return undefined;
  const at = text.lastIndexOf("@");
  const slash = text.indexOf("/");
  const prefix = slash < 0 ? "" : text.slice(0, slash).toLowerCase();
  const word = text.slice(at + 1).toLowerCase();
  const isNamed = at > 0 && ["candle", "local", ...providers].includes(word);
  const backend = isNamed ? (services.includes(word) ? word : undefined) : services.includes(prefix) ? prefix : undefined;
  if (backend === undefined) return undefined;
  const name = text.slice(backend === prefix ? slash + 1 : 0, isNamed ? at : undefined);
  if (name === "") throw syntax(text, `expected the name of a model of ${backend}`);
  return { kind: "name", name, backend };
}

/** A name of a server that is named after `@`. @returns undefined for other forms */
function parseServed(text: string, { servers = usualServers, providers }: ParseSpecOptions): ModelSpec | undefined {
  const at = text.lastIndexOf("@");
  const backend = text.slice(at + 1).toLowerCase();
  const given = text.slice(0, Math.max(0, at));
  if (!servers.includes(backend) || /^hf:|:\/\//i.test(given)) return undefined;
  const named = given.replace(/^ollama:/i, "");
  const prefix = named.includes("/") ? backendWord(named.slice(0, named.indexOf("/"))) : "";
  if (named === given && providers !== undefined && ["candle", ...providers].includes(prefix)) return undefined;
  const [isName, host, namespace, name = "", tag] = serverName.exec(named) ?? [];
  if (isName === undefined) throw syntax(text, "expected [[HOST/]NAMESPACE/]NAME[:TAG] before @");
  if (namespace === undefined && named === given) return { kind: "name", name, variant: tag, backend };
  return { kind: "registry", ...registryOf(host, namespace), name, tag, backend };
}

/** The usual registry, and its usual namespace, need no name. */
function registryOf(host: string | undefined, namespace: string | undefined): Pick<OllamaSpec, "host" | "namespace"> {
  if (host?.toLowerCase() !== ollamaHost) return { host, namespace };
  return { namespace: namespace === "library" ? undefined : namespace };
}

/** Forms that begin with their source. @returns undefined for a plain name */
function parsePlain(text: string, options: ParseSpecOptions): ModelSpec | undefined {
  const hub = /^(?:hf:|hf\.co\/|huggingface\.co\/)(.*)$/is.exec(text)?.[1];
  if (hub !== undefined) return parseHub(text, hub, options);
  const ollama = /^(?:ollama:|registry\.ollama\.ai\/)(.*)$/is.exec(text)?.[1];
  return ollama === undefined ? undefined : parseOllama(text, ollama);
}

function parseName(text: string, options: ParseSpecOptions): ModelSpec {
  const { rest, backend } = splitBackend(text);
  if (options.providers !== undefined && rest.includes("/")) {
    const at = rest.indexOf("/");
    const prefix = backendWord(rest.slice(0, at));
    if (!["candle", ...options.providers].includes(prefix)) throw unknownPrefix(text, rest.slice(0, at), options);
    const runner = backend ?? prefix;
    const own = rest.slice(at + 1);
    const isServed = (options.servers ?? usualServers).includes(runner);
    const named = parseModelSpec(isServed ? `${own}@${runner}` : own, { ...options, providers: undefined });
    return { ...named, backend: backend ?? named.backend ?? prefix };
  }
  const [name = "", variant, more] = rest.split(":");
  if (!isSafe(name, ident)) {
    const meant = meantBy(text);
    if (meant === undefined) throw syntax(text, "expected NAME[:VARIANT][@BACKEND]");
    throw syntax(text, `did you mean ${meant.model}?`).with({ actions: [meant], details: { typed: text, meant: meant.model } });
  }
  if (variant !== undefined && !ident.test(variant)) throw syntax(text, "after the colon a variant follows, such as Q4_K_M");
  if (more !== undefined) throw syntax(text, "a second tag");
  return { kind: "name", name, variant, backend };
}

function parseHub(text: string, body: string, { providers = ["ollama"] }: ParseSpecOptions): ModelSpec {
  const { rest, backend } = splitBackend(body);
  if (backend !== undefined && !["candle", ...providers].includes(backend)) {
    throw syntax(text, `after @ a backend follows (candle, ollama); a revision follows #`);
  }
  const hash = rest.indexOf("#");
  const revision = hash < 0 ? undefined : rest.slice(hash + 1);
  const [owner = "", last = "", file, ...more] = (hash < 0 ? rest : rest.slice(0, hash)).split("/");
  const [repo = "", variant, second] = last.split(":");
  if (more.length > 0) throw syntax(text, "a file in a folder is not named so; give the quant, or the address of the file");
  if (!isSafe(owner, hubName) || !isSafe(repo, hubName)) throw syntax(text, "expected hf:OWNER/REPO");
  if (variant !== undefined && (!ident.test(variant) || second !== undefined))
    throw syntax(text, "after the colon a quant follows, such as Q4_K_M");
  if (file !== undefined && (variant !== undefined || !isSafe(file, hubFile))) throw syntax(text, "expected a quant or a file");
  if (revision !== undefined && (!revisionForm.test(revision) || revision.includes(".."))) throw syntax(text, "after # a revision follows");
  return {
    kind: "hf",
    owner,
    repo,
    variant,
    file,
    revision,
    backend,
  };
}

/** By the rules of every system, on every system: what is a device or a way upwards on one is refused on all. */
function isSafe(text: string, form: RegExp): boolean {
  return form.test(text) && !text.includes("..") && !text.endsWith(".") && !/^(con|prn|aux|nul|com\d|lpt\d)(\.|$)/i.test(text);
}

function parseOllama(text: string, body: string): ModelSpec {
  const { rest, backend } = splitBackend(body);
  const [, host, namespace, name = "", tag] = serverName.exec(rest) ?? [];
  const isNamed = [name, namespace ?? name].every((part) => isSafe(part, ident)) && (tag === undefined || ident.test(tag));
  if (!isNamed || (host !== undefined && !isSafe(host, registryHost))) throw syntax(text, "expected ollama:[[HOST/]NAMESPACE/]NAME[:TAG]");
  return { kind: "registry", ...registryOf(host ?? ollamaHost, namespace), name, tag, backend };
}

function parseUrl(text: string, options: ParseSpecOptions): ModelSpec {
  const local = /@(candle|local)$/i.exec(text);
  const address = local === null ? text : text.slice(0, local.index);
  const backend = local === null ? {} : { backend: "candle" };
  let url: URL;
  try {
    url = new URL(address);
  } catch {
    throw syntax(text, "the address cannot be read");
  }
  if (url.protocol !== "https:" && url.protocol !== "http:") throw schemeError(text);
  const hub = /^(www\.)?(hf\.co|huggingface\.co)$/.test(url.hostname) ? hubPage(url) : undefined;
  if (hub !== undefined) return { ...parseHub(text, hub, options), ...backend };
  checkHost(url, options.allowHosts ?? []);
  const [, sha256] = /^#sha256=([0-9a-f]{64})$/i.exec(url.hash) ?? [];
  if (url.hash !== "" && sha256 === undefined) throw syntax(text, "after # expected sha256= and 64 hex digits");
  url.hash = "";
  return { kind: "url", url: url.href, sha256: sha256?.toLowerCase(), ...backend };
}

/** A page of the hub as people copy it from their browser. @returns undefined for files inside folders, which stay addresses */
function hubPage(url: URL): string | undefined {
  const [owner = "", repo = "", form, revision, ...file] = decodeUri(url.pathname)
    .split("/")
    .filter((part) => part !== "");
  if (form === undefined) return `${owner}/${repo}`;
  const suffix = revision === undefined || revision === "main" ? "" : `#${revision}`;
  if (form === "tree" && file.length === 0) return `${owner}/${repo}${suffix}`;
  if ((form === "blob" || form === "resolve") && file.length === 1) return `${owner}/${repo}/${file[0]}${suffix}`;
  return undefined;
}

/**
 * @param allowed hosts that may be private or local: `host`, `host:port`, `*.domain` for all names below it, or an origin: `http://localhost:5173`
 * @throws SpellError spec-host
 */
export function checkHost(url: URL, allowed: readonly string[] | "any"): void {
  if (url.username !== "" || url.password !== "")
    throw hostError(url.host, "an address must not hold a user name or password", { hint: "Remove them from the address." });
  if (allowed === "any" || isAllowed(url, allowed)) return;
  const host = plainHost(url);
  if (url.port !== "" && Number(url.port) < 1024) throw hostError(url.host, `port ${url.port} is not one of a web server`);
  const problem = hostProblem(host);
  if (problem !== undefined) throw hostError(url.host, problem, { actions: [{ kind: "pull", model: url.href, allowHosts: [host] }] });
}

/** Hosts that a pull of a model has to be allowed: that of an address which is private or local. @param model any form of its name */
export function hostsToAllow(model: string): readonly string[] | undefined {
  if (!/^https?:/i.test(model)) return undefined;
  const host = plainHost(new URL(model));
  return hostProblem(host) === undefined ? undefined : [host];
}

/** @param allowed as checkHost() takes them */
export function isAllowed(url: URL, allowed: readonly string[]): boolean {
  const host = plainHost(url);
  const names = [url.origin, host, `${host}:${url.port}`];
  return allowed
    .map((each) => each.toLowerCase())
    .some((name) => names.includes(name) || (name.startsWith("*.") && host.endsWith(name.slice(1))));
}

/** Without the brackets of IPv6 and the dot of the root. */
function plainHost({ hostname }: URL): string {
  return hostname
    .replace(/^\[|\]$/g, "")
    .replace(/\.$/, "")
    .toLowerCase();
}

/** @param host name or address, as URL gives it. @returns whether it is this machine */
export function isLoopback(host: string): boolean {
  return /^((.+\.)?localhost|127(\.\d+){3}|\[::1\]|\[::ffff:7f[\da-f]{2}:[\da-f]{1,4}\])$/.test(host);
}

/** @param host name or address, as URL gives it. @returns why it is not asked, or undefined */
export function hostProblem(host: string): string | undefined {
  if (/^(localhost|.*\.(localhost|local|internal|home\.arpa))$/.test(host) || (!host.includes(".") && !host.includes(":"))) {
    return "it is a host of this machine or network";
  }
  const v4 = v4Of(host);
  const isPrivate = v4 !== undefined ? isPrivateV4(v4) : host.includes(":") && isPrivateV6(host);
  return isPrivate ? "it is a private or local address" : undefined;
}

/** Whether a resolver made the address up: 198.18.0.0/15 is for tests of networks, and programs that stand in for the resolver answer with it. */
export function isFakeAddress(address: string): boolean {
  return /^198\.1[89]\./.test(address);
}

/** The four numbers of an IPv4 address, also of one in NAT64's well-known prefix. Source: RFC 6052, section 2.1. */
function v4Of(host: string): readonly number[] | undefined {
  const plain = /^(\d+)\.(\d+)\.(\d+)\.(\d+)$/.exec(host);
  if (plain !== null) return plain.slice(1).map(Number);
  if (!/^(0*64):ff9b:/i.test(host) || !URL.canParse(`http://[${host}]`)) return undefined;
  const [, high, low] = /^\[64:ff9b::(?:([\da-f]+):)?([\da-f]+)\]$/.exec(new URL(`http://[${host}]`).hostname) ?? [];
  if (low === undefined) return undefined;
  return [high ?? "0", low].flatMap((group) => [Number.parseInt(group, 16) >> 8, Number.parseInt(group, 16) & 255]);
}

/** Source: RFC 6890, the special-purpose registry: everything that is not globally reachable, multicast included. */
function isPrivateV4([a = 0, b = 0, c = 0]: readonly number[]): boolean {
  return (
    a === 0 ||
    a === 10 ||
    a === 127 ||
    a >= 224 ||
    (a === 100 && b >= 64 && b < 128) ||
    (a === 169 && b === 254) ||
    (a === 172 && b >= 16 && b < 32) ||
    (a === 192 && b === 168) ||
    (a === 192 && b === 0 && (c === 0 || c === 2)) ||
    (a === 198 && (b === 18 || b === 19)) ||
    (a === 198 && b === 51 && c === 100) ||
    (a === 203 && b === 0 && c === 113)
  );
}

/** Only 2000::/3 is given out for the public net; of it, forms that hold another address are refused too. */
function isPrivateV6(host: string): boolean {
  return (
    !/^[23]/.test(host) ||
    host.split(":")[0]?.length !== 4 ||
    host.startsWith("2002:") ||
    host.startsWith("2001:0:") ||
    host.startsWith("2001:db8:")
  );
}

/** The last `@` parts a backend from the rest. */
function splitBackend(text: string): { readonly rest: string; readonly backend?: string | undefined } {
  const at = text.lastIndexOf("@");
  if (at < 0) return { rest: text };
  const word = text.slice(at + 1);
  if (!ident.test(word)) throw syntax(text, "after @ a backend follows, such as candle or ollama");
  return { rest: text.slice(0, at), backend: backendWord(word) };
}

function backendWord(word: string): string {
  const lower = word.toLowerCase();
  return lower === "local" ? "candle" : lower;
}

/** In a path only the words of the in-process backend count; any other `@` belongs to the name. */
function pathBackend(text: string): { readonly path: string; readonly backend?: string | undefined } {
  const found = /@(candle|local)$/i.exec(text);
  return found === null ? { path: text } : { path: text.slice(0, found.index), backend: "candle" };
}

/** Whether a source is a name that was parsed; files have no kind. */
export function isModelSpec(source: unknown): source is ModelSpec {
  return typeof source === "object" && source !== null && !(source instanceof Blob) && "kind" in source;
}

/** @returns text that parseModelSpec() reads as the same spec */
export function printModelSpec(spec: ModelSpec): string {
  const backend = spec.backend === undefined ? "" : `@${spec.backend}`;
  return `${printReference(spec)}${backend}`;
}

function printReference(spec: ModelSpec): string {
  const tail = (mark: string, text: string | undefined): string => (text === undefined ? "" : `${mark}${text}`);
  switch (spec.kind) {
    case "name":
      return `${spec.name}${tail(":", spec.variant)}`;
    case "hf":
      return `hf:${spec.owner}/${spec.repo}${tail(":", spec.variant)}${tail("/", spec.file)}${tail("#", spec.revision)}`;
    case "registry":
      return `ollama:${printServerName(spec)}${tail(":", spec.tag)}`;
    case "url": {
      const address = `${spec.url}${tail("#sha256=", spec.sha256)}`;
      return spec.backend === undefined && /@(candle|local)$/i.test(address) ? `${address}@candle` : address;
    }
    case "path":
      return spec.path;
    default:
      return spec satisfies never;
  }
}

/** The name of a model at a registry, without its tag: `registry.example.com:5000/team/model`. */
export function printServerName({ host, namespace, name }: Omit<OllamaSpec, "kind">): string {
  return [host, host === undefined ? namespace : (namespace ?? "library"), name].filter((part) => part !== undefined).join("/");
}

/**
 * A name given with --as, or one that a stranger's list holds: an identifier and nothing else.
 * @throws SpellError spec-syntax
 */
export function checkModelName(name: string): string {
  if (!isSafe(name, ident)) {
    throw syntax(name, "a name has 1–80 of A–Z a–z 0–9 . _ -, first a letter or digit");
  }
  return name;
}

function syntax(text: string, problem: string): SpellError {
  const where = text.slice(0, 60);
  return new SpellError("spec-syntax", `${JSON.stringify(where)} names no model: ${problem}`, {
    where,
    hint: `A model is ${specGrammar}`,
    actions: [{ kind: "run", model: "tiny-stories" }],
  });
}

function hostError(text: string, problem: string, more?: Pick<SpellErrorOptions, "actions" | "hint">): SpellError {
  const where = text.slice(0, 80);
  return new SpellError("spec-host", `${JSON.stringify(where)} is not asked: ${problem}`, { where, ...more });
}

function schemeError(text: string): SpellError {
  return hostError(text, "expected https:// or http://", { hint: "Give one, or a path." });
}

/** What a name with a slash is for other programs: a file below this folder, or a repository of the Hub. */
function meantBy(text: string, owners?: string): Extract<Action, { kind: "pull" | "run" }> | undefined {
  if (/^[^/@:#]+\/[^/@:#]+\.(gguf|safetensors|onnx)$/i.test(text)) return { kind: "run", model: `./${text}` };
  if (owners !== undefined && serverName.test(text)) return { kind: "pull", model: `${text}@${owners}` };
  try {
    parseHub(text, text, {});
    return { kind: "pull", model: `hf:${text}` };
  } catch {
    return undefined;
  }
}

function unknownPrefix(text: string, prefix: string, { owners, providers = [] }: ParseSpecOptions): SpellError {
  const meant = meantBy(text, owners);
  const where = prefix.slice(0, 80);
  const close = nearest(prefix, providers);
  const other = close === undefined ? "" : `Did you mean ${close}${text.slice(prefix.length)}? `;
  const asked = meant === undefined ? "" : `${text} names no model; did you mean ${meant.model}? `;
  return new SpellError("backend-unknown", `${asked}'${where}' is no backend and no declared provider`, {
    where,
    hint:
      other +
      (meant === undefined
        ? `A model is ${specGrammar}`
        : "A repository begins with hf:, a path with ./, and a model of an Ollama server ends in @ollama."),
    actions: [meant ?? { kind: "help-names" }],
    details: meant && { typed: text, meant: meant.model },
  });
}
