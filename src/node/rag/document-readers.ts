/** PDF and DOCX through optional packages, each in a thread with limits of time and memory. */
import { Worker } from "node:worker_threads";
import { SpellError } from "../../core/errors.ts";
import { limits } from "../../core/limits.ts";
import type { DocumentReaders } from "../../core/platform.ts";
import { builtFile } from "../built-file.ts";
import { installCommand, isInstalled } from "../engines/packages.ts";

const packages = { pdf: "unpdf", docx: "mammoth" } as const;

/** @param most milliseconds of one file */
export function documentReaders(most: number = limits.documentReadMs): DocumentReaders {
  const reader = (kind: "pdf" | "docx") => async (bytes: Uint8Array, name: string) => {
    if (!isInstalled(packages[kind])) throw notInstalled(packages[kind], name);
    const answer = await inThread(kind, bytes, most);
    if ("text" in answer) return answer.text;
    throw new SpellError("rag-file", `${name}: expected a ${kind.toUpperCase()} that can be read; ${answer.problem}`, {
      where: name,
      hint: "Leave the file out, or save it anew.",
    });
  };
  return { pdf: reader("pdf"), docx: reader("docx") };
}

type Answer = { readonly text: string } | { readonly problem: string };

function inThread(kind: "pdf" | "docx", bytes: Uint8Array, most: number): Promise<Answer> {
  // a copy with memory of its own: slice() of a Buffer is a view of what may be shared
  const own = new Uint8Array(bytes);
  const worker = new Worker(builtFile("rag/read-document-thread"), {
    workerData: { kind, bytes: own },
    transferList: [own.buffer],
    resourceLimits: { maxOldGenerationSizeMb: limits.documentReadMegabytes },
    // what the packages say of a file is for their developers
    stdout: true,
    stderr: true,
  });
  return new Promise<Answer>((resolve) => {
    const timer = setTimeout(() => resolve({ problem: `it was not read within ${most / 1000} s` }), most);
    const end = (answer: Answer): void => {
      clearTimeout(timer);
      resolve(answer);
    };
    worker.once("message", end);
    worker.once("error", (error: NodeJS.ErrnoException) =>
      end({ problem: error.code === "ERR_WORKER_OUT_OF_MEMORY" ? `it needs more than ${limits.documentReadMegabytes} MB` : error.message }),
    );
    worker.once("exit", () => end({ problem: "its reader ended without an answer" }));
  }).finally(() => worker.terminate());
}

function notInstalled(name: string, file: string): SpellError {
  return new SpellError("rag-package", `${file}: the package ${name}, which reads such files, is not installed`, {
    where: file,
    hint: "Install it, or leave the file out.",
    actions: [{ kind: "shell", line: installCommand(name) }],
    details: { package: name },
  });
}
