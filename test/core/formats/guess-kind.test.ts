import { gzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { guessKind } from "../../../src/core/formats/guess-kind.ts";

const text = (value: string): Uint8Array => new TextEncoder().encode(value);

describe("guessKind", () => {
  it.each([
    ["an HTML page", text("<!DOCTYPE html><html>")],
    ["an HTML page", text("\uFEFF \n<html lang=en>")],
    ["an HTML page", text('<?xml version="1.0"?><Error><Code>AccessDenied</Code>')],
    ["JSON text", text('{"error":"Repository not found"}')],
    ["a Git LFS pointer", text("version https://git-lfs.github.com/spec/v1\noid sha256:")],
    ["a gzip file", gzipSync("model")],
    ["a zip archive", Uint8Array.of(0x50, 0x4b, 3, 4)],
    ["a 7z archive", Uint8Array.of(0x37, 0x7a, 0xbc, 0xaf, 0x27, 0x1c)],
    ["a Python pickle", Uint8Array.of(0x80, 4, 0x95)],
    ["a safetensors file", Uint8Array.of(0x40, 2, 0, 0, 0, 0, 0, 0, ...text('{"__metadata__":'))],
    ["a GGML file of 2023", text("tjgg....")],
    ["GGUF with its bytes reversed", text("FUGG")],
    ["zeros", new Uint8Array(64)],
  ])("knows %s", (what, start) => expect(guessKind(start)).toMatchObject({ what, hint: expect.stringMatching(/\.$/) }));

  it.each([
    ["plain text", text("hello")],
    ["one byte", text("{".slice(1))],
    ["no bytes", new Uint8Array(0)],
  ])("says nothing about %s", (_, start) => expect(guessKind(start)).toBeUndefined());

  it("speaks of a download of JSON text only where there was one", () => {
    expect(guessKind(text('{"name": "mine"}'))?.hint).toMatch(/^It is no model\. Where it was downloaded, /);
  });
});
