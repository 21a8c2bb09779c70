/** One PDF or DOCX, read in a thread of its own: what a file holds cannot hang or fill the program. */
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";
import { parentPort, workerData } from "node:worker_threads";

interface Asked {
  readonly kind: "pdf" | "docx";
  readonly bytes: Uint8Array<ArrayBuffer>;
}
/** Not a plain `import()`: bundlers of servers take that for a module that has to be there. */
async function load<T>(name: string): Promise<T> {
  const from = import.meta.url;
  const module = (await import(pathToFileURL(createRequire(from).resolve(name)).href)) as { readonly default?: T } & T;
  return module.default ?? module;
}

async function read({ kind, bytes }: Asked): Promise<string> {
  if (kind === "docx") {
    const { convertToHtml } = await load<typeof import("mammoth")>("mammoth");
    return (await convertToHtml({ buffer: Buffer.from(bytes) })).value;
  }
  const { extractText } = await load<typeof import("unpdf")>("unpdf");
  const { text } = await extractText(bytes, { mergePages: false });
  return text.map((page) => page.trim()).join("\n\n");
}

read(workerData as Asked).then(
  (text) => parentPort?.postMessage({ text }),
  (error: unknown) => parentPort?.postMessage({ problem: error instanceof Error ? error.message : String(error) }),
);
