/**
 * What the layer rules cannot see, as it is no import: who asks for a backend by its name, and where core speaks in command lines.
 * `node tools/neutral.mjs [FOLDER]` prints each place and ends with 1; test/package/layers.test.ts plants a breach of each.
 */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import ts from "typescript";

const root = process.argv[2] ?? fileURLToPath(new URL("..", import.meta.url));
const backends = new Set(["ollama", "candle"]);
/** A backend's own folder. Everything else asks what a backend can do. */
const ownFolder = /^src\/core\/backends\/(ollama|candle)\//;
const comparisons = new Set([
  ts.SyntaxKind.EqualsEqualsToken,
  ts.SyntaxKind.EqualsEqualsEqualsToken,
  ts.SyntaxKind.ExclamationEqualsToken,
  ts.SyntaxKind.ExclamationEqualsEqualsToken,
]);
/** Flags of programs that core runs as libraries. */
const notOurs = new Set(["--argjson"]);
const commandLine =
  /\bllmspell (?:generate|chat|model|config|doctor|ps|version|completion|help|init|run|exec|repl|serve)\b|\bollama (?:serve|pull|run|list|rm|show)\b|\bnp(?:m|x) \w|(?<![\w-])--[a-z]/;
/** @type {string[]} */
const faults = [];

for (const name of readdirSync(join(root, "src"), { recursive: true, encoding: "utf8" })) {
  if (!name.endsWith(".ts")) continue;
  const path = `src/${name.replaceAll("\\", "/")}`;
  const file = ts.createSourceFile(path, readFileSync(join(root, path), "utf8"), ts.ScriptTarget.ES2022, true);
  const asks = !ownFolder.test(path);
  const isCore = /^src\/core\//.test(path) && !path.endsWith(".generated.ts");
  const report = (/** @type {ts.Node} */ node, /** @type {string} */ rule) =>
    faults.push(`${path}:${file.getLineAndCharacterOfPosition(node.getStart()).line + 1} ${rule}: ${node.getText().slice(0, 120)}`);
  const isBackend = (/** @type {ts.Node | undefined} */ node) =>
    node !== undefined && ts.isStringLiteralLike(node) && backends.has(node.text);
  const visit = (/** @type {ts.Node} */ node) => {
    if (asks) {
      if (ts.isBinaryExpression(node) && comparisons.has(node.operatorToken.kind) && (isBackend(node.left) || isBackend(node.right))) {
        report(node, "backend-by-name");
      }
      if (ts.isCaseClause(node) && isBackend(node.expression)) report(node.expression, "backend-by-name");
      if (ts.isCallExpression(node) && /\.includes$/.test(node.expression.getText()) && isBackend(node.arguments[0])) {
        report(node, "backend-by-name");
      }
    }
    if (isCore && (ts.isStringLiteralLike(node) || ts.isTemplateHead(node) || ts.isTemplateMiddleOrTemplateTail(node))) {
      if (commandLine.test(node.text) && !notOurs.has(node.text)) report(node, "command-in-core");
    }
    ts.forEachChild(node, visit);
  };
  visit(file);
}

for (const fault of faults) console.error(fault);
if (faults.length > 0) process.exitCode = 1;
