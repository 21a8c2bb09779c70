/**
 * Takes the pictures of README.md from the real thing: `node tools/pictures.mjs`, after `npm run build` and `npm run demo:build`.
 *   docs/pictures/page.png      the demo page, answering with its server stopped and the network off
 *   docs/pictures/terminal.png  the command line in a terminal of its own (`script` of util-linux)
 */
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { crc32, deflateSync } from "node:zlib";
import { chromium } from "playwright";
import { findChromium } from "./chromium.mjs";
import { serve } from "./serve.mjs";

/** @typedef {import("playwright").Browser} Browser */

const root = fileURLToPath(new URL("..", import.meta.url));
const folder = join(root, "docs/pictures");

/** What the terminal shows, one after the other. */
const commands = [
  'llmspell generate "Once upon a time" --seed 4 --stats',
  'llmspell generate -m tiny-t5-en-fr "translate English to French: Where is the train station?"',
  "llmspell model list",
];
const columns = 100;

/** Loads both a page and a model while there is a network; then there is none, and the page is loaded again. */
async function takePage(/** @type {Browser} */ browser) {
  const server = await serve(join(root, "demo/dist"));
  const context = await browser.newContext({ viewport: { width: 1180, height: 920 }, deviceScaleFactor: 1.4, colorScheme: "light" });
  context.setDefaultTimeout(120_000);
  const page = await context.newPage();
  const ask = async (/** @type {string} */ prompt) => {
    const before = await page.locator(".said").count();
    await page.getByRole("textbox", { name: "Prompt" }).fill(prompt);
    await page.getByRole("button", { name: "Generate", exact: true }).click();
    await page.locator(".said").nth(before).waitFor();
    await page.locator("#stop:disabled").waitFor();
  };
  await page.goto(server.url);
  await page.getByText("Works offline", { exact: true }).waitFor();
  await ask("Once upon a time");
  await server.close();
  await context.setOffline(true);
  await page.reload();
  // the story of before is kept over the reload
  await page.locator(".turn").waitFor();
  await page.getByRole("button", { name: "Clear" }).click();
  await page.getByText("Parameters").click();
  await page.getByLabel("Seed", { exact: true }).fill("5");
  await page.getByText("Parameters").click();
  await ask("Once upon a time, there was a little dragon");
  await page.evaluate("document.activeElement.blur(); scrollTo(0, 0); log.scrollTop = 0");
  await save(browser, "page.png", await page.screenshot());
  await context.close();
}

/** @returns what a terminal of that width gets: text with its escape sequences */
function runInTerminal(/** @type {string} */ command, /** @type {string} */ home) {
  const { NO_COLOR: _, ...env } = process.env;
  const program = `"${process.execPath}" "${join(root, "dist/node/cli/main.js")}"`;
  const { stdout, status } = spawnSync("script", ["-qec", `stty cols ${columns}; ${command.replace(/^llmspell/, program)}`, "/dev/null"], {
    encoding: "utf8",
    env: { ...env, TERM: "xterm-256color", LLMSPELL_HOME: home, PATH: [dirname(process.execPath), env.PATH].join(delimiter) },
    stdio: ["ignore", "pipe", "inherit"],
  });
  if (status !== 0) throw new Error(`${command} ended with ${status}: ${stdout}`);
  return stdout;
}

const classes = /** @type {Record<string, string>} */ ({ 1: "bold", 2: "dim", 31: "red", 32: "green", 33: "yellow", 36: "cyan" });

/** A line that is written again after a carriage return shows its last text. @returns markup */
function render(/** @type {string} */ output) {
  return output
    .replaceAll("\r\n", "\n")
    .split("\n")
    .map((line) => line.slice(line.lastIndexOf("\r") + 1).replace(/[&<>]/g, (sign) => `&#${sign.charCodeAt(0)};`))
    .join("\n")
    .split("\u001b[")
    .map((piece, at) =>
      at === 0 ? piece : piece.replace(/^(\d+)m/, (_, code) => (code === "0" ? "</span>" : `<span class="${classes[code] ?? ""}">`)),
    )
    .join("");
}

