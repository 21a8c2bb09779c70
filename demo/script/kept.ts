/** The scripts of this tab, kept for a reload as the conversation is: forgotten when the tab closes. */
import type { ScriptEngine } from "../../src/browser/index.ts";

export interface Kept {
  readonly language: ScriptEngine;
  readonly texts: Readonly<Record<ScriptEngine, string>>;
  readonly args: string;
}

const place = "llmspell-script";

/** @returns undefined where there is nothing, or something else wrote there */
export function restoreScript(): Kept | undefined {
  try {
    const { language, texts, args } = JSON.parse(sessionStorage.getItem(place) ?? "null") as Kept;
    const isKept = [texts.lua, texts.javascript, args].every((text) => typeof text === "string");
    return isKept ? { language: language === "javascript" ? language : "lua", texts, args } : undefined;
  } catch {
    return undefined;
  }
}

export function keepScript(kept: Kept): void {
  try {
    sessionStorage.setItem(place, JSON.stringify(kept));
  } catch {
    // no storage, or full: the text lasts as long as the page
  }
}
