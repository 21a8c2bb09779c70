/** The documents of the package as pages, so that they are at hand where the demo is, offline too. */
import { find, make } from "./elements.ts";
import { markdownInto } from "./markdown.ts";

const loaders = import.meta.glob<string>(["../README.md", "../docs/*.md", "!../docs/failures.md"], { query: "?raw", import: "default" });
/** By their path in the package. */
const documents = new Map(Object.entries(loaders).map(([path, load]) => [path.replace("../", ""), load]));
const first = "README.md";
const here = new URL("#", location.href).href;
const root = find("document", HTMLDivElement);
const show = markdownInto(root);

async function open(): Promise<void> {
  const path = decodeURIComponent(location.hash.slice(1));
  const name = documents.has(path) ? path : first;
  show(ownLinks((await documents.get(name)?.()) ?? "", name));
  for (const link of root.querySelectorAll("a")) if (link.href.startsWith(here)) link.removeAttribute("target");
  for (const link of find("documents", HTMLElement).querySelectorAll("a")) {
    if (link.hash === `#${name}`) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  scrollTo(0, 0);
}

/** Links between documents stay on this page; what only the source has is left as text. */
function ownLinks(text: string, from: string): string {
  return text
    .replace(/<!--[\s\S]*?-->\n?/g, "")
    .replace(/(!?)\[([^\]]+)\]\(([^)\s]+)\)/g, (whole, picture: string, words: string, to: string) => {
      if (picture !== "") return "";
      if (/^https?:/.test(to)) return whole;
      const path = new URL(to, `file:///${from}`).pathname.slice(1);
      return documents.has(path) ? `[${words}](${here}${path})` : words;
    });
}

find("documents", HTMLElement).append(
  ...[...documents.keys()].map((path) =>
    make("a", { text: path === first ? "README" : path.slice(5, -3).replaceAll("-", " "), attributes: { href: `#${path}` } }),
  ),
);
addEventListener("hashchange", () => void open());
void open();
