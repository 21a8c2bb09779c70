/** Finds and makes elements. Text stays text: nothing on this page turns it into markup. */

/** @throws Error if the page has no such element of this kind: a mistake in index.html */
export function find<T extends Element>(id: string, kind: new () => T): T {
  const element = document.getElementById(id);
  if (!(element instanceof kind)) throw new Error(`#${id}: expected ${kind.name}`);
  return element;
}

export interface MakeOptions {
  readonly class?: string;
  readonly text?: string;
  readonly attributes?: Readonly<Record<string, string>>;
}

export function make<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  options: MakeOptions = {},
  ...children: readonly Node[]
): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  if (options.class !== undefined) element.className = options.class;
  if (options.text !== undefined) element.textContent = options.text;
  for (const [name, value] of Object.entries(options.attributes ?? {})) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

export function button(text: string, onClick: () => void, style = "quiet"): HTMLButtonElement {
  const element = make("button", { text, class: style, attributes: { type: "button" } });
  element.addEventListener("click", onClick);
  return element;
}

/** Gives a control a longer name for screen readers. */
export function named(control: HTMLButtonElement, name: string): HTMLButtonElement {
  control.setAttribute("aria-label", name);
  return control;
}

/** Says at a field what is expected of it, until something else is typed. */
export function complain(field: HTMLInputElement, text: string): void {
  field.setCustomValidity(text);
  field.reportValidity();
  field.addEventListener("input", () => field.setCustomValidity(""), { once: true });
}

/** Saves a file where the browser puts downloads. */
export function give(name: string, content: Blob): void {
  const href = URL.createObjectURL(content);
  make("a", { attributes: { href, download: name } }).click();
  setTimeout(() => URL.revokeObjectURL(href), 60_000);
}

/** A button that shows and hides a panel. @param first gets the focus when it is shown */
export function disclosure(control: HTMLButtonElement, panel: HTMLElement, first: HTMLElement): (shown: boolean) => void {
  const show = (shown: boolean): void => {
    if (!shown && panel.contains(document.activeElement)) control.focus();
    panel.hidden = !shown;
    control.setAttribute("aria-expanded", String(shown));
    if (shown) first.focus();
  };
  control.addEventListener("click", () => show(panel.hidden !== false));
  return show;
}
