/** `npm run bench -- --summary`: what the results of a day say beside their goals: ours, the best of the others in the same run, the limit. */

/** Larger is better of rates; of everything else smaller is. */
const isRate = (figure) => figure.endsWith("Rate") || figure === "mbPerSecond";

/** A goal: our figure over the best of the others, at least (rates) or at most the limit. `ours` and `peers` are parts of subjects' names. */
const goals = [
  { title: "CLI start-up", ours: "llmspell --version", peers: "node -e 0", figure: "wallMs", limit: 1.3 },
  { title: "CLI start-up", ours: "llmspell --help", peers: "node -e 0", figure: "wallMs", limit: 1.6 },
  { title: "first token from process start, tiny-stories", ours: "llmspell generate", peers: "bare node", figure: "firstByteMs", limit: 1 },
  { title: "first token from process start, SmolLM2", ours: "llmspell generate", peers: "bare node", figure: "firstByteMs", limit: 0.4 },
  { title: "first token from process start, SmolLM2", ours: "llmspell generate", peers: "Python's llm", figure: "firstByteMs", limit: 1 },
  { title: "tiny-stories Q8_0, native", ours: "ours", peers: "node-llama-cpp", figure: "decodeRate", limit: 0.95 },
  { title: "tiny-stories Q8_0, native", ours: "ours", peers: "node-llama-cpp", figure: "prefillRate", limit: 0.95 },
  { title: "SmolLM2-135M Q4_1, native", ours: "ours", peers: "node-llama-cpp", figure: "decodeRate", limit: 0.97 },
  { title: "SmolLM2-135M Q4_1, native", ours: "ours", peers: "node-llama-cpp", figure: "prefillRate", limit: 0.97 },
  { title: "SmolLM2-135M Q4_1, native", ours: "ours", peers: "llama-cpp-python", figure: "decodeRate", limit: 1 },
  { title: "tiny-stories Q8_0, WASM in Node", ours: "ours", peers: "wllama", figure: "decodeRate", limit: 0.97 },
  { title: "tiny-stories Q8_0, WASM in Node", ours: "ours", peers: "wllama", figure: "loadMs", limit: 1.1 },
  { title: "SmolLM2-135M Q4_1, WASM in Node", ours: "ours", peers: "wllama", figure: "decodeRate", limit: 0.97 },
  { title: "a prompt that another process kept", ours: "taken", peers: "computed anew", figure: "firstTokenMs", limit: 0.1 },
  { title: "64 in, 128 new, Node native", ours: "ours", peers: "transformers.js, fp32", figure: "decodeRate", limit: 1.1 },
  { title: "64 in, 128 new, Node native", ours: "ours, q4", peers: "transformers.js", figure: "decodeRate", limit: 1.7 },
  { title: "64 in, 128 new, Node native", ours: "ours", peers: "CTranslate2", figure: "decodeRate", limit: 1 },
  { title: "64 in, 128 new, Node native", ours: "ours", peers: "transformers.js, fp32", figure: "firstTokenMs", limit: 0.5 },
  { title: "64 in, 128 new, Node native", ours: "ours", peers: "transformers.js, fp32", figure: "loadMs", limit: 0.4 },
  { title: "64 in, 128 new, Node native", ours: "ours", peers: "transformers.js, fp32", figure: "peakRssMb", limit: 0.6 },
  { title: "4 beams and batches of 16", ours: "ours, q4", peers: "CTranslate2", figure: "beam4Rate", limit: 1.4 },
  { title: "4 beams and batches of 16", ours: "ours, q4", peers: "CTranslate2", figure: "batch16Rate", limit: 1 },
  { title: "128 new, one page of Chromium", ours: "ours", peers: "transformers.js", figure: "decodeRate", limit: 1.1 },
  { title: "128 new, one page of Chromium", ours: "ours", peers: "transformers.js", figure: "loadMs", limit: 0.5 },
  { title: "tiny-stories Q8_0, one page of Chromium", ours: "ours", peers: "wllama", figure: "decodeRate", limit: 0.97 },
  ...["embeddings, MiniLM shape, batches", "embeddings, MiniLM shape, one page"].flatMap((title) =>
    ["short1Rate", "short16Rate", "short64Rate", "long1Rate", "long16Rate", "long64Rate", "loadMs", "peakRssMb"].map((figure) => ({
      title,
      ours: "ours",
      peers: "transformers.js",
      figure,
      limit: { loadMs: 0.5, peakRssMb: 0.7 }[figure] ?? 1.2,
    })),
  ),
  { title: "pull of 1 GB", ours: "ours, 4 connections", peers: "curl", figure: "mbPerSecond", limit: 0.9 },
];

/**
 * @param reports what run.mjs wrote, newest first: of each table the newest counts
 * @returns a line for each goal whose figures were measured
 */
export function summary(reports) {
  const cells = goals.flatMap(({ title, ours, peers, figure, limit }) => {
    const report = reports.find(({ results }) => results.some((result) => result.title.includes(title)));
    const subjects = report?.results.find((result) => result.title.includes(title)).subjects ?? {};
    const larger = isRate(figure);
    const mine = subjects[ours]?.[figure]?.median;
    const [best] = Object.entries(subjects)
      .filter(([name, row]) => name !== ours && name.startsWith(peers) && row[figure] !== undefined)
      .map(([name, row]) => ({ name, value: row[figure].median }))
      .sort((a, b) => (larger ? b.value - a.value : a.value - b.value));
    if (mine === undefined || best === undefined) return [];
    const ratio = mine / best.value;
    const met = larger ? ratio >= limit : ratio <= limit;
    const cell = [
      title,
      figure,
      short(mine),
      `${short(best.value)} ${best.name}`,
      `${ratio.toFixed(2)}x`,
      `${larger ? "≥" : "≤"} ${limit}x`,
    ];
    return [[...cell, met ? "met" : "missed", report.date.slice(0, 10)]];
  });
  const head = ["", "figure", "ours", "best peer", "ratio", "limit", "", "measured"];
  const widths = head.map((name, column) => Math.max(name.length, ...cells.map((row) => row[column].length)));
  return [head, ...cells]
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column]))
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}

const short = (value) => value.toFixed(value < 100 ? 1 : 0);
