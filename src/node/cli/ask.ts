/** Questions to a person. Only where one sits there: standard input and standard error are terminals, and the output is for people. */
import { createInterface } from "node:readline";
import type { Context } from "./context.ts";

export function canAsk({ stdin, screen }: Context): boolean {
  return stdin === undefined && screen.errIsTerminal && !screen.json;
}

/** @param otherwise what an empty line means. @returns false when the question was broken off */
export async function askYesNo({ screen, interrupt }: Context, question: string, otherwise: boolean): Promise<boolean> {
  const editor = createInterface({ input: process.stdin, terminal: false });
  try {
    screen.echo(`${question} ${otherwise ? "[Y/n]" : "[y/N]"} `);
    const answer = await new Promise<string | undefined>((resolve) => {
      editor.once("line", resolve);
      editor.once("close", () => resolve(undefined));
      interrupt.signal.addEventListener("abort", () => resolve(undefined), { once: true });
    });
    if (answer === undefined) return false;
    return answer.trim() === "" ? otherwise : /^y(es)?$/i.test(answer.trim());
  } finally {
    editor.close();
  }
}
