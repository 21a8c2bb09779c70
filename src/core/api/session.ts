/** Sessions of a model: calls that share what was computed for them. */
import type { Prompt, ResultOf } from "../spec/generate.ts";
import type { LanguageModel, ModelSession, SessionGenerateOptions, SessionOptions } from "../spec/language-model.ts";
import { checkOptionNames } from "../text/check-call.ts";
import { checkSave, generateOptionNames } from "../text/parameters.ts";

const callOptions = generateOptionNames.filter((name) => name !== "session" && name !== "save");

/** @throws SpellError run-option */
export function modelSession(model: Pick<LanguageModel, "stream" | "generate">, options: SessionOptions): ModelSession {
  checkOptionNames(options, ["save"], "session");
  const { save } = options;
  checkSave(save);
  const own = { session: typeof save === "string" ? `saved ${save}` : crypto.randomUUID(), save };
  const all = (call: object) => {
    checkOptionNames(call, callOptions, "a call of a session");
    return { ...call, ...own };
  };
  return {
    stream: (prompt, call = {}) => model.stream(prompt, all(call)),
    generate: async <O extends SessionGenerateOptions>(prompt: Prompt, call?: O) =>
      (await model.generate(prompt, all(call ?? {}))) as ResultOf<O>,
  };
}
