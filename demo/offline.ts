/**
 * The service worker: it makes the page work offline, and adds the headers that threads need if the host does not send them.
 * The first visit needs one reload for that.
 */
import { find } from "./elements.ts";

const line = find("offline", HTMLParagraphElement);
const reloaded = "llmspell-reloaded";

/** Loading a model must not wait longer than this for the service worker. */
const mostPatienceMs = 4000;

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
  const tell = (): void => {
    line.textContent = navigator.onLine ? "Works offline" : "Offline";
  };
  addEventListener("online", tell);
  addEventListener("offline", tell);
  tell();
}
