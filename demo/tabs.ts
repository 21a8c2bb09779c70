/** The views of the page. Which one is shown stands in the address, so that a reload and a link keep it. */
import { find } from "./elements.ts";

const names = ["prompt", "script", "search"] as const;
type View = (typeof names)[number];

const tabs = names.map((name) => find(`${name}-tab`, HTMLButtonElement));
const panels = {
  prompt: find("prompt-view", HTMLDivElement),
  script: find("script", HTMLDivElement),
  search: find("search", HTMLDivElement),
};
const skip = find("skip", HTMLAnchorElement);

export const shownView = (): View => names.find((name) => location.hash === `#${name}`) ?? "prompt";

/** @param onShow called with each view that is shown, also the first */
export function buildTabs(onShow: (view: View) => void): (view: View) => void {
  const show = (): void => {
    const shown = shownView();
    document.body.dataset["view"] = shown;
    for (const [at, name] of names.entries()) {
      const tab = tabs[at];
      tab?.setAttribute("aria-selected", String(name === shown));
      if (tab !== undefined) tab.tabIndex = name === shown ? 0 : -1;
      panels[name].hidden = name !== shown;
    }
    skip.href = `#${shown}`;
    skip.textContent = `Skip to the ${shown}`;
    onShow(shown);
  };
  const take = (view: View): void => {
    if (view === shownView()) return;
    history.replaceState(history.state, "", view === "prompt" ? location.pathname + location.search : `#${view}`);
    show();
  };
  for (const [at, name] of names.entries()) {
    const tab = tabs[at];
    tab?.addEventListener("click", () => take(name));
    tab?.addEventListener("keydown", ({ key }) => {
      const next = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: names.length - 1 }[key];
      if (next === undefined) return;
      const to = (next + names.length) % names.length;
      take(names[to] ?? name);
      tabs[to]?.focus();
    });
  }
  addEventListener("hashchange", show);
  show();
  return take;
}
