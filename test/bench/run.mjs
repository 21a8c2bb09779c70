/**
 * The bench: ours on each runtime against that runtime used directly, in one run, interleaved, medians and spread.
 *   npm run bench                 everything that can run here, 10 rounds
 *   npm run bench -- --rounds 3 --only native,cli --without "its defaults"
 *   npm run bench -- --only cli --before ../older   beside the same commands of another built checkout
 *   npm run bench -- --only t5 --title beams        tables whose title has the word
 *   npm run bench -- --only formats --rounds 2      formats of SmolLM2 in WebAssembly, in each Node of LLMSPELL_BENCH_NODES (PATH,PATH) and in Chromium
 *   npm run bench -- --summary                      measures nothing: the newest results (test/bench/results) beside their goals, in one table
 * Writes test/bench/results/<date>.json and prints a table. Not a test: nothing fails by being slow.
 */
import { execFileSync, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import {
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import os from "node:os";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { fromSource } from "../support/from-source.mjs";
import { interleave, measure, pairRatio, spread } from "./measure.mjs";
import { summary } from "./summary.mjs";

const { values: flags } = parseArgs({
  options: {
    rounds: { type: "string", default: "10" },
    only: { type: "string", default: "" },
    without: { type: "string" },
    title: { type: "string", default: "" },
    before: { type: "string" },
    summary: { type: "boolean", default: false },
  },
});
let madeFolder;
const rounds = Number(flags.rounds);
const only = flags.only === "" ? undefined : new Set(flags.only.split(","));
const here = fileURLToPath(new URL(".", import.meta.url));
const root = fileURLToPath(new URL("../../", import.meta.url));
process.chdir(root);
if (flags.summary) {
  const reports = readdirSync("test/bench/results").map((name) => JSON.parse(readFileSync(`test/bench/results/${name}`, "utf8")));
  console.log(summary(reports.sort((a, b) => b.date.localeCompare(a.date))));
  process.exit(0);
}
const { writeCheckpoint } = await import("../fixtures/t5-checkpoint.mjs");
const { writeMiniLm } = await import("../fixtures/minilm-checkpoint.mjs");
const starts = await fromSource(["node/engines/fork-engine.ts"]);
const { smallProcess } = await import(starts.href);
starts.remove();
// What ours keeps between runs (threads, compiled code) stays out of the user's home; one uncounted run fills it, as a user's first run does.
process.env.LLMSPELL_HOME = `${root}.cache/bench-home`;
const node = process.execPath;
const cli = "dist/node/cli/main.js";
const tiny = "builtins/models/tiny-stories/tiny-stories.gguf";
const smol = `${process.env.LLMSPELL_SHARED ?? "../shared"}/models/smollm2-135m/SmolLM2-135M-Instruct.Q4_1.gguf`;
const models = [["tiny-stories Q8_0", tiny], ...(existsSync(smol) ? [["SmolLM2-135M Q4_1", smol]] : [])];
const ollama = process.env.OLLAMA_BIN ?? "../shared/bin/ollama";
if (!existsSync(smol)) console.error(`no ${smol}: only tiny-stories is measured`);
const subject = (name, ...args) => [node, `${here}subjects/${name}.mjs`, ...args];
const cores = os.availableParallelism();
const threadsOf = (count) => (count === 0 ? "its defaults" : `${count} thread${count > 1 ? "s" : ""}`);

/** Figures of a subject that reports its own, with peak memory added from outside. */
const own = (command, options) => async () => {
  const { figures, peakRssMb } = await measure(command, options);
  return { ...figures, peakRssMb };
};
const times = (command) => async () => {
  const { wallMs, firstByteMs } = await measure(command);
  return { wallMs, firstByteMs };
};

/** @param {string} program whose Python @param {string} module */
function hasModule(program, module) {
  try {
    execFileSync(program, ["-c", `import ${module}`], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
}

/** The Python that may have llama-cpp-python (test/bench/peers). */
const llamaPython =
  process.env.LLMSPELL_BENCH_PEERS === undefined ? "python3" : `${process.env.LLMSPELL_BENCH_PEERS}/venv-llama/bin/python`;

/** Python's `llm` with a model registered under the name "bench", where it is installed; its answer is stopped, since it takes no limit. */
function llm(path) {
  const program = `${process.env.LLMSPELL_BENCH_PEERS}/venv-llama/bin/llm`;
  if (!existsSync(program) || !hasModule(llamaPython, "llm_gguf")) return {};
  const folder = `${root}.cache/bench-llm`;
  mkdirSync(folder, { recursive: true });
  const env = { LLM_USER_PATH: folder, PYTHONUNBUFFERED: "1" };
  execFileSync(program, ["gguf", "register-model", "bench", realpathSync(path)], { env: { ...process.env, ...env }, stdio: "ignore" });
  return {
    "Python's llm": async () => {
      const { firstByteMs } = await measure([program, "--no-log", "-m", "gguf/bench", "Are dogs real?"], { env, killAtFirstByte: true });
      return { firstByteMs };
    },
  };
}

/** SmolLM2 in the formats that were made of it (test/bench/peers), by their names. */
function formats() {
  const folder = `${process.env.LLMSPELL_BENCH_PEERS}/gguf`;
  if (!existsSync(folder)) return [];
  return readdirSync(folder)
    .filter((name) => name.endsWith(".gguf"))
    .map((name) => [name.split(".").at(-2), `${folder}/${name}`]);
}

function hasSentenceTransformers() {
  try {
    execFileSync(`${process.env.LLMSPELL_BENCH_PEERS}/venv/bin/python`, [
      "-c",
      "import importlib.util as u, sys; sys.exit(u.find_spec('sentence_transformers') is None)",
    ]);
    return true;
  } catch {
    return false;
  }
}

/** Others' indexes, of those that were installed (test/bench/peers). */
function searchPeers() {
  const folder = process.env.LLMSPELL_BENCH_PEERS;
  if (folder === undefined) return [];
  const packages = { "sqlite-vec": "sqlite-vec", minisearch: "minisearch", orama: "@orama/orama" };
  const has = (name) => existsSync(`${folder}/node_modules/${packages[name]}`);
  return Object.keys(packages).filter((name) => has(name) && (name !== "sqlite-vec" || Number.parseInt(process.versions.node, 10) >= 24));
}

/** For texts and indexes of one run of the bench: they are made once. */
function searchFolder() {
  if (madeFolder === undefined) {
    mkdirSync(`${root}.cache`, { recursive: true });
    madeFolder = mkdtempSync(`${root}.cache/bench-search-`);
    process.on("exit", () => rmSync(madeFolder, { recursive: true, force: true }));
    for (const name of ["SIGINT", "SIGTERM"]) process.once(name, () => process.exit(1));
  }
  return madeFolder;
}

/** Where the material for questions is (test/bench/peers): those of the project, and others that lie beside it. */
function questionSets() {
  if (!existsSync(`${process.env.LLMSPELL_BENCH_PEERS}/node_modules/undici/docs`)) return [];
  const others = `${process.env.LLMSPELL_SHARED ?? `${root}../shared`}/prototypes/storage/text/questions.mjs`;
  const sets = [["the project", `${here}subjects/search-questions.mjs`]];
  return existsSync(others) ? [...sets, ["others", others]] : sets;
}

/** A command of ours, and beside it the same of an older build where one is given. */
const ours = (name, ...args) => ({
  [`llmspell ${name}`]: times([node, cli, ...args]),
  ...(flags.before === undefined ? {} : { [`before: llmspell ${name}`]: times([node, `${flags.before}/${cli}`, ...args]) }),
});
const story = (path) => ["-m", path.startsWith(".") ? path : `./${path}`, "--temperature", "0", "--max-tokens", "8", "Are dogs real?"];

const processor = (command) => async () => {
  const { wallMs, cpuMs } = await measure(command);
  return { wallMs, cpuMs };
};

const suites = {
  scripts: [
    {
      title: "print(1) from a script, in all",
      base: "node -e 0",
      figures: ["wallMs", "cpuMs"],
      subjects: {
        "node -e 0": processor([node, "-e", "0"]),
        "exec, Lua": processor([node, cli, "exec", "print(1)"]),
        "exec, JavaScript": processor([node, cli, "exec", "--engine", "js", "print(1)"]),
        "library, Lua": processor(subject("script", "start", "lua")),
        "library, JavaScript": processor(subject("script", "start", "javascript")),
      },
      rounds: rounds * 2,
    },
    {
      title: "calls of a script",
      base: "Lua",
      figures: ["callUs", "overMs", "agentMs", "libraryMs"],
      subjects: {
        Lua: own(subject("script", "calls", "lua")),
        JavaScript: own(subject("script", "calls", "javascript")),
      },
    },
  ],
  search: (flags.only.includes("search") ? [10_000, 100_000] : [10_000]).map((count) => {
    // what a hundred thousand take is told as it goes on
    const options = { timeoutMs: 1_800_000, echo: count > 10_000, env: { LLMSPELL_BENCH_RUN: searchFolder() } };
    const search = (engine) => own(subject("search", String(count), engine), options);
    return {
      title: `an index of ${count} chunks`,
      base: "ours, exact",
      figures: ["vectorMs", "wordsMs", "bothMs", "recall10", "openMs", "ingestMs", "graphMs", "buildMs", "peakRssMb"],
      subjects: {
        "ours, exact": search("ours"),
        ...(flags.only.includes("search") ? { "ours, graph": search("graph") } : {}),
        // Orama's index of so many, as its documentation saves it, is one text longer than V8's longest.
        ...Object.fromEntries(
          searchPeers()
            .filter((name) => name !== "orama" || count <= 10_000)
            .map((name) => [name, search(name)]),
        ),
      },
      rounds: Math.min(rounds, 3),
      // minutes, and gigabytes
      fewer: count > 10_000 ? { minisearch: 1 } : {},
    };
  }),
  // a share of questions, the same each time
  quality: questionSets().map(([whose, path]) => ({
    title: `sections that are found, questions of ${whose}`,
    base: "words and vectors",
    figures: ["hit1", "hit5", "hit10", "chunks", "questions"],
    rounds: 1,
    subjects: {
      "words and vectors": own(subject("search-quality", "both", path)),
      words: own(subject("search-quality", "words", path)),
      "vectors of lexical": own(subject("search-quality", "vectors", path)),
      // the project's own list has them in any case
      ...(whose === "others" && {
        "words and vectors, our guides beside": own(subject("search-quality", "both", path), { env: { LLMSPELL_BENCH_GUIDES: "1" } }),
      }),
    },
  })),
  config: [
    {
      title: "loading a profile",
      base: "node -e 0",
      figures: ["wallMs", "profileMs", "againMs", "libraryMs"],
      subjects: {
        "library, rag-prod": async () => {
          const { figures, wallMs } = await measure(subject("profile-load", "rag-prod"));
          return { wallMs, ...figures };
        },
        "node -e 0": times([node, "-e", "0"]),
        "llmspell help completion, no profile": times([node, cli, "help", "completion"]),
        "llmspell -p rag-prod config show default_engine": times([node, cli, "-q", "-p", "rag-prod", "config", "show", "default_engine"]),
      },
      rounds: rounds * 3,
    },
  ],
  cli: [
    {
      title: "CLI start-up",
      base: "node -e 0",
      figures: ["wallMs"],
      subjects: {
        "node -e 0": times([node, "-e", "0"]),
        ...ours("--version", "--version"),
        ...ours("--help", "--help"),
      },
      rounds: rounds * 3,
    },
    ...models.map(([label, path]) => ({
      title: `first token from process start, ${label}`,
      base: "bare node-llama-cpp script",
      figures: ["firstByteMs", "wallMs"],
      subjects: {
        ...ours("generate", "generate", ...story(path)),
        ...ours("generate --device wasm", "generate", "--device", "wasm", ...story(path)),
        "bare node-llama-cpp script": times(subject("bare-first-token", path, "Are dogs real?")),
        ...(only === undefined || only.has("cli") ? llm(path) : {}),
      },
    })),
  ],
  native: models.map(([label, path]) => ({
    title: `${label}, native`,
    base: "ours",
    figures: ["decodeRate", "prefillRate", "loadMs", "firstTokenFromStartMs", "peakRssMb"],
    subjects: {
      ours: own(subject("ours", path.startsWith(".") ? path : `./${path}`, "cpu")),
      ...Object.fromEntries(
        [...new Set([1, cores])].map((n) => [`node-llama-cpp, ${threadsOf(n)}`, own(subject("raw-node-llama-cpp", path, String(n)))]),
      ),
      "node-llama-cpp, its defaults": own(subject("raw-node-llama-cpp", path, "0")),
      ...(hasModule(llamaPython, "llama_cpp")
        ? Object.fromEntries(
            [...new Set([1, cores, 0])].map((n) => [
              `llama-cpp-python, ${threadsOf(n)}`,
              own([llamaPython, `${here}subjects/llama_cpp_python.py`, path, String(n)]),
            ]),
          )
        : {}),
    },
  })),
  turns: models.slice(1).flatMap(([label, path]) =>
    ["cpu", "wasm"].map((device) => ({
      title: `${label}, second turn, ${device}`,
      rounds: device === "cpu" ? rounds : Math.min(rounds, 2),
      figures: ["secondTurnMs", "scratchMs", "ratio", "secondTurnTokens", "scratchTokens"],
      subjects: { ours: own(subject("second-turn", path, device)) },
    })),
  ),
  // with a schema at most 1.1 times what a token costs without, where the prompt asks for what the schema holds it to
  forms: [...models, ["tiny-t5-en-fr", "tiny-t5-en-fr"]].flatMap(([label, path]) =>
    (path === "tiny-t5-en-fr" ? ["cpu"] : ["cpu", "wasm"]).map((device) => ({
      title: `${label}, a token with a schema and without, ${device}`,
      rounds: Math.min(rounds, device === "cpu" ? 5 : 2),
      figures: ["askedFreeMs", "askedHeldMs", "askedRatio", "storyFreeMs", "storyHeldMs", "storyRatio"],
      subjects: { ours: own(subject("forms", existsSync(path) ? `${root}${path}` : path, device)) },
    })),
  ),
  // all choices are read, and one is written by that: beside an answer of one token
  choices: [...models, ["tiny-t5-en-fr", "tiny-t5-en-fr"]].flatMap(([label, path]) =>
    (path === "tiny-t5-en-fr" ? ["cpu"] : ["cpu", "wasm"]).map((device) => ({
      title: `${label}, one of four choices and one token, ${device}`,
      rounds: Math.min(rounds, device === "cpu" ? 5 : 2),
      figures: ["tokenMs", "choiceMs", "ratio"],
      subjects: { ours: own(subject("choices", existsSync(path) ? `${root}${path}` : path, device)) },
    })),
  ),
  states: models.slice(1).map(([label, path]) => ({
    title: `${label}, a prompt that another process kept`,
    base: "computed anew",
    figures: ["firstTokenMs", "computedTokens", "cachedTokens"],
    subjects: { taken: own(subject("kept-state", path, "taken")), "computed anew": own(subject("kept-state", path, "anew")) },
  })),
  // on copying at least 1.5 times as fast, never under 0.97
  guesses: models.slice(1).map(([label, path]) => ({
    title: `${label}, guesses of repeated tokens, native, 1 thread`,
    rounds: Math.min(rounds, 5),
    figures: ["copyRate", "copyGain", "letterRate", "letterGain"],
    subjects: { ours: own(subject("gguf-guesses", path, "1"), { env: { UV_THREADPOOL_SIZE: "1" } }) },
  })),
  // for llama-cpp-python's server: test/bench/peers/README.md
  serve: models.map(([label, path]) => ({
    title: `${label}, answers over HTTP`,
    base: "library",
    figures: ["firstTokenMs", "bareHttpMs", "requestsPerSecond"],
    rounds: Math.min(rounds, 5),
    subjects: {
      library: own(subject("serve", "library", path)),
      "llmspell serve": own(subject("serve", "llmspell", path)),
      ...(existsSync(ollama) && path !== tiny ? { Ollama: own(subject("serve", "ollama", path)) } : {}),
      ...(hasModule(llamaPython, "llama_cpp.server") ? { "llama-cpp-python's server": own(subject("serve", "llama_cpp", path)) } : {}),
    },
  })),
  wasm: models.map(([label, path]) => ({
    // minutes per round on the larger model
    rounds: path === tiny ? rounds : Math.min(rounds, 2),
    title: `${label}, WASM in Node`,
    base: "ours",
    figures: ["decodeRate", "prefillRate", "decodeCpuRate", "prefillCpuRate", "loadMs", "firstTokenFromStartMs", "peakRssMb"],
    subjects: {
      ours: own(subject("ours", path.startsWith(".") ? path : `./${path}`, "wasm")),
      "ours, kernels off": own([
        "env",
        "LLMSPELL_WASM_KERNELS=off",
        ...subject("ours", path.startsWith(".") ? path : `./${path}`, "wasm", "1"),
      ]),
      ...Object.fromEntries(
        [...new Set([1, cores])].flatMap((n) => [
          [`wllama, ${threadsOf(n)}`, own(subject("raw-wllama", path, String(n)))],
          [`wllama with our kernels, ${threadsOf(n)}`, own(subject("raw-wllama", path, String(n), "kernels"))],
        ]),
      ),
    },
  })),
};

/** Versions of Node to measure in. */
const nodes = (process.env.LLMSPELL_BENCH_NODES ?? node).split(",");
/** A configuration with State in memory or in a file. */
function stateIn(backend) {
  const path = `${root}.cache/bench-state-${backend}.toml`;
  mkdirSync(`${root}.cache`, { recursive: true });
  writeFileSync(path, `[runtime.state_persistence]\nenabled = true\nbackend_type = "${backend}"\n`);
  return path;
}
for (const program of nodes) {
  const run = (backend) => processor([program, cli, "-q", "-c", stateIn(backend), "exec", 'State.load("global", "x")']);
  suites.scripts.push({
    title: `a script that reads its State, Node ${execFileSync(program, ["--version"], { encoding: "utf8" }).trim().slice(1)}`,
    base: "in memory",
    figures: ["wallMs", "cpuMs"],
    subjects: { "in memory": run("memory"), "in a file": run("file") },
    rounds: rounds * 8,
  });
}

/** One table for each format and place: ours and the engine as it is shipped, by numbers of threads. */
suites.formats = [...(existsSync(smol) ? [["Q4_1", smol]] : []), ...formats()].flatMap(([form, path]) => {
  const counts = [...new Set([1, cores])];
  const pairs = (run, most = cores) =>
    Object.fromEntries(
      counts
        .filter((n) => n <= most)
        .flatMap((n) => [
          [`ours, ${threadsOf(n)}`, own(run("ours", n))],
          [`wllama, ${threadsOf(n)}`, own(run("wllama", n))],
        ]),
    );
  const common = { base: "wllama, 1 thread", rounds: Math.min(rounds, 2), figures: ["decodeRate", "prefillRate", "loadMs", "peakRssMb"] };
  const inNode = nodes.map((program) => ({
    ...common,
    title: `SmolLM2-135M ${form}, WASM in Node ${execFileSync(program, ["--version"], { encoding: "utf8" }).trim().slice(1)}`,
    subjects: pairs((whose, n) =>
      whose === "ours"
        ? [program, `${here}subjects/ours.mjs`, path, "wasm", String(n)]
        : [program, `${here}subjects/raw-wllama.mjs`, path, String(n)],
    ),
  }));
  const inPage = ["isolated", "plain"].map((kind) => ({
    ...common,
    title: `SmolLM2-135M ${form}, WASM in Chromium, ${kind === "plain" ? "not isolated" : kind}`,
    // a page that is not isolated has no threads
    subjects: pairs(
      (whose, n) => subject("page", whose === "ours" ? "gguf-ours" : "gguf-raw", path, String(n), kind),
      kind === "plain" ? 1 : cores,
    ),
  }));
  return [...inNode, ...inPage];
});

const checkpoint = ".cache/checkpoints/flan-t5-small";
const peers = process.env.LLMSPELL_BENCH_PEERS;
const ifThere = (path, subjects) => (peers !== undefined && existsSync(`${peers}/${path}`) ? subjects(`${peers}/${path}`) : {});
/** Llmspell's T5 in a process that is started as the product starts its own. What the product keeps of weights is made before, once. */
const t5Subject = (form, kind, what) => {
  const of = (...more) => {
    const [program, ...command] = subject("t5-ours", checkpoint, form, kind, ...more);
    return own([program, ...smallProcess.execArgv, ...command], { env: smallProcess.env });
  };
  let isKept = what === "first-load";
  return async () => {
    if (!isKept) await of("keep")();
    isKept = true;
    return of(...(what === undefined ? [] : [what]))();
  };
};
const t5Subjects = (kind, forms, what) =>
  Object.fromEntries(forms.map((form) => [form === "f32" ? "ours" : `ours, ${form}`, t5Subject(form, kind, what)]));
const module = `${peers}/node_modules/@huggingface/transformers`;
const t5Figures = ["decodeRate", "firstTokenMs", "loadMs", "peakRssMb"];
suites.t5 = [
  {
    title: "T5, flan-t5-small shape, 64 in, 128 new, Node native, 2 threads",
    base: "ours",
    figures: [...t5Figures, "encodeMs"],
    subjects: {
      ...t5Subjects("native", ["f32", "q8", "q4", "f32+q4"]),
      "ours, q4, its first load": t5Subject("q4", "native", "first-load"),
      ...ifThere("flan-onnx", (folder) =>
        Object.fromEntries(
          ["fp32", "q8", "q4"].map((form) => [`transformers.js, ${form}`, own(subject("t5-transformers-js", folder, form, module))]),
        ),
      ),
      ...ifThere("ct2", (folder) => {
        const run = (...more) => own([`${peers}/venv/bin/python`, `${here}subjects/t5_ctranslate2.py`, folder, ...more]);
        return { "CTranslate2, f32": run("float32", "2"), "CTranslate2, int8": run("int8", "2") };
      }),
    },
  },
  {
    title: "T5, flan-t5-small shape, 4 beams and batches of 16, Node native, 2 threads",
    base: "ours",
    rounds: Math.min(rounds, 5),
    figures: ["beam4Rate", "batch16Rate", "peakRssMb"],
    subjects: {
      ...t5Subjects("native", ["f32", "q8", "q4"], "many"),
      ...ifThere("ct2", (folder) => {
        const run = (...more) => own([`${peers}/venv/bin/python`, `${here}subjects/t5_ctranslate2.py`, folder, ...more, "many"]);
        return { "CTranslate2, f32": run("float32", "2"), "CTranslate2, int8": run("int8", "2") };
      }),
    },
  },
  {
    title: "T5, flan-t5-small shape, the encoder in f32 at 64 and 512 tokens, Node native, 2 threads",
    base: "ours",
    rounds: Math.min(rounds, 5),
    figures: ["encode64Ms", "encode512Ms", "withKeys64Ms", "withKeys512Ms"],
    subjects: {
      ours: own(subject("t5-encoder", checkpoint)),
      ...ifThere("flan-onnx", (folder) => ({ "transformers.js, fp32": own(subject("t5-encoder", folder, module)) })),
    },
  },
  {
    title: "T5, flan-t5-small shape, prompt lookup in f32 by what the answer repeats, 2 threads",
    rounds: Math.min(rounds, 5),
    figures: ["copyRate", "copyGain", "rewriteRate", "rewriteGain", "otherRate", "otherGain"],
    subjects: { ours: own(subject("t5-lookup", checkpoint)) },
  },
  {
    title: "T5, flan-t5-small shape, 64 in, 128 new, WASM in Node",
    base: "ours",
    rounds: Math.min(rounds, 5),
    figures: [...t5Figures, "encodeMs"],
    // q4 is computed as q8 is
    subjects: {
      ...t5Subjects("web", ["f32", "q8"]),
      "ours, q8, its first load": t5Subject("q8", "web", "first-load"),
      "ours, 2 threads": t5Subject("f32", "web", "2-threads"),
      "ours, q8, 2 threads": t5Subject("q8", "web", "2-threads"),
    },
  },
];

const miniLm = ".cache/checkpoints/minilm";
const embedFigures = [...["short", "long"].flatMap((kind) => [1, 16, 64].map((size) => `${kind}${size}Rate`)), "loadMs", "peakRssMb"];
const slowly = { timeoutMs: 600_000 };
suites.embed = [
  {
    title: "embeddings, MiniLM shape, batches of 1, 16 and 64, Node native, 2 threads",
    base: "ours",
    rounds: Math.min(rounds, 5),
    figures: embedFigures,
    subjects: {
      ours: own(subject("embed-ours", miniLm, "native"), slowly),
      ...ifThere("minilm-onnx", (folder) => ({
        "transformers.js, fp32": own(subject("embed-transformers-js", folder, miniLm, module), slowly),
      })),
      ...ifThere("venv/lib", () => {
        const command = [`${peers}/venv/bin/python`, `${here}subjects/embed_sentence_transformers.py`, miniLm, "2"];
        return hasSentenceTransformers() ? { "sentence-transformers": own(command, slowly) } : {};
      }),
    },
  },
  {
    title: "embeddings, MiniLM shape, WASM in Node, 1 thread",
    base: "ours",
    rounds: Math.min(rounds, 3),
    figures: embedFigures,
    subjects: { ours: own(subject("embed-ours", miniLm, "web"), slowly) },
  },
  {
    title: `embeddings, MiniLM shape, one page of Chromium, WASM, ${cores} threads`,
    base: "ours",
    rounds: Math.min(rounds, 3),
    figures: embedFigures,
    subjects: {
      "an empty page": own(subject("page", "empty")),
      ours: own(subject("page", "embed-ours", miniLm), slowly),
      ...ifThere("minilm-onnx", (folder) => ({
        "transformers.js, fp32": own(subject("page", "embed-transformers-js", folder, module, miniLm), slowly),
      })),
    },
  },
];

suites.page = [
  {
    title: "tiny-stories Q8_0, one page of Chromium, WASM",
    base: "wllama, 1 thread",
    rounds: Math.min(rounds, 5),
    figures: ["decodeRate", "prefillRate", "loadMs", "firstTokenMs", "peakRssMb"],
    subjects: { ours: own(subject("page", "gguf-ours", tiny)), "wllama, 1 thread": own(subject("page", "gguf-raw", tiny, "1")) },
  },
  {
    title: "T5, flan-t5-small shape, 128 new, one page of Chromium, WASM",
    base: "ours",
    rounds: Math.min(rounds, 5),
    figures: t5Figures,
    subjects: {
      // with a tokenizer: a page reads texts
      ...ifThere("flan", (folder) => ({
        "an empty page": own(subject("page", "empty")),
        ours: own(subject("page", "t5-ours", folder)),
      })),
      ...ifThere("flan-onnx", (folder) => ({ "transformers.js, fp32": own(subject("page", "t5-transformers-js", folder, module)) })),
    },
  },
];

const version = (name) => JSON.parse(readFileSync(`node_modules/${name}/package.json`, "utf8")).version;
const report = () => ({
  date: new Date().toISOString(),
  machine: {
    cpu: os.cpus()[0]?.model,
    cores,
    memoryGiB: Math.round(os.totalmem() / 2 ** 30),
    platform: `${process.platform} ${process.arch}`,
  },
  versions: {
    node: process.version,
    llmspell: JSON.parse(readFileSync("package.json", "utf8")).version,
    "node-llama-cpp": version("node-llama-cpp"),
    "@wllama/wllama": version("@wllama/wllama"),
    "onnxruntime-node": version("onnxruntime-node"),
    "onnxruntime-web": version("onnxruntime-web"),
  },
  commit: execFileSync("git", ["rev-parse", "--short", "HEAD"], { encoding: "utf8" }).trim(),
  rounds,
  results: [...earlier.filter(({ title }) => !results.some((fresh) => fresh.title === title)), ...results],
});

const file = `test/bench/results/${new Date().toISOString().slice(0, 10)}.json`;
mkdirSync("test/bench/results", { recursive: true });

/** A pull of 1 GB on loopback, hash and durability included. The server is a process of its own. */
async function pullSuite() {
  const folder = `${root}.cache/bench-pull`;
  mkdirSync(folder, { recursive: true });
  const file = `${folder}/file`;
  const size = 1e9;
  if (!existsSync(file)) {
    const handle = openSync(file, "w");
    for (let at = 0; at < size; at += 1e7) writeSync(handle, randomBytes(1e7));
    closeSync(handle);
  }
  const sha256 = execFileSync("sha256sum", [file], { encoding: "utf8" }).slice(0, 64);
  const server = spawn(node, [`${here}subjects/file-server.mjs`, file], { stdio: ["ignore", "pipe", "inherit"] });
  process.on("exit", () => server.kill());
  const url = await new Promise((resolve) => server.stdout.once("data", (chunk) => resolve(String(chunk).trim())));
  const whole = (command) => async () => {
    const { wallMs, peakRssMb, figures } = await measure(command);
    return { wallMs, peakRssMb, mbPerSecond: figures.mbPerSecond ?? size / 1e3 / wallMs };
  };
  return [
    {
      title: "pull of 1 GB on loopback, hashed and durable",
      base: "curl && sha256sum && sync",
      figures: ["wallMs", "mbPerSecond", "peakRssMb"],
      subjects: {
        "curl && sha256sum && sync": whole([
          "sh",
          "-c",
          `curl -s -o '${folder}/f' ${url} && sha256sum '${folder}/f' >&2 && sync '${folder}/f'; rm '${folder}/f'`,
        ]),
        "ours, 4 connections": whole(subject("pull", url, String(size), sha256, `${folder}/store`)),
        "ours, 1 connection": whole(subject("pull", url, String(size), sha256, `${folder}/store`, "1")),
      },
    },
  ];
}
if (only?.has("pull") === true || only === undefined) suites.pull = await pullSuite();

const results = [];
/** Of earlier runs of the day: what this one does not measure again. */
const earlier = existsSync(file) ? JSON.parse(readFileSync(file, "utf8")).results : [];
for (const [name, list] of Object.entries(suites)) {
  // an hour for all of them
  if (only === undefined ? name === "formats" : !only.has(name)) continue;
  if (name === "t5" || name === "page") writeCheckpoint("flan-t5-small", checkpoint);
  if (name === "embed") writeMiniLm(miniLm);
  for (const suite of list.filter(({ title }) => title.includes(flags.title))) {
    if (flags.without !== undefined) {
      for (const subjectName of Object.keys(suite.subjects)) if (subjectName.includes(flags.without)) delete suite.subjects[subjectName];
    }
    process.stderr.write(`${suite.title} `);
    await (suite.subjects.ours ?? suite.subjects["llmspell generate"])?.();
    await suite.subjects["llmspell generate --device wasm"]?.();
    const rows = await interleave(suite.subjects, suite.rounds ?? rounds, {
      onRound: () => process.stderr.write("."),
      // its defaults take every processor, and then spin: up to a minute a run on two cores
      fewer: { "node-llama-cpp, its defaults": Math.min(suite.rounds ?? rounds, 3), ...suite.fewer },
    });
    process.stderr.write("\n");
    const subjects = Object.fromEntries(
      Object.entries(rows).map(([subjectName, list]) => [
        subjectName,
        Object.fromEntries(
          suite.figures
            // not every subject can do everything
            .filter((figure) => list.every((row) => row[figure] !== undefined))
            .map((figure) => [
              figure,
              {
                ...spread(list.map((row) => row[figure])),
                ...(suite.base === undefined || subjectName === suite.base || rows[suite.base].some((row) => row[figure] === undefined)
                  ? {}
                  : { ratioToBase: pairRatio(list, rows[suite.base], figure) }),
              },
            ]),
        ),
      ]),
    );
    const threads = rows.ours?.[0]?.threads;
    results.push({ suite: name, title: suite.title, base: suite.base, subjects, ...(threads === undefined ? {} : { threads }) });
    table(results.at(-1), suite.figures);
    // after each suite: a long run that is stopped keeps what it has
    writeFileSync(file, `${JSON.stringify(report(), null, 1)}\n`);
  }
}
console.error(`written to ${file}`);

function table({ title, base, subjects, threads }, order) {
  const figures = [...new Set(Object.values(subjects).flatMap((row) => Object.keys(row)))].sort(
    (a, b) => order.indexOf(a) - order.indexOf(b),
  );
  console.log(
    `\n${title}${threads === undefined ? "" : ` (ours: ${threads.prompt} threads for the prompt, ${threads.decode} to decode, ${threads.origin})`}`,
  );
  const width = Math.max(...Object.keys(subjects).map((name) => name.length));
  console.log(`${"".padEnd(width)}  ${figures.map((figure) => figure.padStart(30)).join("")}`);
  for (const [name, row] of Object.entries(subjects)) {
    const cells = figures.map((figure) => {
      if (row[figure] === undefined) return "–".padStart(30);
      const { median, min, max, ratioToBase } = row[figure];
      return `${short(median)} (${short(min)}–${short(max)})${ratioToBase === undefined ? "" : ` ${ratioToBase.toFixed(2)}x`}`.padStart(30);
    });
    console.log(`${name.padEnd(width)}  ${cells.join("")}`);
  }
  if (base !== undefined) console.log(`${"".padEnd(width)}  ratios are to "${base}", pair by pair`);
}

function short(value) {
  return value >= 100 ? value.toFixed(0) : value.toFixed(value < 1 && value > 0 ? 2 : 1);
}
