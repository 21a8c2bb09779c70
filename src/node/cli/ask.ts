/** Questions to a person. Only where one sits there: standard input and standard error are terminals, and the output is for people. */
import { createInterface } from "node:readline";
import { SpellError } from "../../core/errors.ts";
import type { Context } from "./context.ts";

export function canAsk({ stdin, screen }: Context): boolean {
  return stdin === undefined && screen.errIsTerminal && !screen.json;
}

/** @param otherwise what an empty line means. @returns false when the question was broken off */
export async function askYesNo(context: Context, question: string, otherwise: boolean): Promise<boolean> {
  const ask = context.ask ?? ((text: string) => askLine(context, text));
  const answer = await ask(`${question} ${otherwise ? "[Y/n]" : "[y/N]"} `);
  if (answer === undefined) return false;
  return answer.trim() === "" ? otherwise : /^y(es)?$/i.test(answer.trim());
}

/** @throws SpellError usage-confirm without a terminal; run-aborted after a no */
export async function confirm(context: Context, question: string, refused: string): Promise<void> {
  if (!canAsk(context)) {
    throw new SpellError("usage-confirm", `not a terminal, cannot ask: ${question} Pass --yes.`, {
      actions: [{ kind: "use-option", name: "yes", value: true }],
    });
  }
  if (!(await askYesNo(context, question, false))) throw new SpellError("run-aborted", refused);
}

async function askLine({ screen, interrupt }: Context, question: string): Promise<string | undefined> {
  const editor = createInterface({ input: process.stdin, terminal: false });
  try {
    screen.echo(screen.clean(question));
    return await new Promise<string | undefined>((resolve) => {
      editor.once("line", resolve);
      editor.once("close", () => resolve(undefined));
      interrupt.signal.addEventListener("abort", () => resolve(undefined), { once: true });
    });
  } finally {
    editor.close();
  }
}
