/** Conversations that go on in later runs: `chat --keep NAME` keeps the messages in the home after each turn, beside what the model computed for them. */
import { stat } from "node:fs/promises";
import { join } from "node:path";
import { messageOf } from "../../core/errors.ts";
import { homeFolder } from "../home.ts";
import { makeFolder } from "../make-folder.ts";
import { holdFileLock } from "../store/file-lock.ts";
import { fileNameOf } from "../store/store-names.ts";
import { readChat, type SavedChat, saveChat } from "./chat-file.ts";
import type { Conversation } from "./conversation.ts";

export interface KeptChat {
  readonly name: string;
  /** what an earlier run left */
  readonly saved: SavedChat | undefined;
  /** Writes the conversation where it has changed. What goes wrong is told, once: it must not end a conversation. */
  keep(conversation: Conversation): Promise<void>;
}

/** @throws SpellError usage-value (what is there is no conversation), store-denied */
export async function openKeptChat(given: string, tell: (note: string) => void): Promise<KeptChat> {
  const folder = join(homeFolder(), "kept", "chats");
  const pathOf = (name: string): string => join(folder, `${fileNameOf(name)}.json`);
  let [name, path] = [given, pathOf(given)];
  let stamp = await stampOf(path);
  const saved =
    stamp === undefined ? undefined : await readChat(path, `Remove the file, or keep this conversation under another name than ${given}.`);
  let written = textOf(saved);
  let told: string | undefined;

  const say = (note: string): void => {
    if (told !== note) tell(note);
    told = note;
  };

  /** Another process may go on with the same conversation: both stay whole. */
  const giveWay = async (): Promise<void> => {
    for (let count = 2; stamp !== (await stampOf(path)); count += 1) {
      [name, stamp] = [`${given}-${count}`, undefined];
      path = pathOf(name);
    }
    if (name !== given) say(`another process went on with ${given}; this conversation is kept as ${name}`);
  };

  return {
    name: given,
    saved,
    async keep({ model, system, options, messages }) {
      const content = { model: model.id, system, options, messages };
      if (textOf(content) === written || (messages.length === 0 && written === undefined)) return;
      try {
        makeFolder(folder);
        // another process may be between its look and its writing
        const release = await holdFileLock(`${pathOf(given)}.lock`, {});
        try {
          await giveWay();
          await saveChat(path, content);
          stamp = await stampOf(path);
        } finally {
          await release();
        }
        written = textOf(content);
      } catch (error) {
        say(`the conversation is not kept: ${messageOf(error)}`);
      }
    },
  };
}

/** Changes with each write of a file; undefined where there is none. */
async function stampOf(path: string): Promise<string | undefined> {
  const facts = await stat(path).catch(() => undefined);
  return facts && `${facts.ino} ${facts.size} ${facts.mtimeMs}`;
}

function textOf(chat: SavedChat | undefined): string | undefined {
  return chat && JSON.stringify(chat);
}
