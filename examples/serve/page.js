// Hands to models in this page what the service worker was asked.
import { createFetch, createSpell } from "llmspell";

const log = document.querySelector("#log");
const onRequest = ({ method, path, status, hasLeft }) => log.append(`${method} ${path} ${status}${hasLeft ? ", left" : ""}\n`);
const here = createFetch(createSpell(), { models: ["tiny-stories"], only: true, onRequest });

navigator.serviceWorker.addEventListener("message", async ({ data, ports: [port] }) => {
  if (data.llmspell === undefined) return;
  const { url, ...init } = data.llmspell;
  const { body, status, headers } = await here(url, init);
  port.postMessage({ stream: body, status, headers: [...headers] }, body === null ? [] : [body]);
});

await navigator.serviceWorker.register("sw.js", { scope: "./" });
// the first visit is not controlled before the worker has claimed it
if (navigator.serviceWorker.controller === null)
  await new Promise((resolve) => navigator.serviceWorker.addEventListener("controllerchange", resolve, { once: true }));
