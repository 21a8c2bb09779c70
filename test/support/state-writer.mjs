/** Keeps states under one name until it is killed, and writes a line for each: state-writer.mjs MODULE FOLDER GROUP */
import { writeFile } from "node:fs/promises";

const [module = "", folder, group] = process.argv.slice(2);
const { stateFiles } = await import(module);
const files = stateFiles(folder);
for (let i = 0; ; i++) {
  const tokens = Array.from({ length: 50 }, (_, index) => (index * 7919) % 32_000);
  await files.keep(group, { model: "m", name: "chat", tokens }, (path) => writeFile(path, Buffer.alloc(200_000, i)), 1e9);
  process.stdout.write("kept\n");
}
