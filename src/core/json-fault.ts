/** Where a text stops to be JSON: engines tell it in words of their own, and some do not. */

const inText = String.raw`[^"\\\u0000-\u001f]*`;
const words = String.raw`"${inText}(?:\\(?:["\\/bfnrt]|u[\da-fA-F]{4})${inText})*"`;
const plain = String.raw`-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null`;
/** A text, a number or a word, a sign. */
const jsonToken = new RegExp(String.raw`(${words})|(${plain})|([{}[\],:])`, "y");

/** @returns where a text stops to be JSON: the place of what cannot stand there, its length where the rest is missing; undefined where all of it is */
export function jsonFault(text: string): number | undefined {
  const open: string[] = [];
  let awaits: "value" | "item" | "name" | "first" | "colon" | "more" = "value";
  for (let at = 0; ; at = jsonToken.lastIndex) {
    while (" \t\r\n".includes(text[at] ?? "x")) at += 1;
    jsonToken.lastIndex = at;
    const [, words, plain, sign] = jsonToken.exec(text) ?? [];
    const around = open.at(-1);
    if (at === text.length) return awaits === "more" && around === undefined ? undefined : at;
    if (awaits === "name" || awaits === "first") {
      if (words !== undefined) awaits = "colon";
      else if (awaits === "first" && sign === "}") [awaits] = ["more", open.pop()];
      else return at;
    } else if (awaits === "colon") {
      if (sign !== ":") return at;
      awaits = "value";
    } else if (awaits === "more") {
      if (sign === "," && around !== undefined) awaits = around === "{" ? "name" : "value";
      else if ((sign === "}" && around === "{") || (sign === "]" && around === "[")) open.pop();
      else return at;
    } else if (words !== undefined || plain !== undefined) awaits = "more";
    else if (sign === "{" || sign === "[") {
      open.push(sign);
      awaits = sign === "{" ? "first" : "item";
    } else if (sign === "]" && awaits === "item") [awaits] = ["more", open.pop()];
    else return at;
  }
}
