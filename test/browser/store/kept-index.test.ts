/** An index of Node in a page, and an index of a page. */
import { createSpell } from "../../../src/browser/index.ts";
import { opfsSearchFolder } from "../../../src/browser/store/search-folder.ts";
import { describeKeptIndex } from "../../contract/kept-index.ts";

let places = 0;
describeKeptIndex("in a page", {
  createSpell,
  folder: opfsSearchFolder,
  newPlace() {
    places += 1;
    return `~/kept/${Date.now()}-${places}`;
  },
});
