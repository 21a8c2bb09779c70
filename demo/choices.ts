/** The list of models to choose from, in groups. */
import { find, make } from "./elements.ts";
import type { ModelChoice } from "./sources.ts";

export interface Choices {
  get(key: string): ModelChoice | undefined;
  keys(): Iterable<string>;
  /** the first one of all */
  first(): ModelChoice;
  add(added: ModelChoice, group: string): void;
  remove(key: string): void;
  /** Shows it as the chosen one. */
  show(key: string): void;
  /** It leaves the list with the next choice: chosen files that are no model, and a model that another tab deleted. */
  leaveLater(key: string): void;
  /** It does not leave after all. */
  stay(key: string): void;
  /** Removes it, if it was to leave. */
  leave(key: string): void;
}

export function buildChoices(onChoose: (choice: ModelChoice) => void): Choices {
  const picker = find("model", HTMLSelectElement);
  const choices = new Map<string, ModelChoice>();
  const leaving = new Set<string>();

  const remove = (key: string): void => {
    choices.delete(key);
    const option = picker.querySelector(`option[value="${CSS.escape(key)}"]`);
    const group = option?.parentElement;
    option?.remove();
    if (group?.childElementCount === 0) group.remove();
  };
  picker.addEventListener("change", () => {
    const next = choices.get(picker.value);
    if (next !== undefined) onChoose(next);
  });

  return {
    get: (key) => choices.get(key),
    keys: () => choices.keys(),
    first() {
      const [first] = choices.values();
      if (first === undefined) throw new Error("no model is bundled");
      return first;
    },
    add(added, group) {
      if (!choices.has(added.key)) {
        const id = `group-${group.toLowerCase().replaceAll(" ", "-")}`;
        const known = document.getElementById(id);
        const list = known ?? make("optgroup", { attributes: { id, label: group } });
        if (known === null) picker.append(list);
        list.append(make("option", { text: added.label, attributes: { value: added.key } }));
      }
      choices.set(added.key, added);
    },
    remove,
    show(key) {
      picker.value = key;
    },
    leaveLater: (key) => void leaving.add(key),
    stay: (key) => void leaving.delete(key),
    leave(key) {
      if (leaving.delete(key)) remove(key);
    },
  };
}
