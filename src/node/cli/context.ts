/** What a command is handed. Everything a command touches of its process arrives here, so that tests hand in their own. */
import type { Spell } from "../../core/api/spell.ts";
import type { ResolvedConfig } from "../../core/config/resolve.ts";
import type { DeviceChoice } from "../../core/spec/runtime.ts";
import type { GivenFlags } from "./args.ts";
import type { InputStream } from "./input.ts";
import type { Interrupt } from "./interrupt.ts";
import type { Screen } from "./render.ts";

export interface Context {
  readonly operands: readonly string[];
  /** words after `--`, of commands that hand them on */
  readonly rest: readonly string[];
  readonly flags: GivenFlags;
  /** Of `tool invoke`: flags of llmspell behind the tool's name. */
  readonly behind?: readonly string[] | undefined;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly screen: Screen;
  readonly interrupt: Interrupt;
  /** undefined where standard input is a terminal */
  readonly stdin: InputStream | undefined;
  /** Asks a person, where something else than ask.ts holds the keyboard. @returns undefined when the question is broken off */
  readonly ask?: ((question: string) => Promise<string | undefined>) | undefined;
  /** The words of the command line, to offer it again with a word more. */
  readonly argv: readonly string[];
  /**
   * The effective configuration; read with the first call, which tells its warnings.
   * @throws SpellError config-*, env-value, profile-unknown
   */
  readonly config: () => Promise<ResolvedConfig>;
  /**
   * The library on this machine; imported with the first call, because parsing and help must not wait for it.
   * @param device a model is going to be loaded for it, so its engine may start at once
   */
  readonly openSpell: (device?: DeviceChoice) => Promise<Spell>;
}

/** A command. @returns the exit status; failures are thrown */
export type Run = (context: Context) => Promise<number>;
