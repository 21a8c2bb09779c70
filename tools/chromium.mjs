/** Finds a Chromium for the browser suite, or installs one. Only test machines need it; users never do. */
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";

const usual = [
  "/usr/bin/chromium",
  "/usr/bin/chromium-browser",
  "/usr/bin/google-chrome-stable",
  "/usr/bin/google-chrome",
  "/snap/bin/chromium",
  "/Applications/Chromium.app/Contents/MacOS/Chromium",
  "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
  "C:\\Program Files\\Google\\Chrome\\Application\\chrome.exe",
  "C:\\Program Files (x86)\\Google\\Chrome\\Application\\chrome.exe",
];

const succeeds = (/** @type {string} */ command, /** @type {string[]} */ args) =>
  spawnSync(command, args, {
    stdio: ["ignore", "inherit", "inherit"],
    timeout: 300_000,
    env: { ...process.env, DEBIAN_FRONTEND: "noninteractive" },
  }).status === 0;

/** Debian's package, where we may install one. Ubuntu's package of this name is a stub for snap, so Ubuntu goes to playwright. */
function installFromDebian() {
  const release = "/etc/os-release";
  if (!existsSync(release) || !/^ID=debian$/m.test(readFileSync(release, "utf8"))) return;
  const root = process.getuid?.() === 0;
  if (!root && !succeeds("sudo", ["-n", "true"])) return;
  const apt = (/** @type {string[]} */ ...args) => (root ? succeeds("apt-get", args) : succeeds("sudo", ["-n", "apt-get", ...args]));
  if (apt("-qq", "update")) apt("-qq", "install", "-y", "--no-install-recommends", "chromium");
}

function playwrightChromium() {
  const require = createRequire(import.meta.url);
  /** @type {string} */
  const path = require("playwright").chromium.executablePath();
  if (!existsSync(path)) succeeds(process.execPath, [require.resolve("playwright/cli.js"), "install", "chromium"]);
  return existsSync(path) ? path : undefined;
}

/** CHROMIUM_PATH, then a browser in its usual place, then Debian's package, then playwright's own. */
export function findChromium() {
  const named = process.env.CHROMIUM_PATH;
  if (named !== undefined && named !== "") return named;
  const present = () => usual.find((path) => existsSync(path));
  const found = present();
  if (found !== undefined) return found;
  installFromDebian();
  return present() ?? playwrightChromium();
}
