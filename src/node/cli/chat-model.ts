/** Which model a conversation begins with, where none was named and the default can only continue a text: a chat model of the catalogue. */
import type { AvailableModel } from "../../core/backends/models.ts";
import { providerOf, providerOfType } from "../../core/config/providers.ts";
import { toSpellError } from "../../core/errors.ts";
import type { DeviceChoice } from "../../core/spec/runtime.ts";
import { isFirstTime, wasSaid } from "../home.ts";
import { ownCommand } from "./advice.ts";
import { askYesNo, canAsk } from "./ask.ts";
import type { Context } from "./context.ts";
import { formatBytes } from "./format.ts";
import { defaultModel } from "./names.ts";

const refused = "no chat model";

/** `command`: how to have a conversation, where it is going to be with the story model. */
export interface ChatChoice {
  readonly model?: string | undefined;
  readonly command?: string | undefined;
}

/** @returns a chat model that is here; nothing where the default is no story model, or nothing better is known */
export async function chooseChatModel(context: Context, device: DeviceChoice | undefined): Promise<ChatChoice> {
  const { screen, flags, argv } = context;
  if (!(await isStory(context))) return {};
  const spell = await context.openSpell(device);
  const models = (await spell.models.available({ backend: "candle", kind: "chat", recommended: true })).toSorted(bySize);
  const chosen = models.find(({ installed }) => installed) ?? models[0];
  if (chosen === undefined) return {};
  const { spec, name, sizeBytes, installed } = chosen;
  const story = { command: ownCommand(argv, "-m", name, ...(installed || flags.has("pull") ? [] : ["--pull"])) };
  if (!canAsk(context)) return story;
  if (installed) return { model: spec };
  if (flags.has("offline") || wasSaid(refused)) return story;
  screen.tell(`${defaultModel}, the model in the package, writes stories.`);
  if (!(await askYesNo(context, `For a conversation take ${name} (${formatBytes(sizeBytes ?? 0)})?`, true))) {
    if (!context.interrupt.signal.aborted) isFirstTime(refused);
    return story;
  }
  try {
    return { model: (await (await import("./model-pull.ts")).pullShown(context, spell, spec, {}, [])).modelId };
  } catch (error) {
    if (context.interrupt.signal.aborted) throw error;
    screen.complain(toSpellError(error));
    return story;
  }
}

/** Whether the model that would be taken is the one of the package. */
async function isStory({ config: read }: Context): Promise<boolean> {
  const { config } = await read();
  const own = providerOfType(config, "candle");
  const { default_provider: named = own } = config.providers;
  return own !== undefined && named === own && providerOf(config, own)?.default_model === defaultModel;
}

function bySize(a: AvailableModel, b: AvailableModel): number {
  return (a.sizeBytes ?? 0) - (b.sizeBytes ?? 0);
}
