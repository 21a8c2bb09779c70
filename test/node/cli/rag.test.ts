/** `rag …` over folders on disk: which files are read, what is told, what is asked of a model; the real bin once. */
import { execFileSync, spawnSync } from "node:child_process";
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, relative } from "node:path";
import { describe, expect, it } from "vitest";
import { createSpell, type Spell } from "../../../src/core/api/spell.ts";
import { resolveSource } from "../../../src/core/config/resolve.ts";
import { SpellError } from "../../../src/core/errors.ts";
import { lexicalVector } from "../../../src/core/search/lexical.ts";
import { memoryPlatform, scriptedRuntime } from "../../../src/core/testing/index.ts";
import type { Run } from "../../../src/node/cli/context.ts";
import { ragExport, ragIngest, ragRemove, ragSearch, ragStats } from "../../../src/node/cli/rag.ts";
import { ragAsk } from "../../../src/node/cli/rag-ask.ts";
import { findFiles } from "../../../src/node/cli/rag-files.ts";
import { documentReaders } from "../../../src/node/rag/document-readers.ts";
import { nodeSearchFolder } from "../../../src/node/store/search-folder.ts";
import { tinyLlama } from "../../fixtures/gguf/models.ts";
import { writeGguf } from "../../fixtures/gguf-writer.ts";
import { docxOf, pdfOf } from "../../fixtures/office.ts";
import { failure } from "../../support/failure.ts";
import { bin, cleanEnv, cli, home, keptScreen, scriptedContext } from "./support.ts";

/** Root reads everything: there the bin is run for another user. */
const stranger = process.getuid?.() === 0 ? { uid: 54_321, gid: 54_321 } : {};
const hasPermissions =
  process.platform !== "win32" && spawnSync(process.execPath, [bin, "--version"], { ...stranger, cwd: "/" }).status === 0;

/** A folder with these files. */
function folderOf(files: Readonly<Record<string, string | Uint8Array>>): string {
  const folder = mkdtempSync(join(home, "notes-"));
  for (const [name, contents] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), contents);
  }
  return folder;
}

const bread = "# Bread\n\nFlour, water and salt.\n\n## Oven\n\nBake it at 230 degrees for forty minutes.\n";
const notes = { "bread.md": bread, "camp/tent.md": "# Tent\n\nPoles first, then the pegs.\n" };

/** @param loads embedding models that were loaded; absent: there is none, and vectors are `lexical` */
async function program(
  answer: (prompt: string) => readonly string[] = () => ["At 230 degrees", " [1]."],
  readers = documentReaders(),
  loads?: string[],
  searchFolder = nodeSearchFolder,
) {
  const files = { "tiny-stories/tiny-stories.gguf": writeGguf(tinyLlama()) };
  const asked: string[] = [];
  const gguf = scriptedRuntime({
    answer: (prompt) => {
      asked.push(JSON.stringify(prompt));
      return [...answer(JSON.stringify(prompt))];
    },
  });
  const embedding = loads === undefined ? {} : { embedding: { default_provider: "candle", model: "small" } };
  const values = { rag: { vector_storage: { persistence_path: mkdtempSync(join(home, "index-")) }, ...embedding } };
  const config = await resolveSource({ kind: "object", values }, {});
  const created = createSpell({
    platform: {
      ...memoryPlatform({ files, gguf }),
      searchFolder: async (place) => searchFolder(place),
      documentReaders: readers,
    },
    config,
  });
  const embeddings: Spell["embeddings"] = async (name) => {
    loads?.push(String(name));
    return {
      ...{ id: "small", provider: "candle", backend: "bert", architecture: "bert", contextLength: 512, sizeBytes: 1, device: undefined },
      ...{ dimensions: 384, prefixes: { query: "", document: "" } },
      embed: async (texts) => ({ vectors: texts.map((text) => lexicalVector(text, 384)), dimensions: 384, tokens: 1, warnings: [] }),
      countTokens: async (texts) => texts.map((text) => text.split(" ").length),
      dispose: async () => undefined,
      [Symbol.asyncDispose]: async () => undefined,
    };
  };
  const spell = loads === undefined ? created : { ...created, embeddings };
  const run = async (
    command: Run,
    operands: readonly string[] = [],
    flags: Readonly<Record<string, readonly string[]>> = {},
    format: "text" | "json" = "json",
  ) => {
    const shown = keptScreen({ format, color: false });
    const context = scriptedContext(shown, {
      files,
      operands,
      flags: new Map(Object.entries(flags)),
      config: async () => config,
      openSpell: async () => spell,
    });
    const status = await command(context);
    const document = format === "json" ? (JSON.parse(shown.out()) as Record<string, unknown>) : {};
    return { status, out: shown.out(), err: shown.err(), document };
  };
  return { run, asked };
}

