/**
 * A token of Hugging Face, for repositories behind terms or a login. It is the page's until the page closes; only who ticks the box has it kept in
 * this browser's storage.
 */
import { find } from "./elements.ts";

const storageKey = "llmspell-hub-token";
/** What a header may hold; a token has no spaces. */
const tokenForm = /^[\x21-\x7e]{1,500}$/;

const part = find("token-part", HTMLDetailsElement);
const field = find("token", HTMLInputElement);
const keep = find("keep-token", HTMLInputElement);

/** @returns undefined where there is none, or where it cannot be one */
export function hubToken(): string | undefined {
  const text = field.value.trim();
  return tokenForm.test(text) ? text : undefined;
}

/** @param host it is sent to */
export function buildToken(host: string): void {
  find("token-host", HTMLSpanElement).textContent = host;
  field.value = readKept() ?? "";
  keep.checked = field.value !== "";
  field.addEventListener("input", () => {
    const isWrong = field.value.trim() !== "" && hubToken() === undefined;
    field.setCustomValidity(isWrong ? "A token has no spaces and no letters beyond A to Z." : "");
    writeKept();
  });
  field.addEventListener("change", () => field.reportValidity());
  keep.addEventListener("change", writeKept);
}

/** Puts the keyboard there. */
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
    // a browser that keeps nothing for this page keeps no token either
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
