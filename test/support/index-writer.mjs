/** Saves documents in an index until it is killed, and names each on standard output once it is safe: index-writer.mjs MODULE FOLDER WRITER */
const [module = "", folder, writer] = process.argv.slice(2);
const { lexicalVector, nodeSearchFolder, openCollection } = await import(module);
const settings = { embedder: { id: "lexical", dimensions: 32 }, metric: "cosine", storeText: true };
const collection = await openCollection(nodeSearchFolder(folder), settings);
for (let i = 0; ; i += 1) {
  const text = `note ${i} of ${writer}`;
  const chunk = { text, headings: [], start: 0, end: text.length, hash: text, vector: lexicalVector(text, 32) };
  collection.add([{ id: `${writer}-${i}`, metadata: {}, chunks: [chunk] }]);
  await collection.save();
  process.stdout.write(`${writer}-${i}\n`);
}