describe("files of rag ingest", () => {
  it("are the readable ones of a folder, without what .gitignore leaves out, the nearest rule first", async () => {
    const folder = folderOf({
      ...notes,
      ".gitignore": "*.log\n/build\ncamp/*.txt\n",
      "a.log": "x",
      "build/b.md": "x",
      "camp/.gitignore": "!keep.txt\n",
      "camp/keep.txt": "x",
      "camp/other.txt": "x",
      "node_modules/c.md": "x",
      ".hidden.md": "x",
      ".notes/deep/d.md": "x",
      ".ssh/id.txt": "x",
      "photo.jpg": "x",
      "src/a.ts": "x",
    });
    const base = folder.split("/").at(-1);
    const names = async (...paths: readonly string[]) => (await findFiles(paths)).files.map(({ name }) => name.replace(`${base}/`, ""));
    expect(await names(folder)).toEqual(["bread.md", "camp/keep.txt", "camp/tent.md", "src/a.ts"]);
    expect(await names(`${folder}/**/*.md`)).toEqual(["bread.md", "camp/tent.md"]);
    expect(await names(`${folder}/c?mp/*.md`, join(folder, "a.log"))).toEqual(
      ["a.log", "tent.md"].map((name) => (name === "tent.md" ? "camp/tent.md" : name)),
    );
    expect((await findFiles([folder])).hidden).toEqual([`${base}/.notes`, `${base}/.ssh`]);
    expect(await names(join(folder, ".notes"))).toEqual([".notes/deep/d.md"]);
    expect(await names(`${folder}/.notes/**/*.md`)).toEqual([".notes/deep/d.md"]);
    expect(await names(`${folder}/**/*.txt`)).toEqual(["camp/keep.txt"]);
    for (const path of [join(folder, "nothing.md"), `${folder}/*.pdf`])
      expect(await failure(findFiles([path]))).toMatchObject({ code: "usage-value", where: path });
  });
});

describe.runIf(hasPermissions)("files of rag ingest that may not be read", () => {
  it("are left out of a folder with a note, and kept in the index; named ones are refused with a hint about them", () => {
    const own = mkdtempSync(join(tmpdir(), "llmspell-denied-"));
    try {
      const folder = join(own, "notes");
      for (const name of ["listed", "shut"]) mkdirSync(join(folder, name), { recursive: true });
      for (const name of ["a.md", "b.md", "listed/c.md", "shut/d.md"]) writeFileSync(join(folder, name), `# ${name}\n`);
      chmodSync(own, 0o777);
      const rag = (...args: readonly string[]) => {
        const env = { ...cleanEnv, HOME: own, LLMSPELL_HOME: join(own, "home") };
        const { status, stdout, stderr } = spawnSync(process.execPath, [bin, "rag", ...args], {
          ...stranger,
          cwd: own,
          env,
          encoding: "utf8",
        });
        return { status, stdout, stderr };
      };
      expect(rag("ingest", "notes")).toMatchObject({ status: 0, stdout: "4 documents, 4 passages\n" });
      for (const [name, mode] of [
        ["b.md", 0],
        ["listed", 0o444],
        ["shut", 0],
      ] as const)
        chmodSync(join(folder, name), mode);
      // the file changed, so that it would be read
      utimesSync(join(folder, "b.md"), 1, 1);
      const again = rag("ingest", "notes");
      expect(again).toMatchObject({ status: 0, stdout: expect.stringMatching(/^0 documents, 0 passages, 1 unchanged, 3 left out$/m) });
      expect(again.stderr).toContain("left out: notes/shut: the folder cannot be read: EACCES");
      expect(again.stderr).toContain("left out: notes/listed/c.md: cannot be read: permission denied");
      expect(rag("stats").stdout).toContain("documents: 4\n");
      for (const path of ["notes/b.md", "notes/shut", "notes/shut/d.md"]) {
        const { status, stderr } = rag("ingest", path);
        expect({ path, status, stderr }).toMatchObject({
          status: 3,
          stderr: expect.stringContaining("Check its permissions, and those of its folders."),
        });
        expect(stderr).not.toContain("LLMSPELL_HOME");
      }
      for (const name of ["listed", "shut"]) chmodSync(join(folder, name), 0o755);
    } finally {
      rmSync(own, { recursive: true });
    }
  });
});

