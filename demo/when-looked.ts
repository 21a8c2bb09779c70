/** A part of the page that is fetched when somebody looks at it first. */
export interface Looked<T> {
  open(): Promise<T>;
  /** undefined until then */
  opened(): Promise<T> | undefined;
}

/** @param tell what to say where it cannot be fetched, behind its name; the next look tries again */
export function whenLooked<T>(fetch: () => Promise<T>, tell: (text: string) => void): Looked<T> {
  let part: Promise<T> | undefined;
  return {
    open() {
      if (part !== undefined) return part;
      part = fetch();
      part.catch(() => {
        part = undefined;
        tell("cannot be fetched. Check the network, then open this tab again.");
      });
      return part;
    },
    opened: () => part,
  };
}
