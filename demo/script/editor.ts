/**
 * The editor of scripts: CodeMirror in a shadow root. There it hands its styles over as constructed sheets, which the page's policy allows as it is;
 * in the page itself it would need `style-src 'unsafe-inline'` or a nonce, which a static host cannot give.
 */
import { defaultKeymap, history, historyKeymap, indentWithTab } from "@codemirror/commands";
import { javascriptLanguage } from "@codemirror/lang-javascript";
import { bracketMatching, HighlightStyle, indentOnInput, indentUnit, StreamLanguage, syntaxHighlighting } from "@codemirror/language";
import { lua } from "@codemirror/legacy-modes/mode/lua";
import { EditorState, RangeSet, StateEffect, StateField } from "@codemirror/state";
import { Decoration, type DecorationSet, EditorView, GutterMarker, gutterLineClass, keymap, lineNumbers } from "@codemirror/view";
import { tags } from "@lezer/highlight";
import type { ScriptEngine } from "../../src/browser/index.ts";

export interface Editor {
  readonly language: ScriptEngine;
  text(): string;
  /** Each language has a text of its own, with its own history. */
  show(language: ScriptEngine): void;
  /** Puts another text in place of the one shown; the editor's undo brings it back. */
  replace(text: string): void;
  /** Marks a line, counted from 1; none: takes the mark away. */
  mark(line?: number): void;
  /** @param line counted from 1 @param column counted from 1 */
  goTo(line: number, column?: number): void;
}

export interface EditorOptions {
  readonly language: ScriptEngine;
  readonly texts: Readonly<Record<ScriptEngine, string>>;
  onChange(): void;
  onRun(): void;
}

const languages = { lua: StreamLanguage.define(lua), javascript: javascriptLanguage };

const setFault = StateEffect.define<number | undefined>();
const faultLine = Decoration.line({ class: "cm-fault" });
const faultNumber = new (class extends GutterMarker {
  override readonly elementClass = "cm-fault";
})();
const fault = StateField.define<DecorationSet>({
  create: () => Decoration.none,
  update(marks, { effects, changes, newDoc }) {
    let next = marks.map(changes);
    for (const effect of effects) {
      if (!effect.is(setFault)) continue;
      const line = effect.value;
      next =
        line === undefined || line < 1 || line > newDoc.lines ? Decoration.none : Decoration.set(faultLine.range(newDoc.line(line).from));
    }
    return next;
  },
  provide: (field) => [
    EditorView.decorations.from(field),
    gutterLineClass.compute([field], (state) => {
      const at = state.field(field).iter().from;
      return state.field(field).size === 0 ? RangeSet.empty : RangeSet.of(faultNumber.range(at));
    }),
  ],
});

const colours = HighlightStyle.define([
  { tag: [tags.keyword, tags.operatorKeyword, tags.modifier, tags.definitionKeyword], color: "var(--accent)", fontWeight: "600" },
  { tag: [tags.string, tags.special(tags.string), tags.regexp], color: "var(--ok)" },
  { tag: [tags.number, tags.bool, tags.null, tags.atom], color: "var(--warn)" },
  { tag: tags.comment, color: "var(--muted)", fontStyle: "italic" },
  { tag: [tags.function(tags.variableName), tags.function(tags.propertyName), tags.standard(tags.variableName)], color: "var(--call)" },
]);

const theme = EditorView.theme({
  "&": { height: "100%", color: "var(--ink)", fontSize: "var(--code-size)" },
  "&.cm-focused": { outline: "none" },
  ".cm-scroller": { fontFamily: "var(--mono)", lineHeight: "1.6", overflow: "auto" },
  ".cm-content": { caretColor: "var(--ink)", padding: "10px 0" },
  ".cm-line": { padding: "0 12px 0 6px" },
  ".cm-gutters": { background: "transparent", border: "none", color: "var(--muted)" },
  ".cm-lineNumbers .cm-gutterElement": { padding: "0 8px 0 12px", minWidth: "3em" },
  ".cm-gutterElement.cm-fault": { color: "var(--bad)", fontWeight: "700", boxShadow: "inset 4px 0 var(--bad)" },
  ".cm-line.cm-fault": { background: "var(--bad-tint)" },
  "&.cm-focused .cm-matchingBracket, .cm-matchingBracket": { background: "var(--tint)", outline: "1px solid var(--line)" },
});

export function openEditor(place: HTMLElement, { language, texts, onChange, onRun }: EditorOptions): Editor {
  const root = place.attachShadow({ mode: "open" });
  const stateOf = (of: ScriptEngine): EditorState =>
    EditorState.create({
      doc: texts[of],
      extensions: [
        lineNumbers(),
        history(),
        bracketMatching(),
        indentOnInput(),
        indentUnit.of("  "),
        languages[of],
        syntaxHighlighting(colours),
        theme,
        fault,
        EditorView.lineWrapping,
        EditorView.contentAttributes.of({
          "aria-label": "Script",
          "aria-description": "Tab indents. Escape, then Tab leaves the editor. Control Enter runs.",
          autocapitalize: "off",
        }),
        keymap.of([
          {
            key: "Mod-Enter",
            run: () => {
              onRun();
              return true;
            },
          },
          indentWithTab,
          ...defaultKeymap,
          ...historyKeymap,
        ]),
        EditorView.updateListener.of(({ docChanged }) => {
          if (docChanged) onChange();
        }),
        EditorView.domEventHandlers({
          // a dropped file is the page's: a model, or a script
          drop: ({ dataTransfer }) => dataTransfer?.types.includes("Files") === true,
          // a browser that types over a selection keeps its colours as inline style, which the policy forbids and reports
          beforeinput({ inputType, data }, view) {
            if (inputType !== "insertText" || data === null || view.composing || view.state.selection.main.empty) return false;
            view.dispatch(view.state.replaceSelection(data), { userEvent: "input.type", scrollIntoView: true });
            return true;
          },
        }),
      ],
    });
  const states = { lua: stateOf("lua"), javascript: stateOf("javascript") };
  let shown = language;
  const view = new EditorView({ root, parent: root as unknown as Element, state: states[shown] });
  return {
    get language() {
      return shown;
    },
    text: () => view.state.doc.toString(),
    show(next) {
      states[shown] = view.state;
      shown = next;
      view.setState(states[next]);
    },
    replace: (text) =>
      view.dispatch({
        changes: { from: 0, to: view.state.doc.length, insert: text },
        selection: { anchor: 0 },
        effects: setFault.of(undefined),
        scrollIntoView: true,
      }),
    mark: (line) => view.dispatch({ effects: setFault.of(line) }),
    goTo(number, column = 1) {
      const line = view.state.doc.line(Math.min(Math.max(1, number), view.state.doc.lines));
      const at = Math.min(line.from + column - 1, line.to);
      view.dispatch({ selection: { anchor: at }, effects: EditorView.scrollIntoView(at, { y: "center" }) });
      view.focus();
    },
  };
}