async function takeTerminal(/** @type {Browser} */ browser) {
  const home = mkdtempSync(join(tmpdir(), "llmspell-pictures-"));
  try {
    // the first load of a size measures threads, once for each machine
    runInTerminal("llmspell generate hello --max-tokens 1", home);
    const shown = commands.map(
      (command) => `<span class="prompt">$</span> <b>${command}</b>\n${render(runInTerminal(command, home)).trim()}`,
    );
    const page = await browser.newPage({ viewport: { width: 900, height: 400 }, deviceScaleFactor: 1.75 });
    await page.setContent(`<!doctype html><style>
      body { margin: 0; width: max-content; background: #1a1728; }
      pre { margin: 0; padding: 20px 22px; width: ${columns}ch; font: 13.5px/20px "DejaVu Sans Mono", Menlo, Consolas, monospace; color: #e4e0f2; white-space: pre-wrap; }
      .prompt { color: #ffd166 } b { color: #fff } .dim { color: #9a92b5 } .cyan { color: #7fd4e6 } .green { color: #6fd3a0 } .yellow { color: #f0c46c } .red { color: #ff9a92 } .bold { font-weight: bold }
    </style><pre>${shown.join("\n\n")}</pre>`);
    await save(browser, "terminal.png", await page.locator("pre").screenshot());
    await page.close();
  } finally {
    rmSync(home, { recursive: true });
  }
}

/** Writes a screenshot with 256 colours instead of all, which is a third of its size. */
async function save(/** @type {Browser} */ browser, /** @type {string} */ name, /** @type {Buffer} */ screenshot) {
  const page = await browser.newPage();
  const { width, height, base64 } = await page.evaluate(`(async () => {
    const image = await createImageBitmap(await (await fetch("data:image/png;base64,${screenshot.toString("base64")}")).blob());
    const context = new OffscreenCanvas(image.width, image.height).getContext("2d");
    context.drawImage(image, 0, 0);
    const pixels = new Blob([context.getImageData(0, 0, image.width, image.height).data]);
    const url = await new Promise((resolve) => {
      const reader = new FileReader();
      reader.onload = () => resolve(reader.result);
      reader.readAsDataURL(pixels);
    });
    return { width: image.width, height: image.height, base64: url.slice(url.indexOf(",") + 1) };
  })()`);
  await page.close();
  writeFileSync(join(folder, name), indexedPng(Buffer.from(base64, "base64"), width, height));
}

/** @returns a PNG of the most frequent colours; every other one becomes the nearest of those @param rgba [height, width, 4] */
function indexedPng(/** @type {Buffer} */ rgba, /** @type {number} */ width, /** @type {number} */ height) {
  /** @type {Map<number, number>} */
  const counts = new Map();
  for (let at = 0; at < rgba.length; at += 4) counts.set(rgba.readUIntBE(at, 3), (counts.get(rgba.readUIntBE(at, 3)) ?? 0) + 1);
  const palette = [...counts]
    .sort((a, b) => b[1] - a[1])
    .slice(0, 256)
    .map(([color]) => color);
  const channels = (/** @type {number} */ color) => [color >> 16, (color >> 8) & 255, color & 255];
  const distance = (/** @type {number} */ a, /** @type {number} */ b) =>
    channels(a).reduce((sum, value, channel) => sum + (value - (channels(b)[channel] ?? 0)) ** 2, 0);
  const nearest = new Map(
    [...counts.keys()].map((color) => [
      color,
      palette.reduce((best, other, at) => (distance(color, other) < distance(color, palette[best] ?? 0) ? at : best), 0),
    ]),
  );
  // each row begins with its filter: none
  const rows = Buffer.alloc(height * (width + 1));
  for (let y = 0; y < height; y += 1) {
    for (let x = 0; x < width; x += 1) rows[y * (width + 1) + 1 + x] = nearest.get(rgba.readUIntBE((y * width + x) * 4, 3)) ?? 0;
  }
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header.set([8, 3], 8);
  return Buffer.concat([
    Buffer.from("\x89PNG\r\n\x1a\n", "latin1"),
    chunk("IHDR", header),
    chunk("PLTE", Buffer.from(palette.flatMap(channels))),
    chunk("IDAT", deflateSync(rows, { level: 9 })),
    chunk("IEND", Buffer.alloc(0)),
  ]);
}

function chunk(/** @type {string} */ type, /** @type {Buffer} */ data) {
  const body = Buffer.concat([Buffer.from(type, "latin1"), data]);
  const ends = Buffer.alloc(8);
  ends.writeUInt32BE(data.length, 0);
  ends.writeUInt32BE(crc32(body), 4);
  return Buffer.concat([ends.subarray(0, 4), body, ends.subarray(4)]);
}

mkdirSync(folder, { recursive: true });
const executablePath = findChromium();
const browser = await chromium.launch({ ...(executablePath === undefined ? {} : { executablePath }), args: ["--no-sandbox"] });
try {
  await takeTerminal(browser);
  await takePage(browser);
} finally {
  await browser.close();
}
