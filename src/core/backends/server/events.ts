/**
 * The events of a text/event-stream, at any line end and any cut. Source: HTML standard, 9.2.6. Own code, because a stream of a stranger needs a bound for
 * an event that never ends, and a last event whose empty line is missing counts.
 */

export interface ServerEvent {
  /** empty where the stream names none */
  readonly event: string;
  readonly data: string;
}

/**
 * @param most characters of one event
 * @param tooLong makes the error of a longer one
 */
export async function* serverEvents(
  bytes: AsyncIterable<Uint8Array>,
  most: number,
  tooLong: () => Error,
): AsyncGenerator<ServerEvent, void, undefined> {
  const decoder = new TextDecoder();
  let event = "";
  let data: string[] = [];
  let line: string[] = [];
  let endsWithReturn = false;
  const size = { data: 0, line: 0 };
  const check = (): void => {
    if (size.data + size.line > most) throw tooLong();
  };

  const take = (text: string): ServerEvent | undefined => {
    if (text === "") {
      const whole = data.length > 0 ? { event, data: data.join("\n") } : undefined;
      [event, data, size.data] = ["", [], 0];
      return whole;
    }
    const colon = text.indexOf(":");
    const name = colon < 0 ? text : text.slice(0, colon);
    const value = colon < 0 ? "" : text.slice(colon + 1).replace(/^ /, "");
    if (name === "data") {
      data.push(value);
      size.data += value.length;
      check();
    } else if (name === "event") event = value;
    return undefined;
  };

  for await (const chunk of bytes) {
    const text = decoder.decode(chunk, { stream: true });
    let from = endsWithReturn && text.startsWith("\n") ? 1 : 0;
    if (text !== "") endsWithReturn = text.endsWith("\r");
    for (const { index, 0: end } of text.matchAll(/\r\n?|\n/g)) {
      if (index < from) continue;
      line.push(text.slice(from, index));
      const whole = take(line.join(""));
      [line, from, size.line] = [[], index + end.length, 0];
      if (whole !== undefined) yield whole;
    }
    line.push(text.slice(from));
    size.line += text.length - from;
    check();
  }
  const rest = line.join("") + decoder.decode();
  if (rest !== "") take(rest);
  const last = take("");
  if (last !== undefined) yield last;
}
