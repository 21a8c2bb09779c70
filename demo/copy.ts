/** Buttons that copy a text. */
import { button, named } from "./elements.ts";

const shownMs = 1500;

/** @param what "code", "answer"; said to screen readers */
export function copyButton(what: string, text: () => string): HTMLButtonElement {
  const copy = named(
    button("Copy", () => void put(), "quiet small"),
    `Copy ${what}`,
  );
  const put = async (): Promise<void> => {
    // A page that is not served over https has no clipboard.
    const done = await (navigator.clipboard as Clipboard | undefined)?.writeText(text()).then(
      () => true,
      () => false,
    );
    copy.textContent = done === true ? "Copied" : "Not allowed";
    setTimeout(() => {
      copy.textContent = "Copy";
    }, shownMs);
  };
  return copy;
}
