/** The list that codes such as R7 or G36 lead to: what each test that carries a code promises, read from the names of the tests. */
import { readdirSync, readFileSync } from "node:fs";

const root = new URL("..", import.meta.url);

/** What a letter stands for, and the faults it counts. */
const areas = /** @type {Record<string, readonly [title: string, meaning: string]>} */ ({
  G: [
    "Bad inputs",
    "What files, names, configurations and answers of servers may hold; each ends in one typed error, or is shown to be harmless.",
  ],
  D: ["Downloads", "What may happen between the first byte and the manifest: cuts, lies, full disks, kills, two at once."],
  R: ["Running", "What may happen to an open model and to the process around it: lost devices, crashes, aborts, queues, slow readers."],
  E: [
    "Engines",
    "What the borrowed engines are known to do wrong; the adapters absorb it, and the test notices when an upgrade changes it.",
  ],
  L: ["Lua", "What a script in Lua may try; nothing outside its engine is reached, and it is gone when its limit is."],
  J: ["JavaScript", "The same in JavaScript."],
  O: ["Output", "What text from models and files could do to a terminal or a page."],
});

const code = `[${Object.keys(areas).join("")}]\\d{1,3}`;
/** A name, or the first element of a row of `it.each`: text in quotes behind a bracket or alone at the start of a line. */
const names = new RegExp(String.raw`(?:[([]\s*|^\s*)(["\`])((?:(?!\1)[^\n\\]|\\.)*\b${code}(?![\w.])(?:(?!\1)[^\n\\]|\\.)*)\1`, "gm");
/** A row of a table of broken files. */
const rows = /row: (\d+),\s*what: "([^"]*)"(?:,\s*code: "([^"]*)")?/g;

/** @returns rows of the list, in the order of the codes */
function promises() {
  const files = readdirSync(new URL("test", root), { recursive: true, encoding: "utf8" });
  return files
    .map((name) => `test/${name.replaceAll("\\", "/")}`)
    .filter((path) => path.endsWith(".ts"))
    .sort()
    .flatMap((path) => {
      const text = readFileSync(new URL(path, root), "utf8");
      const named = [...text.matchAll(names)].flatMap(([, , name = ""]) =>
        codesOf(name).map((each) => ({ code: each, name: plain(name), path })),
      );
      const broken = [...text.matchAll(rows)].map(([, row, what = "", error]) => ({
        code: `G${row}`,
        name: error === undefined ? what : `${what} → ${error}`,
        path,
      }));
      return [...named, ...broken].filter(({ name }) => /[a-z]{2}/.test(name));
    })
    .sort((a, b) => a.code.charCodeAt(0) - b.code.charCodeAt(0) || Number(a.code.slice(1)) - Number(b.code.slice(1)));
}

/** @returns {string[]} */
function codesOf(/** @type {string} */ name) {
  return [...new Set(name.match(new RegExp(`\\b${code}(?![\\w.])`, "g")))];
}

/** Without its codes in front, and without the places that a row fills in. */
function plain(/** @type {string} */ name) {
  return name
    .replace(new RegExp(`^(?:${code}[:,]? )+`), "")
    .replace(/%[a-z]|\$\{[^}]*\}|\$\w+/g, "…")
    .replaceAll("|", "\\|");
}

/** @returns docs/failures.md */
export function failurePage() {
  const all = promises();
  const sections = Object.entries(areas).map(([letter, [title, meaning]]) => {
    const lines = all
      .filter((row) => row.code.startsWith(letter))
      .map((row) => `| ${row.code} | ${row.name} | [${row.path.slice("test/".length)}](../${row.path}) |`);
    return `## ${letter}: ${title}\n\n${meaning}\n\n| code | the test promises | test |\n|---|---|---|\n${[...new Set(lines)].join("\n")}\n`;
  });
  return `<!-- Written by tools/generate.mjs from the names of the tests. -->

# What can go wrong, and which test holds it

A code such as R7 or G36, in the name of a test or in a comment, leads here. One code may have several tests; \`…\` stands for the values a test
runs through. Codes are numbered once and keep their number; gaps are faults of parts that do not exist yet.

${sections.join("\n")}`;
}
