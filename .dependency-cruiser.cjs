/** Who may import whom (ARCHITECTURE.md has the picture). test/package/layers.test.ts plants a breach of each rule and sees it named. */
const ranks = [
  [
    "base64",
    "errors",
    "limits",
    "checked",
    "protobuf",
    "json",
    "nearest",
    "file-names",
    "sampling",
    "values",
    "wildcard",
    "bucket",
    "version",
    "platform",
    "spec",
    "grammar",
  ],
  ["config", "formats", "text", "download", "remote", "search"],
  ["tools", "onnx"],
  ["embed"],
  ["gguf", "t5", "bert"],
  ["devices", "hub", "store"],
  ["backends", "sessions", "events", "toolbox", "workflow", "rag"],
  ["api"],
  ["agents", "state", "ai-sdk", "prompt-api"],
  ["scripts", "serve"],
];
/** Files that lower ranks and siblings speak of: a byte source is an interface with its own three makers beside it; what a file is by its first bytes; counts are written one way everywhere. */
const spokenOf = "^src/core/formats/(byte-source|format-count|guess-kind)[.]ts$";
const engines = "(^|node_modules/)(onnxruntime-|@wllama/|node-llama-cpp|webgpu(/|$))";

const above = (rank) => [...ranks.slice(rank + 1).flat(), "index", "testing"].join("|");
const rule = (name, from, to) => ({ name, severity: "error", from, to });

const rankRules = ranks.map((names, rank) =>
  rule(
    `rank-${rank}`,
    { path: `^src/core/(${names.join("|")})[./]` },
    rank === 0 ? { path: `^src/core/(${above(rank)})[./]`, pathNot: spokenOf } : { path: `^src/core/(${above(rank)})[./]` },
  ),
);
const siblingRules = ranks
  .slice(1)
  .flatMap((names) =>
    names
      .filter(() => names.length > 1)
      .map((name) =>
        rule(
          `siblings-${name}`,
          { path: `^src/core/${name}[./]` },
          { path: `^src/core/(${names.filter((other) => other !== name).join("|")})[./]`, pathNot: spokenOf },
        ),
      ),
  );

module.exports = {
  forbidden: [
    rule("no-circular", {}, { circular: true }),
    rule("no-unresolved", { path: "^src" }, { couldNotResolve: true, pathNot: "^(node-llama-cpp|onnxruntime-web/(wasm|webgpu))$" }),
    rule("core-is-neutral", { path: "^src/core" }, { path: "^src/(node|browser|edge|engines)" }),
    rule("core-no-node-builtins", { path: "^src/core" }, { dependencyTypes: ["core"] }),
    rule("engines-stay-outside", { path: "^src/core" }, { path: engines }),
    rule("drivers-are-shared", { path: "^src/engines" }, { path: "^src/(node|browser|edge)" }),
    rule("drivers-no-node-builtins", { path: "^src/engines" }, { dependencyTypes: ["core"] }),
    rule("node-not-browser", { path: "^src/node" }, { path: "^src/browser" }),
    rule("browser-not-node", { path: "^src/browser" }, { path: "^src/node" }),
    rule("edge-is-core-alone", { path: "^src/edge" }, { path: `^src/(node|browser|engines)|${engines}` }),
    rule("edge-no-node-builtins", { path: "^src/edge" }, { dependencyTypes: ["core"] }),
    rule("browser-no-node-builtins", { path: "^src/browser" }, { dependencyTypes: ["core"] }),
    rule("cli-is-a-leaf", { path: "^src", pathNot: "^src/node/cli" }, { path: "^src/node/cli" }),
    rule("tests-stay-outside", { path: "^src" }, { path: "^(test|tools|examples|demo|builtins)/" }),
    rule(
      "no-dev-packages",
      { path: "^src" },
      { dependencyTypes: ["npm-dev"], pathNot: "node_modules/(mammoth|unpdf|node-llama-cpp|libsql)/" },
    ),
    ...rankRules,
    ...siblingRules,
  ],
  options: { tsConfig: { fileName: "tsconfig.base.json" }, tsPreCompilationDeps: true, doNotFollow: { path: "node_modules" } },
};
