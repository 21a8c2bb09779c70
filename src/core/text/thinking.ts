/** A model's thinking, apart from its answer: by marks that its chat template shows. */
import { overlap } from "./stop-filter.ts";

/** How a family marks what it thinks. */
export interface ThinkingForm {
  readonly open: string;
  readonly close: string;
  /** Heads of an answer, which are no text of it. */
  readonly heads: readonly string[];
  /** What stands between a thought and what is held by a grammar from its first letter on. */
  readonly gap: string;
  /** What an answer begins with that is held so; a call of a tool does not. */
  readonly plain: string;
}

const forms: readonly ThinkingForm[] = [
  { open: "<think>", close: "</think>", heads: [], gap: "\n\n", plain: "" },
  { open: "[THINK]", close: "[/THINK]", heads: [], gap: "", plain: "" },
  {
    open: "<|channel|>analysis<|message|>",
    close: "<|end|>",
    heads: ["<|start|>assistant", "<|channel|>final<|message|>", "<|channel|>commentary<|message|>"],
    gap: "<|start|>assistant",
    plain: "<|channel|>final<|message|>",
  },
];

/** @returns undefined for a template that marks no thinking */
export function thinkingOf(template: string): ThinkingForm | undefined {
  if (/<\/?think>/.test(template)) return forms[0];
  if (template.includes("[THINK]")) return forms[1];
  return template.includes("<|channel|>") && template.includes("analysis") ? forms[2] : undefined;
}

/** Whether a prompt ends inside a thought that its template began. */
export function endsInThought(prompt: string, { open }: ThinkingForm): boolean {
  return prompt.trimEnd().endsWith(open);
}

/** Control tokens among the marks: engines leave them out of their text unless they are asked for. */
export function marksOf({ open, close, heads }: ThinkingForm): readonly string[] {
  return [open, close, ...heads].flatMap((mark) => [mark, ...(mark.match(/<\|\w+\|>/g) ?? [])]);
}

export interface ThinkingPart {
  readonly type: "text" | "reasoning";
  readonly text: string;
}

export interface ThinkingFilter {
  /** `before`: it is not known yet whether a thought comes */
  readonly state: "before" | "thought" | "text";
  readonly hasThought: boolean;
  push(text: string): readonly ThinkingPart[];
  end(): readonly ThinkingPart[];
}

/** Thoughts come first: once the answer has begun, marks in it are text. @param isOpen the prompt ended inside a thought */
export function createThinkingFilter({ open, close, heads }: ThinkingForm, isOpen: boolean): ThinkingFilter {
  let state: ThinkingFilter["state"] = isOpen ? "thought" : "before";
  let hasThought = isOpen;
  let held = "";
  /** nothing of this thought was said yet: white space at its beginning is none of it */
  let isFresh = true;
  let out: ThinkingPart[] = [];

  const say = (type: ThinkingPart["type"], text: string): void => {
    if (text !== "") out.push({ type, text });
  };
  const think = (text: string): void => {
    const said = isFresh ? text.trimStart() : text;
    if (said !== "") isFresh = false;
    say("reasoning", said);
  };
  const steps: Readonly<Record<ThinkingFilter["state"], () => boolean>> = {
    before() {
      const text = held.trimStart();
      const head = heads.find((each) => text.startsWith(each));
      if (head !== undefined) {
        held = text.slice(head.length);
        return true;
      }
      if (text.startsWith(open)) {
        held = text.slice(open.length);
        [state, hasThought, isFresh] = ["thought", true, true];
        return true;
      }
      if (text === "" || [open, ...heads].some((each) => each.startsWith(text))) return false;
      say("text", hasThought ? text : held);
      held = "";
      state = "text";
      return false;
    },
    thought() {
      const at = held.indexOf(close);
      if (at >= 0) {
        think(held.slice(0, at).trimEnd());
        held = held.slice(at + close.length);
        state = "before";
        return true;
      }
      // white space may be the end of the thought
      const safe = held.slice(0, held.length - overlap(held, close)).trimEnd();
      think(safe);
      held = held.slice(safe.length);
      return false;
    },
    text() {
      say("text", held);
      held = "";
      return false;
    },
  };
  const take = (): readonly ThinkingPart[] => {
    const done = out;
    out = [];
    return done;
  };
  return {
    get state() {
      return state;
    },
    get hasThought() {
      return hasThought;
    },
    push(text) {
      held += text;
      while (steps[state]());
      return take();
    },
    end() {
      if (state === "thought") think(held.trimEnd());
      else if (!hasThought || held.trim() !== "") say("text", held);
      held = "";
      return take();
    },
  };
}
