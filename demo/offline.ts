/**
 * The service worker: it lets the page work without a network, and gives it the headers that threads need where its host cannot.
 * That takes one reload at the very first visit.
 */
import { find } from "./elements.ts";

const line = find("offline", HTMLParagraphElement);
const reloaded = "llmspell-reloaded";

/** Resolves when files that are fetched from now on are kept; at once where that is not possible. */
export async function startOffline(): Promise<void> {
  if (!("serviceWorker" in navigator) || import.meta.env.DEV) return;
  try {
    await navigator.serviceWorker.register("./sw.js");
  } catch {
    // A browser that forbids it, or a page without a secure address: the page works, with a network and one thread.
    return;
  }
  await navigator.serviceWorker.ready;
  if (navigator.serviceWorker.controller === null) {
    await new Promise<void>((resolve) => navigator.serviceWorker.addEventListener("controllerchange", () => resolve(), { once: true }));
  }
  if (!crossOriginIsolated && sessionStorage.getItem(reloaded) === null) {
    sessionStorage.setItem(reloaded, "yes");
    location.reload();
    await new Promise(() => undefined);
  }
  line.textContent = "Works offline";
}
