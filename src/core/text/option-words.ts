/** Names of options in the words of who reads them: flags on the command line, snake_case in scripts and in bodies of requests. */
import type { GenerateWarning } from "../spec/generate.ts";

/** @param word for the name of an option in code */
export function inWords({ message, options = [] }: Pick<GenerateWarning, "message" | "options">, word: (option: string) => string): string {
  return message.replace(/[A-Za-z]+/g, (name) => (options.includes(name) ? word(name) : name));
}
