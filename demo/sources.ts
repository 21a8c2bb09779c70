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

/** One choice from files chosen or dropped together. */
export function choiceOfFiles(files: readonly File[]): ModelChoice {
  const bytes = files.reduce((sum, { size }) => sum + size, 0);
  const main = files.find(({ name }) => /\.(gguf|safetensors)$/i.test(name)) ?? files[0];
  const folder = main?.webkitRelativePath.split("/").at(-2);
  const name = folder ?? main?.name ?? "nothing";
  return { key: `files:${name}:${bytes}`, label: name, source: files, bytes };
}

/** A file of one of the folders inside a model that the library reads; no other. */
function partOf(folder: string, file: File): readonly File[] {
  const name = `${folder}/${file.name}`;
  return partFiles.includes(name) ? [new File([file], name, { type: file.type })] : [];
}

/** Of chosen files what belongs to a model: a chosen folder includes all its subfolders. */
export function filesOfModel(files: readonly File[]): readonly File[] {
  return files.flatMap((file) => {
    const [, part = "", inside, deeper] = file.webkitRelativePath.split("/");
    if (inside === undefined) return [file];
    return deeper === undefined ? partOf(part, file) : [];
  });
}

/** Files of a drop; of a folder those that the library reads. */
export async function filesOfDrop({ items, files }: DataTransfer): Promise<readonly File[]> {
  const entries = [...items].map((item) => item.webkitGetAsEntry());
  const folder = entries.find((entry) => entry?.isDirectory);
  if (folder === undefined || folder === null) return [...files];
  return filesOfFolder(folder as FileSystemDirectoryEntry);
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

/**
 * Fetches a file as a Blob; the browser keeps a large one on disk, not in the page's memory.
 * @throws SpellError net-status, run-aborted
 */
export async function fetchFile(
  address: string,
  onBytes: (done: number, total: number | undefined) => void,
  signal: AbortSignal,
): Promise<File> {
  let url: URL;
  try {
    url = new URL(address, document.baseURI);
  } catch {
    throw new SpellError("spec-syntax", `not an address: ${address}`, { hint: "Enter an address that begins with https://" });
  }
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
