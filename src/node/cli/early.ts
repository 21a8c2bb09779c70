/** What a command line is going to need, guessed from its words alone: processes that take long to start are started before the rest of the program is read. */

/** @returns where the command stands: the first word that is no flag, nor stands behind one; -1 where help is asked for */
function commandAt(words: readonly string[]): number {
  if (words.includes("--help") || words.includes("-h")) return -1;
  return words.findIndex((word, i) => !word.startsWith("-") && words[i - 1]?.startsWith("-") !== true);
}

/**
 * A script's process takes longest to start, so it is asked for before the rest of the program is read. A guess: `open` in script.ts knows better.
 * @returns undefined where no script is run
 */
export function scriptEngine(words: readonly string[]): "lua" | "javascript" | undefined {
  const at = commandAt(words);
  if (!["run", "exec", "repl"].includes(words[at] ?? "")) return undefined;
  const flag = words.findIndex((word) => /^--engine(=|$)/.test(word));
  const asked = flag < 0 ? /\.m?js$/.exec(words[at + 1] ?? "")?.[0] : words[flag]?.includes("=") ? words[flag] : words[flag + 1];
  return /js$|javascript$/.test(asked ?? "") ? "javascript" : "lua";
}

/**
 * An engine's process takes longest as well. A guess too: a configuration file may name another device, and the model may be no GGUF file; then the
 * process ends with this one.
 * @returns undefined where no model of this machine answers on its processor
 */
export function engineDevice(words: readonly string[], env: NodeJS.ProcessEnv): "auto" | "cpu" | undefined {
  if (!["generate", "chat"].includes(words[commandAt(words)] ?? "")) return undefined;
  const isElsewhere = words.some((word) =>
    /^(-[pc]|--(profile|config|quantization)(=.*)?)$|^[^@\s]+@(?!(candle|local)$)[a-z]+$|^(openai|anthropic|ollama)\//.test(word),
  );
  const isT5 = words.some((word) => /^\S*\bt5\b\S*$/i.test(word));
  const says = ["LLMSPELL_DEVICE", "CANDLE_DEVICE", "LLMSPELL_PROVIDERS_CANDLE_DEVICE", "LLMSPELL_PROFILE", "LLMSPELL_CONFIG"];
  if (isElsewhere || isT5 || says.some((name) => (env[name] ?? "") !== "")) return undefined;
  const flag = words.findIndex((word) => /^--device(=|$)/.test(word));
  const asked = flag < 0 ? "auto" : words[flag]?.includes("=") ? words[flag]?.slice("--device=".length) : words[flag + 1];
  return (["auto", "cpu"] as const).find((device) => device === asked);
}
