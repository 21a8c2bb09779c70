/** PDF and DOCX through the packages that are installed here: text, places of pages, what is broken, what takes too long. */
import { describe, expect, it } from "vitest";
import { textOfFile } from "../../../src/core/rag/files.ts";
import { documentReaders } from "../../../src/node/rag/document-readers.ts";
import { docxOf, pdfOf } from "../../fixtures/office.ts";
import { failure } from "../../support/failure.ts";

const readers = documentReaders();

describe("documents that are no text", () => {
  it("PDF gives its text", async () => {
    const { text } = await textOfFile("trip.pdf", pdfOf("The train leaves at nine."), readers);
    expect(text).toBe("The train leaves at nine.");
  });

  it("DOCX gives headings and paragraphs", async () => {
    const { text } = await textOfFile("trip.docx", docxOf("Packing", "A tent and a lamp."), readers);
    expect(text).toBe("# Packing\n\nA tent and a lamp.");
  });

  it.each([
    ["a small file in a pool of Node's", (bytes: Uint8Array) => Buffer.concat([bytes])],
    ["a buffer of a program", (bytes: Uint8Array) => Buffer.from(new Uint8Array(bytes).buffer)],
  ])("%s is read, and stays as it was", async (_, kept) => {
    const given = kept(pdfOf("The train leaves at nine."));
    const before = given.toString("latin1");
    expect((await textOfFile("trip.pdf", given, readers)).text).toBe("The train leaves at nine.");
    expect(given.toString("latin1")).toBe(before);
  });

  it("a scan is no empty document", async () => {
    const error = await failure(textOfFile("scan.pdf", pdfOf(""), readers));
    expect(error.code).toBe("rag-file");
    expect(error.message).toContain("scan.pdf: expected text, got none");
  });

  it.each(["pdf", "docx"])("a broken %s is named", async (kind) => {
    const error = await failure(textOfFile(`broken.${kind}`, new TextEncoder().encode("no such thing"), readers));
    expect(error.code).toBe("rag-file");
    expect(error.message).toContain(`broken.${kind}: expected a ${kind.toUpperCase()} that can be read`);
  });

  it("one that takes too long is given up", async () => {
    const error = await failure(textOfFile("trip.pdf", pdfOf("text"), documentReaders(1)));
    expect(error.message).toContain("it was not read within 0.001 s");
  });
});
