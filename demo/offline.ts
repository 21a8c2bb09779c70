/**
 * The service worker: it makes the page work offline, and adds the headers that threads need if the host does not send them.
 * The first visit needs one reload for that.
 */

import tinyStories from "../builtins/models/tiny-stories/tiny-stories.gguf?url";
import compatWasm from "../dist/wasm/wllama-compat.wasm?url";
import wasm from "../dist/wasm/wllama-default.wasm?url";
import { wllamaBuild } from "../src/browser/engines/largest-model.ts";
import { find } from "./elements.ts";

const line = find("offline", HTMLParagraphElement);
const reloaded = "llmspell-reloaded";

/** Loading a model must not wait longer than this for the service worker. */
const mostPatienceMs = 4000;
/** The page is at rest by then, or busy for longer than anybody waits. */
const idleMs = 3000;

/** What the first answer needs beside the page itself. */
const needed = [wllamaBuild() === "default" ? wasm : compatWasm, tinyStories].map((path) => new URL(path, document.baseURI).href);

/** Resolves when files fetched from now on are kept for offline use, or after a short wait if that is not possible. */
export function startOffline(): Promise<void> {
  const patience = new Promise<void>((resolve) => setTimeout(resolve, mostPatienceMs));
  return Promise.race([start(), patience]);
}

async function start(): Promise<void> {
  if (!("serviceWorker" in navigator) || import.meta.env.DEV) return;
  const { serviceWorker } = navigator;
  try {
    await serviceWorker.register("./sw.js");
  } catch {
    // Forbidden by the browser, or not a secure address: the page works online, with one thread.
    return;
  }
  await serviceWorker.ready;
  if (serviceWorker.controller === null) {
    await new Promise<void>((resolve) => serviceWorker.addEventListener("controllerchange", () => resolve(), { once: true }));
  }
  if (!crossOriginIsolated && sessionStorage.getItem(reloaded) === null) {
    sessionStorage.setItem(reloaded, "yes");
    location.reload();
    await new Promise(() => undefined);
  }
  for (const event of ["online", "offline"]) addEventListener(event, () => void tell());
  void tell().then(keepNeeded);
}

/** Says what is true at this moment. */
async function tell(): Promise<void> {
  const kept = await allKept();
  line.classList.toggle("partly", !kept);
  if (navigator.onLine) line.textContent = kept ? "Works offline" : "Page kept; model not yet";
  else line.textContent = kept ? "Offline" : "Offline; model not kept";
  line.title = kept
    ? "This page, the engine and tiny-stories are kept in this browser. Stored models work offline too."
    : "This page is kept in this browser. The engine and tiny-stories are kept once they were fetched.";
}

async function allKept(): Promise<boolean> {
  const found = await Promise.all(needed.map((address) => caches.match(address)));
  return found.every((response) => response !== undefined);
}

/** Fetches the engine and the smallest model when the page is at rest, unless the visitor pays for each byte. */
async function keepNeeded(): Promise<void> {
  const { connection } = navigator as { readonly connection?: { readonly saveData?: boolean; readonly type?: string } };
  if (connection?.saveData === true || connection?.type === "cellular" || (await allKept())) return;
  await atRest();
  try {
    for (const address of needed) {
      const response = await fetch(address);
      await response.body?.pipeTo(new WritableStream());
      // answered from the cache, after the file is in it
      await (await fetch(address)).body?.cancel();
    }
  } catch {
    // the network is gone: the line says what is kept
  }
  await tell();
}

/** Safari has no idle callbacks. */
function atRest(): Promise<void> {
  return new Promise((resolve) => {
    if ("requestIdleCallback" in globalThis) requestIdleCallback(() => resolve(), { timeout: idleMs });
    else setTimeout(resolve, idleMs);
  });
}
