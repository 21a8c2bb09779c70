/**
 * The service worker: it lets the page work without a network, and gives it the headers that threads need where its host cannot.
 * That takes one reload at the very first visit.
 */
import { find } from "./elements.ts";

const line = find("offline", HTMLParagraphElement);
const reloaded = "llmspell-reloaded";

/** A model is worth more than the certainty that it is kept. */
const mostPatienceMs = 4000;

/** Resolves when files that are fetched from now on are kept; soon, too, where that is not possible. */
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
    // A browser that forbids it, or a page without a secure address: the page works, with a network and one thread.
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
  const tell = (): void => {
    line.textContent = navigator.onLine ? "Works offline" : "Offline";
  };
  addEventListener("online", tell);
  addEventListener("offline", tell);
  tell();
}
