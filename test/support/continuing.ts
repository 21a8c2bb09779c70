/** For a scripted runtime: a model that writes one text, and goes on with it where its prompt already ends with a part of it. */
export function continuing(text: string): (prompt: string) => Iterable<string> {
  return (prompt) => {
    let length = text.length;
    while (length > 0 && !prompt.endsWith(text.slice(0, length))) length -= 1;
    return text.slice(length).match(/\s*\S+|\s+$/g) ?? [];
  };
}
