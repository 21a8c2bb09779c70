/** A spell without an engine: its one model, tiny-stories, answers from a script, and has a chat template with tools and thoughts. */
import { createSpell, type Spell } from "../../src/core/api/spell.ts";
import type { ConfigInput } from "../../src/core/config/config.generated.ts";
import type { LogEntry } from "../../src/core/platform.ts";
import { memoryPlatform, type ScriptedRuntimeOptions, scriptedRuntime } from "../../src/core/testing/index.ts";
import { nanoLlama } from "../fixtures/gguf/models.ts";
import { writeGguf } from "../fixtures/gguf-writer.ts";

export const scriptedTemplate =
  "{% if tools %}{% for tool in tools %}{{ tool | tojson }}{% endfor %}{% endif %}{% for m in messages %}<|{{ m.role }}|>{{ m.content }}{% endfor %}<|assistant|>{# <tool_call> <think> #}";

export interface ScriptedSpellOptions extends ScriptedRuntimeOptions {
  readonly config?: ConfigInput | undefined;
  /** words; default 4096 */
  readonly contextLength?: number | undefined;
  readonly log?: ((entry: LogEntry) => void) | undefined;
}

export function scriptedSpell({ config = {}, contextLength = 4096, log, ...script }: ScriptedSpellOptions = {}): Spell {
  const nano = nanoLlama();
  const entries = nano.entries.map((entry): (typeof nano.entries)[number] =>
    entry[0] === "llama.context_length" ? ["llama.context_length", "uint32", contextLength] : entry,
  );
  const file = writeGguf({ ...nano, entries: [...entries, ["tokenizer.chat_template", "string", scriptedTemplate]] });
  const files = { "tiny-stories/tiny-stories.gguf": file };
  return createSpell({ platform: memoryPlatform({ files, gguf: scriptedRuntime(script), log }), config });
}