describe("files of rag ingest that are no plain ones", () => {
  it.runIf(process.platform === "linux")("are named: pipes, names in other encodings, and links, each once", async () => {
    const folder = folderOf({ ...notes, "photo.jpg": "x" });
    const base = folder.split("/").at(-1) ?? "";
    execFileSync("mkfifo", [join(folder, "pipe.md")]);
    writeFileSync(Buffer.concat([Buffer.from(`${folder}/gr`), Buffer.of(0xfc), Buffer.from("n.md")]), "# Green\n");
    mkdirSync(Buffer.concat([Buffer.from(`${folder}/camp/`), Buffer.of(0xe9)]));
    symlinkSync(join(folder, "bread.md"), join(folder, "camp/link.md"));
    const { files, links, odd } = await findFiles([folder, join(folder, "camp"), `${folder}/**/*.md`]);
    expect(files.map(({ name }) => name)).toEqual([`${base}/bread.md`, `${base}/camp/tent.md`]);
    expect(links).toEqual([`${base}/camp/link.md`]);
    expect(odd.map(({ reason }) => reason)).toEqual([
      `${base}/camp/\ufffd: expected a name in UTF-8, got other bytes`,
      `${base}/gr\ufffdn.md: expected a name in UTF-8, got other bytes`,
      `${base}/pipe.md: expected a file, got a named pipe`,
    ]);
    expect((await findFiles([`${folder}/*.md`])).links).toEqual([]);
    const { run } = await program();
    const { document, err } = await run(ragIngest, [folder]);
    expect(document).toMatchObject({ documents: 2, skipped: [{}, {}, { source: `${base}/pipe.md` }] });
    expect((await run(ragIngest, [folder], {}, "text")).err + err).toContain("expected a file, got a named pipe");
  });
});

