// Answers an address of its own origin; the page that asks computes.
addEventListener("install", () => skipWaiting());
addEventListener("activate", (event) => event.waitUntil(clients.claim()));
addEventListener("fetch", (event) => {
  if (new URL(event.request.url).pathname.startsWith("/v1/")) event.respondWith(ask(event));
});

async function ask({ request, clientId }) {
  const page = await clients.get(clientId);
  const { port1, port2 } = new MessageChannel();
  const answer = new Promise((resolve) => (port1.onmessage = ({ data }) => resolve(data)));
  const { method, url } = request;
  const body = method === "POST" ? await request.text() : undefined;
  page.postMessage({ llmspell: { method, url, headers: [...request.headers], body } }, [port2]);
  const { stream, ...init } = await answer;
  return new Response(stream, init);
}
