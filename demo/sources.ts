/** Sources of models: the package, a disk, an address. */
import { bundledModels, SpellError } from "../src/browser/index.ts";
import { partFiles } from "../src/core/file-names.ts";

export interface ModelChoice {
  /** value of its option in the list of models */
  readonly key: string;
  readonly label: string;
  readonly source: string | readonly File[];
  /** bytes, if known before loading */
  readonly bytes?: number;
}

const bundledWords: Readonly<Record<string, string>> = {
  "tiny-stories": "short stories",
  "tiny-t5-en-fr": "English to French",
};

export function bundledChoices(): readonly ModelChoice[] {
  return [...bundledModels].map(([name, { files }]) => {
    const bytes = files.reduce((sum, { size }) => sum + size, 0);
    return {
      key: `bundled:${name}`,
      label: `${name}: ${bundledWords[name] ?? "bundled"}, ${Math.round(bytes / 1e6)} MB`,
      source: name,
      bytes,
    };
  });
}

/** Files chosen or dropped together. */
export interface GivenFiles {
  readonly files: readonly File[];
  /** name of the folder that they are from, where the browser tells it */
  readonly folder?: string | undefined;
}

/** One model, or several where more than one GGUF file is given; the parts of a split one belong together. */
export function choicesOfFiles({ files, folder }: GivenFiles): readonly ModelChoice[] {
  const ggufs = new Map<string, File[]>();
  for (const file of [...files].sort((a, b) => (a.name < b.name ? -1 : 1))) {
    if (!/\.gguf$/i.test(file.name)) continue;
    const whole = file.name.replace(/-\d{5}-of-\d{5}\.gguf$/i, "");
    ggufs.set(whole, [...(ggufs.get(whole) ?? []), file]);
  }
  return ggufs.size > 1 ? [...ggufs.values()].map((parts) => choiceOf(parts, folder)) : [choiceOf(files, folder)];
}

function choiceOf(files: readonly File[], folder: string | undefined): ModelChoice {
  const bytes = files.reduce((sum, { size }) => sum + size, 0);
  const main = files.find(({ name }) => /\.gguf$/i.test(name)) ?? files.find(({ name }) => /\.safetensors$/i.test(name)) ?? files[0];
  const isOfFolder = folder !== undefined && main !== undefined && !/\.gguf$/i.test(main.name);
  const name = isOfFolder ? folder : (main?.name ?? "nothing");
  return { key: `files:${name}:${bytes}`, label: name, source: files, bytes };
}

/** A file of one of the folders inside a model that the library reads; no other. */
function partOf(folder: string, file: File): readonly File[] {
  const name = `${folder}/${file.name}`;
  return partFiles.includes(name) ? [new File([file], name, { type: file.type })] : [];
}

/** Of chosen files what belongs to a model: a chosen folder includes all its subfolders. */
export function filesOfModel(files: readonly File[]): GivenFiles {
  const [folder = ""] = files[0]?.webkitRelativePath.split("/") ?? [];
  const ofModel = files.flatMap((file) => {
    const [, part = "", inside, deeper] = file.webkitRelativePath.split("/");
    if (inside === undefined) return [file];
    return deeper === undefined ? partOf(part, file) : [];
  });
  return { files: ofModel, folder: folder === "" ? undefined : folder };
}

/** Files of a drop; of a folder those that the library reads. */
export async function filesOfDrop({ items, files }: DataTransfer): Promise<GivenFiles> {
  const entries = [...items].map((item) => item.webkitGetAsEntry());
  const folder = entries.find((entry) => entry?.isDirectory);
  if (folder === undefined || folder === null) return { files: [...files] };
  return { files: await filesOfFolder(folder as FileSystemDirectoryEntry), folder: folder.name };
}

async function filesOfFolder(folder: FileSystemDirectoryEntry): Promise<readonly File[]> {
  const reader = folder.createReader();
  const found: File[] = [];
  for (;;) {
    // Each call returns some of them; an empty array is the end.
    const entries = await new Promise<FileSystemEntry[]>((resolve, reject) => reader.readEntries(resolve, reject));
    if (entries.length === 0) return found;
    for (const entry of entries) {
      if (entry.isFile) found.push(await new Promise<File>((resolve, reject) => (entry as FileSystemFileEntry).file(resolve, reject)));
      else if (partFiles.some((name) => name.startsWith(`${entry.name}/`))) {
        const inside = await filesOfFolder(entry as FileSystemDirectoryEntry);
        found.push(...inside.flatMap((file) => partOf(entry.name, file)));
      }
    }
  }
}

/** @returns an address, also one on this page's own host that begins with a slash; undefined if the text is none */
export function parseAddress(text: string): URL | undefined {
  const isAddress = /^(https?:\/\/|\.{0,2}\/)/i.test(text) && URL.canParse(text, document.baseURI);
  return isAddress ? new URL(text, document.baseURI) : undefined;
}

/**
 * Fetches a file as a Blob; the browser keeps a large one on disk, not in the page's memory.
 * @throws SpellError net-status, run-aborted
 */
export async function fetchFile(url: URL, onBytes: (done: number, total: number | undefined) => void, signal: AbortSignal): Promise<File> {
  let response: Response;
  try {
    response = await fetch(url, { signal, referrerPolicy: "no-referrer" });
  } catch (cause) {
    if (signal.aborted) throw new SpellError("run-aborted", "aborted by the caller");
    throw new SpellError("net-status", `no answer from ${url.host}`, {
      hint: "This page may only fetch from its own address and from huggingface.co. Download the file, then use Load file.",
      cause,
    });
  }
  if (!response.ok || response.body === null) {
    throw new SpellError("net-status", `${url.host} answered ${response.status}, expected the file`, {
      details: { status: response.status },
    });
  }
  const length = Number(response.headers.get("content-length"));
  const total = Number.isSafeInteger(length) && length > 0 ? length : undefined;
  let done = 0;
  const counted = response.body.pipeThrough(
    new TransformStream<Uint8Array<ArrayBuffer>, Uint8Array<ArrayBuffer>>({
      transform(chunk, controller) {
        done += chunk.byteLength;
        onBytes(done, total);
        controller.enqueue(chunk);
      },
    }),
  );
  try {
    const blob = await new Response(counted).blob();
    return new File([blob], decodeURIComponent(url.pathname.split("/").at(-1) ?? "") || url.host);
  } catch (cause) {
    if (signal.aborted) throw new SpellError("run-aborted", "aborted by the caller");
    throw new SpellError("net-status", `the connection to ${url.host} ended after ${done} bytes`, { cause });
  }
}
