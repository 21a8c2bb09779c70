/** Files of an index in Chromium's private file system: the contract, and paths that no folder may have. */
import { expect, it } from "vitest";
import { opfsSearchFolder } from "../../../src/browser/store/search-folder.ts";
import { describeCollection } from "../../contract/collection.ts";
import { describeSearchFolder } from "../../contract/search-folder.ts";

let places = 0;
const create = async () => {
  places += 1;
  const place = `~/rag/test-${Date.now()}-${places}`;
  return async () => opfsSearchFolder(place);
};
describeSearchFolder("in a page", create);
describeCollection("in a page", create);

it("keeps places apart, whatever they are named", async () => {
  const names = [`a-${Date.now()}`, `a-${Date.now()}/../b`, `a-${Date.now()}/./b`, `ä ${Date.now()}:\\?`];
  for (const name of names) await opfsSearchFolder(name).write("a.seg", [new TextEncoder().encode(name)]);
  for (const name of names) expect(await opfsSearchFolder(name).size("a.seg")).toBe(new TextEncoder().encode(name).byteLength);
});
