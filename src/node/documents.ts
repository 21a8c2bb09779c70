/** Documents that are no text, read by packages of their own. */
import { messageOf, SpellError } from "../core/errors.ts";
import type { DocumentReaders } from "../core/platform.ts";
import { installCommand, requirePackage } from "./engines/packages.ts";

export const documentReaders: DocumentReaders = {
  pdf(bytes, name) {
    return reading("unpdf", "PDF", name, async () => {
      const { extractText, getDocumentProxy } = requirePackage("unpdf") as typeof import("unpdf");
      // the reader takes the bytes over
      const { text } = await extractText(await getDocumentProxy(Uint8Array.from(bytes)), { mergePages: false });
      return text.join("\n\n");
    });
  },
  docx(bytes, name) {
    return reading("mammoth", "DOCX", name, async () => {
      const mammoth = requirePackage("mammoth") as typeof import("mammoth");
      return (await mammoth.convertToHtml({ buffer: Buffer.from(bytes) })).value;
    });
  },
};

/** @throws SpellError rag-package, rag-file */
async function reading(packageName: "unpdf" | "mammoth", kind: string, name: string, read: () => Promise<string>): Promise<string> {
  try {
    return await read();
  } catch (cause) {
    if (isMissing(cause, packageName))
      throw new SpellError("rag-package", `${name}: ${kind} is read by the package ${packageName}, which is not installed`, {
        where: name,
        hint: "Install it beside llmspell:",
        actions: [{ kind: "shell", line: installCommand(packageName) }],
        details: { package: packageName },
        cause,
      });
    throw new SpellError("rag-file", `${name}: expected a ${kind} file, got one that ${packageName} cannot read: ${messageOf(cause)}`, {
      where: name,
      hint: "Leave the file out.",
      cause,
    });
  }
}

function isMissing(error: unknown, packageName: string): boolean {
  const { code } = error as { readonly code?: string };
  return (code === "ERR_MODULE_NOT_FOUND" || code === "MODULE_NOT_FOUND") && messageOf(error).includes(packageName);
}
