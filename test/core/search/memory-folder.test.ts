import { memoryFolder } from "../../../src/core/search/memory-folder.ts";
import { describeCollection } from "../../contract/collection.ts";
import { describeSearchFolder } from "../../contract/search-folder.ts";

const create = async () => {
  const folder = memoryFolder();
  return async () => folder;
};
describeSearchFolder("of this process", create);
describeCollection("in memory", create);
