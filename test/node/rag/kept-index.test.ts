/** An index kept on the disk: what a page writes too, and what the command line finds in it. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, expect, it } from "vitest";
import { createSpell } from "../../../src/node/main.ts";
import { nodeSearchFolder } from "../../../src/node/store/search-folder.ts";
import { describeKeptIndex, keptAnswers, keptConfig, keptFiles } from "../../contract/kept-index.ts";
import { cli } from "../cli/support.ts";

const folder = mkdtempSync(join(tmpdir(), "llmspell-kept-index-"));
afterAll(() => rmSync(folder, { recursive: true }));

let places = 0;
const newPlace = (): string => {
  places += 1;
  return join(folder, String(places));
};
describeKeptIndex("on the disk", { createSpell, folder: nodeSearchFolder, newPlace });

it("the command line finds the same passages with the same scores", async () => {
  const place = newPlace();
  for (const [path, bytes] of keptFiles) {
    mkdirSync(dirname(join(place, path)), { recursive: true });
    writeFileSync(join(place, path), bytes);
  }
  const { persistence_path, dimensions } = keptConfig(place).rag.vector_storage;
  const prefix = "LLMSPELL_RAG_VECTOR_STORAGE";
  const [question, , hits] = keptAnswers[0]!;
  const { stdout } = await cli(["rag", "search", question, "--output", "json"], {
    env: { [`${prefix}_PERSISTENCE_PATH`]: persistence_path, [`${prefix}_DIMENSIONS`]: String(dimensions) },
  });
  expect(JSON.parse(stdout).results).toMatchObject(hits.map(({ id, heading, score, start, end }) => ({ id, heading, score, start, end })));
});
