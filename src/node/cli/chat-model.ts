/** Which model a conversation begins with, where nobody named one and the default can only continue a text: a chat model of the catalogue. */
import type { AvailableModel } from "../../core/backends/models.ts";
import { providerOf, providerOfType } from "../../core/config/providers.ts";
import { toSpellError } from "../../core/errors.ts";
import type { DeviceChoice } from "../../core/spec/runtime.ts";
import { isFirstTime, wasSaid } from "../home.ts";
import { ownCommand, shell } from "./advice.ts";
import { askYesNo, canAsk } from "./ask.ts";
import { defaultModel } from "./commands.ts";
import type { Context } from "./context.ts";
import { formatBytes } from "./format.ts";

const refused = "no chat model";

/** @returns a chat model that is here, after a yes from now on; undefined: the default it is */
export async function chooseChatModel(context: Context, device: DeviceChoice | undefined): Promise<string | undefined> {
  const { screen, flags } = context;
  if (!(await isStory(context))) return undefined;
  const spell = await context.openSpell(device);
  const models = (await spell.models.available({ backend: "candle", kind: "chat", recommended: true })).toSorted(bySize);
  const chosen = models.find(({ installed }) => installed) ?? models[0];
  if (chosen === undefined) return undefined;
  const { spec, name, sizeBytes, installed } = chosen;
  if (!canAsk(context)) {
    const command = ownCommand(context.argv, "-m", name, ...(installed ? [] : ["--pull"]));
    screen.note(`${defaultModel} writes stories; for a conversation:`, shell(command ?? `llmspell chat -m ${name} --pull`));
    return undefined;
  }
  if (installed) return spec;
  if (flags.has("offline") || wasSaid(refused)) return undefined;
  screen.tell(`${defaultModel}, the model in the package, writes stories.`);
  if (!(await askYesNo(context, `For a conversation take ${name} (${formatBytes(sizeBytes ?? 0)})?`, true))) {
    if (!context.interrupt.signal.aborted) isFirstTime(refused);
    return undefined;
  }
  try {
    return (await (await import("./model-pull.ts")).pullShown(context, spell, spec, {}, [])).modelId;
  } catch (error) {
    if (context.interrupt.signal.aborted) throw error;
    screen.complain(toSpellError(error));
    return undefined;
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
