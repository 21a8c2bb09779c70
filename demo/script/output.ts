/** What a script printed, as it comes, and beside it what was told to the log. Text stays text. */
import type { LogEntry } from "../../src/browser/index.ts";
import { find, make } from "../elements.ts";

const log = find("output", HTMLDivElement);

export interface Output {
  print(text: string): void;
  tell(entry: LogEntry): void;
  /** @param why it ended early */
  end(why?: string): void;
}

export function welcome(): void {
  log.replaceChildren(
    make(
      "div",
      { class: "welcome" },
      make("p", { text: "What the script prints appears here." }),
      make("p", { text: "It runs in this tab, over the models of this page, and sees nothing else of it." }),
    ),
  );
}

export function startOutput(): Output {
  const printed = make("pre", { class: "printed" });
  log.replaceChildren(printed);
  log.setAttribute("aria-busy", "true");
  let waiting: { text: string; readonly level?: LogEntry["level"] }[] = [];
  let frame = 0;
  let isAtStart = true;
  const show = (): void => {
    frame = 0;
    const follows = log.scrollHeight - log.scrollTop - log.clientHeight < 60;
    printed.append(...waiting.map(({ text, level }) => (level === undefined ? text : make("span", { class: `told ${level}`, text }))));
    waiting = [];
    if (follows) log.scrollTop = log.scrollHeight;
  };
  const add = (text: string, level?: LogEntry["level"]): void => {
    if (text === "") return;
    const last = waiting.at(-1);
    if (last !== undefined && level === undefined && last.level === undefined) last.text += text;
    else waiting.push(level === undefined ? { text } : { text, level });
    isAtStart = text.endsWith("\n");
    frame ||= requestAnimationFrame(show);
  };
  return {
    print: (text) => add(text),
    tell: ({ level, message }) => add(`${isAtStart ? "" : "\n"}${level}: ${message}\n`, level),
    end(why) {
      // no frame comes in a tab that is not seen
      cancelAnimationFrame(frame);
      show();
      if (why !== undefined) log.append(make("p", { class: "note", text: why }));
      else if (printed.childNodes.length === 0) log.append(make("p", { class: "note", text: "It printed nothing." }));
      log.setAttribute("aria-busy", "false");
      log.scrollTop = log.scrollHeight;
    },
  };
}
