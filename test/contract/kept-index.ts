/** An index is the same in every host: its files, byte for byte, and what it answers, to the last bit. Run in Node and in Chromium. */
import { beforeEach, describe, expect, it, vi } from "vitest";
import type { ConfigInput } from "../../src/core/config/config.generated.ts";
import type { SearchFolder } from "../../src/core/platform.ts";
import type { RagHit, SearchOptions } from "../../src/core/rag/types.ts";
import type { Spell, SpellOptions } from "../../src/node/main.ts";
import garden from "../golden/index/garden.json" with { type: "json" };

const bytesOf = (text: string) => Uint8Array.from(atob(text), (each) => each.charCodeAt(0));
const textOf = (bytes: Uint8Array) => btoa(Array.from(bytes, (each) => String.fromCharCode(each)).join(""));
export const keptAnswers = garden.answers as unknown as readonly (readonly [
  question: string,
  options: SearchOptions,
  hits: readonly RagHit[],
])[];
/** with the path of each below the index's own */
export const keptFiles = garden.files.map(([path = "", text = ""]) => [path, bytesOf(text)] as const);

export function keptConfig(place: string) {
  const { rag } = garden.config;
  return { rag: { ...rag, vector_storage: { ...rag.vector_storage, persistence_path: place } } } satisfies ConfigInput;
}

export interface KeptIndexHost {
  createSpell(options: SpellOptions): Spell;
  folder(place: string): SearchFolder;
  /** @returns a place where nothing is */
  newPlace(): string;
}

/** In one test file of a process: its stamps are later than any others. */
export function describeKeptIndex(name: string, { createSpell, folder, newPlace }: KeptIndexHost): void {
  describe(`an index kept ${name}`, () => {
    let place = "";
    beforeEach(() => {
      place = newPlace();
    });

    it("has the bytes that Node writes from the same documents", async () => {
      const spell = createSpell({ config: keptConfig(place), env: {} });
      vi.useFakeTimers({ toFake: ["Date"], now: garden.time });
      try {
        const rag = await spell.rag();
        await rag.ingest(
          garden.documents.map(({ name: file, content, ...more }) =>
            file === undefined ? more : { ...more, name: file, bytes: new TextEncoder().encode(content) },
          ),
        );
        await rag.save();
      } finally {
        vi.useRealTimers();
      }
      await spell.dispose();
      const written = [];
      for (const inside of ["", "/default"]) {
        const each = folder(place + inside);
        for (const file of await each.list()) {
          const bytes = (await each.read(file, 0, (await each.size(file)) ?? 0)) ?? new Uint8Array();
          // the second half of a segment's name is random
          written.push([file.replace(/-[0-9a-f]{8}\.seg$/, ".seg"), textOf(bytes)]);
        }
      }
      expect(written).toEqual(garden.files.map(([path = "", text]) => [path.replace(/^default\/|-[0-9a-f]{8}(?=\.seg$)/g, ""), text]));
    });

    it("is read where Node wrote it, with the same passages and scores", async () => {
      for (const [path, bytes] of keptFiles) {
        const inside = path.split("/").slice(0, -1);
        await folder([place, ...inside].join("/")).write(path.slice(path.lastIndexOf("/") + 1), [bytes]);
      }
      const spell = createSpell({ config: keptConfig(place), env: {} });
      const rag = await spell.rag();
      const answers = [];
      for (const [question, options] of keptAnswers) answers.push([question, options, await rag.search(question, options)]);
      expect(answers).toEqual(keptAnswers);
      await spell.dispose();
    });
  });
}
