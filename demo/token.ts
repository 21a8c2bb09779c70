/**
 * A Hugging Face token, for gated and private repositories. It is in the page's memory only, unless the box is ticked: then it is also in
 * localStorage.
 */
import { find } from "./elements.ts";

const storageKey = "llmspell-hub-token";
/** Printable ASCII without spaces, as a header may hold. */
const tokenForm = /^[\x21-\x7e]{1,500}$/;

const part = find("token-part", HTMLDetailsElement);
const field = find("token", HTMLInputElement);
const keep = find("keep-token", HTMLInputElement);

/** @returns undefined if the field is empty or holds something else than a token */
export function hubToken(): string | undefined {
  const text = field.value.trim();
  return tokenForm.test(text) ? text : undefined;
}

/** @param host the token is sent to */
export function buildToken(host: string): void {
  find("token-host", HTMLSpanElement).textContent = host;
  field.value = readKept() ?? "";
  keep.checked = field.value !== "";
  field.addEventListener("input", () => {
    const isWrong = field.value.trim() !== "" && hubToken() === undefined;
    field.setCustomValidity(isWrong ? "A token has only ASCII characters, and no spaces." : "");
    writeKept();
  });
  field.addEventListener("change", () => field.reportValidity());
  keep.addEventListener("change", writeKept);
}

/** Focuses the field. */
export function askForToken(): void {
  part.open = true;
  field.focus();
  field.select();
}

function writeKept(): void {
  const token = hubToken();
  try {
    if (keep.checked && token !== undefined) localStorage.setItem(storageKey, token);
    else localStorage.removeItem(storageKey);
  } catch {
    // a browser without storage for this page keeps no token
  }
}

function readKept(): string | undefined {
  try {
    const kept = localStorage.getItem(storageKey);
    return kept !== null && tokenForm.test(kept) ? kept : undefined;
  } catch {
    return undefined;
  }
}
