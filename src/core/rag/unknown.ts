/** What is said of a collection that is not there: a name that was misspelt would be an index without answers. */
import { SpellError } from "../errors.ts";
import { didYouMean, nearest } from "../nearest.ts";

/**
 * @param collections that are there
 * @param where the name was given
 * @param maker what makes a collection
 */
export function unknownCollection(collection: string, collections: readonly string[], where: string, maker: string): SpellError {
  const there = collections.length === 0 ? "There is none" : `There ${collections.length === 1 ? "is" : "are"} ${collections.join(", ")}`;
  return new SpellError("rag-unknown", `${where}: no collection ${collection}${didYouMean(nearest(collection, collections))}`, {
    where,
    hint: `${there}. ${maker} makes one.`,
    details: { collections },
  });
}
