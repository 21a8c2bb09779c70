/**
 * Breaks text at spaces while it streams. A word that begins near the margin waits until it is known where it fits; nothing that was shown is taken
 * back. Lines of code blocks stay as they are, and so do words longer than a line: an address that was broken could not be copied.
 */
import { cellsOf } from "./terminal.ts";

/** A word that begins with so much room is shown as it comes. */
const ampleRoom = 30;
const fenceForm = /^\s*(`{3,}(?!.*`)|~{3,})/;
/** Wide signs may begin a line, and may be followed by a break; but these belong to what is before or after them. */
const notFirst = /[\u3001\u3002\uff0c\uff0e\uff01\uff1f\uff1a\uff1b\uff09\u300d\u300f\u3011\u3009\u300b\u3015\uff3d\uff5d\u30fb\u30fc]/u;
const notLast = /[\uff08\u300c\u300e\u3010\u3008\u300a\u3014\uff3b\uff5b]/u;

export interface Wrap {
  /** @returns what can be shown now */
  push(text: string): string;
  /** @returns what was waiting */
  flush(): string;
  /** @returns the row of the cursor once more, over what another has written behind it */
  redraw(behind: string): string;
  /** Another text begins, at the start of a row. */
  reset(): void;
}

export function createWrap(columns: () => number): Wrap {
  /** The row of the cursor, as it was shown; undefined where the terminal itself broke it. */
  let row: string | undefined = "";
  /** cells of the row, with the word that waits */
  let cells = 0;
  /** cells of the word at the end; 0 where one may begin */
  let word = 0;
  let held = "";
  let glued = false;
  /** The line of text, of which the row is a part, as far as it can open or close a code block. */
  let line = "";
  let fence: string | undefined;
  let shown = "";

  const show = (text: string): void => {
    shown += text;
    if (row !== undefined) row += text;
  };
  const release = (): void => {
    show(held);
    held = "";
  };
  const breakRow = (): void => {
    shown += "\n";
    row = "";
    cells = 0;
  };
  const endLine = (): void => {
    release();
    const mark = fenceForm.exec(line)?.[1];
    if (fence === undefined) fence = mark;
    else if (mark?.startsWith(fence) && line.trim() === mark) fence = undefined;
    breakRow();
    word = 0;
    line = "";
  };
  /** As the terminal breaks it. */
  const showWhole = (sign: string, width: number): void => {
    release();
    word = cells += width;
    if (cells > columns()) {
      word = cells = width;
      row = undefined;
    }
    show(sign);
  };
  const addBlank = (sign: string, width: number, limit: number): void => {
    release();
    word = 0;
    glued = false;
    // a space at the margin is the break
    if (cells + width > limit) cells = limit;
    else {
      cells += width;
      show(sign);
    }
  };
  const addSign = (sign: string, width: number, limit: number): void => {
    if (width === 2 && !glued && !notFirst.test(sign)) {
      release();
      word = 0;
    }
    glued = notLast.test(sign);
    if (cells + width > limit && width > 0) {
      if (held !== "" || (word === 0 && cells > 0)) {
        breakRow();
        release();
        cells = word;
      } else if (word > 0) {
        showWhole(sign, width);
        return;
      }
    }
    const room = limit - (cells - word);
    cells += width;
    word += width;
    if (held === "" && (room >= ampleRoom || cells === word || width === 0)) show(sign);
    else held += sign;
  };
  const add = (sign: string): void => {
    if (line.length < 80) line += sign;
    const limit = Math.max(1, columns() - 1);
    const isBlank = sign === " " || sign === "\t";
    const width = sign === "\t" ? 8 - (cells % 8) : cellsOf(sign);
    if (fence !== undefined || fenceForm.test(line)) showWhole(sign, width);
    else if (isBlank) addBlank(sign, width, limit);
    else addSign(sign, width, limit);
  };

  return {
    push(text) {
      shown = "";
      for (const sign of text) sign === "\n" ? endLine() : add(sign);
      return shown;
    },
    flush() {
      shown = "";
      release();
      return shown;
    },
    redraw(behind) {
      release();
      if (row === undefined) return "";
      return `\r${row}${" ".repeat(Math.max(0, Math.min(behind.length, columns() - 1 - cells)))}`;
    },
    reset() {
      held = line = row = "";
      cells = word = 0;
      glued = false;
      fence = undefined;
    },
  };
}
