/** Light or dark, as chosen before. A script of its own in the head: the page never shows in the other one first. */
const key = "llmspell-theme";
const page = document.documentElement;

function show(/** @type {string} */ theme) {
  const isChosen = theme === "light" || theme === "dark";
  page.dataset["theme"] = isChosen ? theme : "";
  // the bar of a phone's browser, which follows the system otherwise
  for (const meta of /** @type {NodeListOf<HTMLMetaElement>} */ (document.querySelectorAll("meta[name=theme-color]"))) {
    meta.dataset["of"] ??= meta.media.includes("dark") ? "dark" : "light";
    const own = meta.dataset["of"];
    meta.media = isChosen ? (own === theme ? "all" : "not all") : `(prefers-color-scheme: ${own})`;
  }
}

/** A browser without storage for this page keeps no theme. */
function kept() {
  try {
    return localStorage.getItem(key) ?? "";
  } catch {
    return "";
  }
}

show(kept());
addEventListener("DOMContentLoaded", () => {
  const select = document.getElementById("theme");
  if (!(select instanceof HTMLSelectElement)) return;
  select.value = page.dataset["theme"] ?? "";
  select.addEventListener("change", () => {
    show(select.value);
    try {
      localStorage.setItem(key, select.value);
    } catch {}
  });
});