describe("rag", () => {
  it("knows a file by whatever it is named: one source, embedded once", async () => {
    const { run } = await program();
    const folder = folderOf(notes);
    const base = folder.split("/").at(-1) ?? "";
    expect((await run(ragIngest, [folder])).document).toMatchObject({ documents: 2 });
    const ways = [
      join(folder, "bread.md"),
      `${folder}/*.md`,
      relative(process.cwd(), folder),
      join(folder, "camp"),
      `${folder}/camp/../bread.md`,
    ];
    for (const way of ways) expect([way, (await run(ragIngest, [way])).document]).toMatchObject([way, { documents: 0, embedded: 0 }]);
    expect((await run(ragIngest, [folder, join(folder, "bread.md")])).document).toMatchObject({ documents: 0, unchanged: 2 });
    writeFileSync(join(folder, "bread.md"), bread.replace("forty", "fifty"));
    expect((await run(ragIngest, [join(folder, "bread.md")])).document).toMatchObject({ documents: 1 });
    const [hit] = (await run(ragSearch, ["fifty minutes"])).document["results"] as { source: string }[];
    expect(hit?.source).toBe(`${base}/bread.md`);
  });

  it("opens passages of a file with a byte order mark at their places, headings too", async () => {
    const { run } = await program();
    for (const [name, text] of [
      ["marked.md", bread],
      ["marked.csv", "name,town\nAda,London\n"],
      ["marked.txt", "Boil an egg.\r\n\r\nSix minutes.\r\n"],
    ] as const) {
      const folder = folderOf({ [name]: `\ufeff${text}` });
      await run(ragIngest, [folder], { collection: [name.replace(".", "-")] });
      const lines = (await run(ragExport, [], { collection: [name.replace(".", "-")] }, "text")).out.trim().split("\n");
      const file = readFileSync(join(folder, name), "utf8");
      for (const line of lines) {
        const { heading, content, start, end } = JSON.parse(line) as { heading: string; content: string; start: number; end: number };
        expect(file.slice(start, end)).toBe(content);
        expect(heading + content).not.toContain("\ufeff");
      }
      if (name === "marked.md")
        expect(lines.map((line) => (JSON.parse(line) as { heading: string }).heading)).toEqual(["Bread", "Bread > Oven"]);
    }
  });

  it("leaves out files of which a package is missing, says how to get it, and takes the others", async () => {
    const missing = async (_: Uint8Array, name: string): Promise<string> => {
      throw new SpellError("rag-package", `${name}: the package unpdf, which reads such files, is not installed`, {
        hint: "Install it, or leave the file out.",
        actions: [{ kind: "shell", line: "npm install --ignore-scripts unpdf@1.7.0" }],
        details: { package: "unpdf" },
      });
    };
    const { run } = await program(undefined, { pdf: missing, docx: missing });
    const folder = folderOf({ ...notes, "a.pdf": pdfOf("One."), "b.pdf": pdfOf("Two.") });
    const { status, document } = await run(ragIngest, [folder]);
    expect(status).toBe(0);
    const told = {
      reason: expect.stringContaining("unpdf"),
      hint: expect.any(String),
      commands: ["npm install --ignore-scripts unpdf@1.7.0"],
    };
    expect(document).toMatchObject({ documents: 2, skipped: [told, told] });
    const text = await run(ragIngest, [folder], {}, "text");
    expect(text.out).toBe("0 documents, 0 passages, 2 unchanged, 2 left out\n");
    expect(text.err).toMatch(/left out: .*a\.pdf: the package unpdf.*; 1 file more like it\n +npm install --ignore-scripts unpdf@1\.7\.0/);
    expect((await failure(run(ragIngest, [join(folder, "a.pdf")]))).code).toBe("rag-package");
  });

  it("ingests a folder, again only what changed, and drops what is gone", async () => {
    const { run } = await program();
    const folder = folderOf({ ...notes, "old.txt": Uint8Array.of(0x67, 0x72, 0xfc, 0xdf), "wide.txt": Uint8Array.of(0xff, 0xfe, 0x41, 0) });
    const first = await run(ragIngest, [folder]);
    expect(first.document).toMatchObject({ status: "ok", documents: 2, chunks: 3, embedded: 3, removed: 0 });
    const { skipped } = first.document as { skipped: { reason: string }[] };
    expect(skipped.map(({ reason }) => reason.replace(/^.*: expected/, "expected"))).toEqual([
      "expected text in UTF-8, got another encoding, such as Latin-1",
      "expected text in UTF-8, got UTF-16 (little-endian)",
    ]);
    expect((await run(ragIngest, [folder])).document).toMatchObject({ documents: 0, unchanged: 2, embedded: 0 });
    renameSync(join(folder, "camp"), join(folder, "trip"));
    expect((await run(ragIngest, [folder])).document).toMatchObject({ documents: 1, unchanged: 1, removed: 1 });
    expect((await failure(run(ragIngest, [join(folder, "old.txt")]))).code).toBe("rag-file");
    const text = await run(ragIngest, [folder], {}, "text");
    expect(text.out).toBe("0 documents, 0 passages, 2 unchanged, 2 left out\n");
    expect(text.err).toContain("left out: ");
  });

  it("tells of files that are no documents, of documents without text, and of what a rule takes out again", async () => {
    const { run } = await program();
    const folder = folderOf({ ...notes, ".hidden.md": "x", "photo.zzz": "x", "empty.md": "" });
    const first = await run(ragIngest, [folder], {}, "text");
    expect(first.err).toContain("left out: 2 files, hidden or of no kind that is read, such as ");
    expect(first.err).toContain("there is no text in ");
    expect((await run(ragIngest, [folder])).document).toMatchObject({ others: 2, unchanged: 3, warnings: [] });
    writeFileSync(join(folder, ".gitignore"), "bread.md\n");
    const ruled = await run(ragIngest, [folder], {}, "text");
    expect(ruled.err).toContain("removed: 1 document whose file is there, but left out by .gitignore or in a hidden folder, such as ");
    expect((await failure(run(ragIngest, [join(folder, "*.zzz")]))).code).toBe("usage-value");
  });

  it("sets the damaged name of a collection aside, and names it anew", async () => {
    const { run } = await program();
    const folder = folderOf(notes);
    await run(ragIngest, [folder]);
    const place = String((await run(ragStats)).document["place"]);
    const root = dirname(place);
    const [name = ""] = readdirSync(root).filter((each) => each.endsWith(".place"));
    writeFileSync(join(root, name), "");
    expect((await failure(run(ragStats))).code).toBe("rag-damaged");
    writeFileSync(join(folder, "new.md"), "One more.");
    expect((await run(ragIngest, [folder])).document).toMatchObject({ documents: 1, unchanged: 2 });
    expect((await run(ragStats)).document).toMatchObject({ documents: 3, collections: ["default"] });
    expect(readdirSync(root).filter((each) => each.endsWith(".damaged"))).toHaveLength(1);
  });

  it("asks for an embedding model where vectors are made, and for none where nothing changed", async () => {
    const loads: string[] = [];
    const { run } = await program(undefined, undefined, loads);
    const folder = folderOf(notes);
    for (const name of ["bread.md", "camp/tent.md"]) utimesSync(join(folder, name), 1_700_000_000, 1_700_000_000);
    expect((await run(ragIngest, [folder])).document).toMatchObject({ documents: 2, embedded: 3 });
    expect(loads).not.toEqual([]);
    loads.length = 0;
    for (let times = 0; times < 2; times += 1)
      expect((await run(ragIngest, [folder])).document).toMatchObject({ documents: 0, unchanged: 2 });
    expect(loads).toEqual([]);
    writeFileSync(join(folder, "bread.md"), `${bread}Let it cool.\n`);
    expect((await run(ragIngest, [folder])).document).toMatchObject({ documents: 1, unchanged: 1, embedded: 1 });
    expect(loads).toEqual(["small@candle"]);
  });

  it("leaves out what is too large or cannot be read, forgets what is gone by then, and refuses such files by name", async () => {
    const { run } = await program();
    const folder = folderOf({ ...notes, "large.txt": "word ".repeat(2_100_000) });
    const first = (await run(ragIngest, [folder])).document;
    expect(first).toMatchObject({ documents: 2, skipped: [{ reason: expect.stringContaining("expected at most 10 MB, got 10") }] });
    expect(await failure(run(ragIngest, [join(folder, "large.txt")]))).toMatchObject({
      code: "rag-input",
      where: "rag.ingest.max_document_mb",
      message: expect.stringContaining(`${join(folder, "large.txt")}: expected at most`),
    });
    expect((await failure(run(ragIngest, [join(folder, "bread.md"), join(folder, "nothing.md")]))).code).toBe("usage-value");
    expect((await run(ragStats)).document).toMatchObject({ documents: 2 });
  });

  it("writes nothing of a passage that would act on a terminal, piped or not", async () => {
    const { run } = await program(() => ["At 230 \u001b]0;gotcha\u0007degrees", " [1]."]);
    const folder = folderOf({ "bell.md": "# Oven\u001b[31m\n\nBake \u0007it \u001b[2Jat \u202e230 degrees.\n" });
    await run(ragIngest, [folder]);
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they are looked for
    const acts = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u202e]/;
    for (const command of [ragSearch, ragAsk]) {
      const { out } = await run(command, ["oven"], {}, "text");
      expect(out).toContain("230");
      expect(out).not.toMatch(acts);
    }
    const { document } = await run(ragSearch, ["oven"]);
    expect(document["results"]).toMatchObject([{ content: "Bake \u0007it \u001b[2Jat \u202e230 degrees." }]);
  });

  it("names every file of the same text, in one result", async () => {
    const { run } = await program();
    // sources are words too: the name of a temporary folder would be drawn into the scores
    await run(ragIngest, [join(folderOf({ "kept/a.md": bread, "kept/b.md": bread, "kept/c.md": bread }), "kept")]);
    const { document } = await run(ragSearch, ["oven"], { "top-k": ["1"] });
    const [hit] = document["results"] as {
      source: string;
      copies: { id: string; source: string; heading: string; start: number; end: number }[];
    }[];
    expect([hit?.source, ...(hit?.copies ?? []).map(({ source }) => source)].map((name) => name?.split("/").at(-1))).toEqual([
      "a.md",
      "b.md",
      "c.md",
    ]);
    for (const { heading, start, end } of hit?.copies ?? [])
      expect([heading, bread.slice(start, end)]).toEqual(["Bread > Oven", "Bake it at 230 degrees for forty minutes."]);
    const { out } = await run(ragSearch, ["oven"], { "top-k": ["1"] }, "text");
    expect(out).toMatch(/\nthe same text: .*b\.md > Bread > Oven, .*c\.md > Bread > Oven\n$/);
    expect((await run(ragAsk, ["how hot is the oven?"], {}, "text")).out).toContain("the same text: ");
  });

  it("refuses a collection that is not there, with those that are, and a name that none can have", async () => {
    const { run } = await program();
    for (const [command, operands] of [
      [ragSearch, ["oven"]],
      [ragStats, []],
      [ragExport, []],
      [ragAsk, ["oven"]],
    ] as const)
      expect((await failure(run(command, operands, { collection: ["hanbook"] }))).hint).toContain("There is none");
    await run(ragIngest, [folderOf(notes)], { collection: ["handbook"] });
    expect((await run(ragSearch, ["oven"], { collection: ["handbook"] })).document).toMatchObject({ status: "ok" });
    for (const [command, operands] of [
      [ragSearch, ["oven"]],
      [ragStats, []],
      [ragExport, []],
      [ragAsk, ["oven"]],
      [ragRemove, ["x"]],
    ] as const) {
      expect(await failure(run(command, operands, { collection: ["hanbook"] }))).toMatchObject({
        code: "rag-unknown",
        exitCode: 1,
        message: "--collection: no collection hanbook; did you mean handbook?",
        hint: "There is handbook. rag ingest makes one.",
      });
      expect(await failure(run(command, operands, { collection: ["../x"] }))).toMatchObject({
        code: "usage-value",
        where: "--collection",
        exitCode: 2,
      });
    }
    expect(await failure(run(ragIngest, [folderOf(notes)], { collection: ["../x"] }))).toMatchObject({ code: "usage-value", exitCode: 2 });
    expect(await failure(run(ragSearch, ["oven"], { tenant: ["x".repeat(300)] }))).toMatchObject({
      code: "usage-value",
      where: "--tenant",
    });
  });

  it("refuses a threshold that no score has, by the name of the flag", async () => {
    const { run } = await program();
    for (const command of [ragSearch, ragAsk])
      expect(await failure(run(command, ["oven"], { threshold: ["1.5"] }))).toMatchObject({
        code: "usage-value",
        where: "--threshold",
        message: "--threshold: expected a number from -1 to 1, as scores by cosine are, got 1.5",
      });
  });

  it("searches, tells what it holds, exports and removes", async () => {
    const { run } = await program();
    const folder = folderOf(notes);
    await run(ragIngest, [folder]);
    const { document } = await run(ragSearch, ["how hot", "is the oven"], { "top-k": ["1"] });
    expect(document).toMatchObject({ status: "ok", total: 1 });
    const [hit] = document["results"] as Record<string, unknown>[];
    expect(hit).toMatchObject({
      id: join(folder, "bread.md"),
      heading: "Bread > Oven",
      content: "Bake it at 230 degrees for forty minutes.",
    });
    expect(bread.slice(Number(hit?.["start"]), Number(hit?.["end"]))).toBe(hit?.["content"]);
    expect((await run(ragSearch, ["oven"], {}, "text")).out).toMatch(/^1\. notes-\w+\/bread\.md > Bread > Oven 0\.\d{3}\nBake it/);
    expect((await run(ragStats)).document).toMatchObject({ documents: 2, chunks: 3, embedder: "lexical", collections: ["default"] });
    const lines = (await run(ragExport, [], {}, "text")).out
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as { heading: string });
    expect(lines.map(({ heading }) => heading)).toEqual(["Bread", "Bread > Oven", "Tent"]);
    expect(await failure(run(ragRemove, [folder]))).toMatchObject({ code: "usage-confirm" });
    expect((await run(ragRemove, [join(folder, "camp")], { yes: [""] })).document).toMatchObject({ removed: 1 });
    expect((await failure(run(ragRemove, ["nothing"], { yes: [""] }))).code).toBe("rag-unknown");
    expect((await failure(run(ragRemove, [""], { yes: [""] }))).message).toContain("empty name");
    expect((await run(ragRemove, [], { all: [""], yes: [""] })).document).toMatchObject({ removed: 1 });
    expect((await run(ragSearch, ["oven"], {}, "text")).err).toContain("llmspell rag ingest");
  });

  it("asks a model with numbered passages, and tells which it cites; without a passage it asks none", async () => {
    const { run, asked } = await program();
    expect(await failure(run(ragAsk, ["how hot is the oven?"]))).toMatchObject({ code: "rag-empty", hint: "Ingest files first:" });
    await run(ragIngest, [folderOf(notes)]);
    const { document } = await run(ragAsk, ["how hot is the oven?"]);
    expect(document).toMatchObject({ status: "ok", text: "At 230 degrees [1].", model: "tiny-stories" });
    expect((document["citations"] as unknown[])[0]).toMatchObject({ number: 1, is_cited: true, heading: "Bread > Oven" });
    expect(asked[0]).toMatch(/\[1\] .*bread\.md > Bread > Oven.*Bake it at 230 degrees.*how hot is the oven/);
    expect((await run(ragAsk, ["how hot is the oven?"], {}, "text")).out).toMatch(
      /^At 230 degrees \[1\]\.\n\n\[1\] .*bread\.md > Bread > Oven\n$/,
    );
    asked.length = 0;
    expect(await failure(run(ragAsk, ["zyzzyva"]))).toMatchObject({ code: "rag-empty", where: "rag.search.threshold" });
    expect(asked).toEqual([]);
  });

  it("gives a passage with an address as it stands, in a search and an export, as text and JSON", async () => {
    const { run } = await program();
    const text = "The mirror is https://me:pw@host/x today.";
    await run(ragIngest, [folderOf({ "a.txt": text })]);
    for (const format of ["text", "json"] as const) {
      expect((await run(ragSearch, ["mirror today"], {}, format)).out, format).toContain(text);
      expect((await run(ragExport, [], {}, format)).out, format).toContain(text);
    }
  });

  it("asks with the best passage, cut where the model has no room, and says what was left out", async () => {
    const { run, asked } = await program();
    const long = `The oven is hot. ${"The oven is hot and the bread is baked. ".repeat(30)}`;
    await run(ragIngest, [
      folderOf({ "long.txt": long, "short.txt": "An oven stands in the village.", "b.txt": "Somebody said the oven is old." }),
    ]);
    const { document, err } = await run(ragAsk, ["is the oven hot and the bread baked?"]);
    expect((document["citations"] as { source: string }[])[0]?.source).toMatch(/long\.txt$/);
    expect(asked[0]).toContain("The oven is hot");
    expect(err).toMatch(/the context of tiny-stories \(\d+ tokens\) has no room for all passages; .*left out: .*\.txt \(0\.\d{3}\)/);
  });

  it("reads PDF, DOCX, HTML and tables", async () => {
    const { run } = await program();
    const folder = folderOf({
      "page.html": "<title>Shed</title><nav>menu</nav><h1>Tools</h1><p>The saw hangs by the door &amp; window.</p>",
      "paper.pdf": pdfOf("The comet returns in 2061."),
      "letter.docx": docxOf("Greeting", "The parcel left Lisbon on Monday."),
      "scan.pdf": pdfOf(""),
      "people.csv": "name,town\nAda,London\nBlaise,Clermont\n",
    });
    const { document } = await run(ragIngest, [folder]);
    expect(document).toMatchObject({ documents: 4, skipped: [{ reason: expect.stringContaining("its pages may be pictures") }] });
    const best = async (query: string) => ((await run(ragSearch, [query])).document["results"] as Record<string, unknown>[])[0];
    expect(await best("when does the comet return")).toMatchObject({ content: "The comet returns in 2061." });
    expect(await best("where is the parcel from")).toMatchObject({ heading: "Greeting", content: "The parcel left Lisbon on Monday." });
    expect(await best("where hangs the saw")).toMatchObject({ heading: "Tools", content: "The saw hangs by the door & window." });
    expect(await best("Blaise")).toMatchObject({ heading: "name,town", content: "Ada,London\nBlaise,Clermont" });
  });

  it("reads no more files than rag.ingest.max_documents where that is set", async () => {
    const cwd = folderOf({ "llmspell.toml": "[rag.ingest]\nmax_documents = 2\n", "notes/a.md": "a", "notes/b.md": "b", "notes/c.md": "c" });
    const env = { LLMSPELL_HOME: join(cwd, "home") };
    const refused = await cli(["rag", "ingest", "notes"], { cwd, env });
    expect(refused).toMatchObject({ stdout: "", stderr: expect.stringContaining("expected at most 2 documents in one call, got 3") });
    expect(refused.stderr).toContain("[rag-input]");
    expect(await cli(["rag", "ingest", "notes/a.md", "notes/b.md"], { cwd, env })).toMatchObject({
      status: 0,
      stdout: "2 documents, 2 passages\n",
    });
  });

  it("tells what was removed once that is saved", async () => {
    let isReadOnly = false;
    const { run } = await program(undefined, undefined, undefined, (path) => {
      const folder = nodeSearchFolder(path);
      return {
        ...folder,
        async write(name, parts) {
          if (isReadOnly) throw new SpellError("store-denied", `${path}/${name}: the store failed (EROFS)`, { where: path });
          return folder.write(name, parts);
        },
      };
    });
    const folder = folderOf(notes);
    await run(ragIngest, [folder]);
    isReadOnly = true;
    const shown: string[] = [];
    const error = await failure(
      run(
        (context) => {
          const { screen } = context;
          const document: typeof screen.document = (value, ...rest) => {
            shown.push(JSON.stringify(value));
            screen.document(value, ...rest);
          };
          return ragRemove({ ...context, screen: { ...screen, json: screen.json, document } });
        },
        [folder],
        { yes: [] },
      ),
    );
    expect(error).toMatchObject({ code: "store-denied" });
    expect(shown).toEqual([]);
    isReadOnly = false;
    expect((await run(ragStats)).document).toMatchObject({ documents: 2 });
  });

  it("refuses a file in the place of its folder, and suggests what fills the same index", async () => {
    const file = join(folderOf({ index: "x" }), "index");
    const { run } = await program(undefined, undefined, undefined, (path) => nodeSearchFolder(join(file, path)));
    for (const command of [ragSearch, ragStats])
      expect(await failure(run(command, ["oven"]))).toMatchObject({
        code: "store-denied",
        message: `${file}: expected a folder, got a file`,
        hint: expect.stringContaining("rag.vector_storage.persistence_path"),
      });
    const { run: kept } = await program();
    const folder = folderOf(notes);
    const flags = { collection: ["ch"], tenant: ["my team"] };
    await kept(ragIngest, [folder], flags);
    await kept(ragRemove, [], { ...flags, all: [], yes: [] });
    expect((await kept(ragSearch, ["oven"], flags, "text")).err).toContain('llmspell rag ingest FOLDER --collection ch --tenant "my team"');
    expect(await failure(kept(ragAsk, ["oven"], flags))).toMatchObject({
      actions: [{ line: 'llmspell rag ingest FOLDER --collection ch --tenant "my team"' }],
    });
  });

  it("runs as the profiles say: rag-dev answers with what is bundled, rag-prod says what to pull", async () => {
    const folder = folderOf(notes);
    const cwd = home;
    expect(await cli(["-p", "rag-dev", "rag", "ingest", folder, "-q"], { cwd })).toMatchObject({
      status: 0,
      stdout: "2 documents, 3 passages\n",
    });
    const dev = await cli(["-p", "rag-dev", "rag", "ask", "how hot is the oven?", "--max-tokens", "8", "--output", "json"], { cwd });
    const told = JSON.parse(dev.stdout) as { citations: unknown[] };
    expect(told).toMatchObject({ status: "ok", model: "tiny-stories" });
    expect(told.citations[0]).toMatchObject({ number: 1, heading: "Bread > Oven" });
    expect(dev.stderr).toContain("llmspell -p rag-dev model pull qwen2.5-0.5b");
    const prod = await cli(["-p", "rag-prod", "rag", "ask", "how hot is the oven?"], { cwd });
    expect(prod.status).toBe(3);
    expect(prod.stderr).toContain("model pull qwen3-embedding-0.6b");
    expect(prod.stderr).toContain("--tenant NAME");
    rmSync(folder, { recursive: true });
  });
});
