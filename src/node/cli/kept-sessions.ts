/** `llmspell session list|show|replay|remove`: what scripts keep with Session and Artifact. */
import { replayAgents } from "../../core/agents/replay-agents.ts";
import { SpellError } from "../../core/errors.ts";
import { isObject } from "../../core/json.ts";
import { shownAnswer } from "../../core/scripts/globals/agent.ts";
import { toolAgain } from "../../core/scripts/globals/session.ts";
import type { ReplayMode } from "../../core/sessions/modes.ts";
import { type Modification, type ReplayStep, replay } from "../../core/sessions/replay.ts";
import type { Sessions } from "../../core/sessions/sessions.ts";
import { shownArtifact, shownResult, shownSession } from "../../core/sessions/shown.ts";
import type { Session, SessionStatus } from "../../core/sessions/types.ts";
import { mayBeTool } from "../../core/toolbox/mcp/lines.ts";
import { definedOnly } from "../../core/values.ts";
import { flagNumber, flagText } from "./args.ts";
import { askYesNo, canAsk, confirm } from "./ask.ts";
import type { Context } from "./context.ts";
import { formatBytes, formatMs, plural } from "./format.ts";
import { needKept } from "./kept.ts";
import { table } from "./table.ts";

/** @throws SpellError session-disabled where nothing is kept */
async function open({ config, openSpell }: Context): Promise<Sessions> {
  const { enabled, storage_backend } = (await config()).config.runtime.sessions;
  needKept("session-disabled", "runtime.sessions", enabled, "storage_backend", storage_backend);
  return (await openSpell()).sessions();
}

/** @param text an id, or the beginning of one @throws SpellError session-unknown, usage-value */
async function find(sessions: Sessions, text: string): Promise<Session> {
  const exact = await sessions.get(text);
  if (exact !== undefined) return exact;
  const close = (await sessions.list()).filter(({ id }) => id.startsWith(text));
  const [found, another] = close;
  if (found === undefined || text === "")
    throw new SpellError("session-unknown", `no session begins with ${JSON.stringify(text.slice(0, 60))}`, {
      where: text,
      hint: "See what there is with session list.",
    });
  if (another === undefined) return found;
  throw new SpellError("usage-value", `${close.length} sessions begin with ${text}`, {
    where: text,
    hint: `They are ${close.map(({ id }) => id).join(", ")}.`,
  });
}

export async function sessionList(context: Context): Promise<number> {
  const { flags, screen } = context;
  const sessions = await open(context);
  const found = await sessions.list(
    definedOnly({
      status: flagText(flags, "status") as SessionStatus | undefined,
      tags: flags.get("tag"),
      limit: flagNumber(flags, "limit"),
    }),
  );
  screen.document({ status: "ok", sessions: found.map(shownSession) });
  const rows = found.map(({ id, status, updatedAt, tags, name }) => [id, status, minutes(updatedAt), tags.join(","), name]);
  screen.writeOwn(table(screen, ["ID", "STATUS", "USED", "TAGS", "NAME"], rows, { drops: ["TAGS", "USED"] }));
  return 0;
}

export async function sessionShow(context: Context): Promise<number> {
  const { operands, screen } = context;
  const sessions = await open(context);
  const session = await find(sessions, operands[0] ?? "");
  const artifacts = await sessions.artifacts.list(session.id);
  const calls = await sessions.calls.list(session.id);
  const told = calls.map(({ call, kind, name, ms, error, within, startedAt }) =>
    definedOnly({ call, kind, name, ms, within, error, started_at: startedAt }),
  );
  screen.document({ status: "ok", session: shownSession(session), artifacts: artifacts.map(shownArtifact), calls: told });
  const fields = { id: session.id, name: session.name, description: session.description, status: session.status };
  const more = {
    tags: session.tags.join(", "),
    created: minutes(session.createdAt),
    used: minutes(session.updatedAt),
    parent: session.parentSessionId ?? "",
  };
  for (const [name, value] of Object.entries({ ...fields, ...more }))
    if (value !== "") screen.writeOwn(`${screen.out.word(`${name}:`)} ${screen.clean(value).replace(/\s+/g, " ")}\n`);
  if (artifacts.length > 0) {
    const rows = artifacts.map(({ sequence, type, size, name }) => [String(sequence), type, formatBytes(size), name]);
    screen.writeOwn(`\n${table(screen, ["ARTIFACT", "TYPE", "SIZE", "NAME"], rows)}`);
  }
  if (calls.length > 0) {
    const rows = calls.map(({ call, kind, ms, error, name }) => [String(call), kind, formatMs(ms), error?.code ?? "ok", name]);
    screen.writeOwn(`\n${table(screen, ["CALL", "KIND", "TIME", "RESULT", "NAME"], rows)}`);
  }
  return 0;
}

/** @throws SpellError usage-confirm */
export async function sessionRemove(context: Context): Promise<number> {
  const { operands, flags, screen } = context;
  const sessions = await open(context);
  const removed: string[] = [];
  // a name that is not there removes nothing
  const wanted = new Map<string, string>();
  for (const operand of operands) {
    const { id, name } = await find(sessions, operand);
    wanted.set(id, name);
  }
  for (const [id, name] of wanted) {
    if (!flags.has("yes")) {
      const count = (await sessions.artifacts.list(id)).length;
      await confirm(context, `Remove ${screen.clean(name)} with ${plural(count, "artifact")}?`, "nothing was removed");
    }
    await sessions.delete(id);
    removed.push(id);
    screen.writeOwn(`${id}\n`);
  }
  screen.document({ status: "ok", removed });
  return 0;
}

/** Status 1 where an answer differs, or a call fails that did not. */
export async function sessionReplay(context: Context): Promise<number> {
  const { operands, flags, screen, interrupt, openSpell, config } = context;
  const sessions = await open(context);
  const { id } = await find(sessions, operands[0] ?? "");
  const mode = (flagText(flags, "mode") ?? "exact") as ReplayMode;
  const spell = await openSpell();
  const { signal } = interrupt;
  const { agent, dispose } = replayAgents({ spell, config: await config(), signal }, shownAnswer);
  const isAsking = mode === "debug" && canAsk(context);
  const onStep = async (step: ReplayStep): Promise<boolean> => {
    screen.writeOwn(stepText(step, mode === "debug" || mode === "modified", screen.clean));
    return !isAsking || askYesNo(context, "Go on?", true);
  };
  const { tools } = spell;
  const resolved = await config();
  const tool = toolAgain({ has: (name) => mayBeTool(name, resolved), execute: tools.execute });
  const host = { agent, tool, now: spell.platform.now };
  const result = await replay(await sessions.calls.list(id), host, {
    mode,
    compareResults: !flags.has("no-compare"),
    stopOnError: flags.has("stop-on-error"),
    modifications: (flags.get("change") ?? []).map(readChange),
    onStep,
    signal,
    ...definedOnly({ timeoutSeconds: flagNumber(flags, "timeout") }),
  }).finally(dispose);
  const isGood = result.different + result.failed === 0;
  screen.document({ status: isGood ? "ok" : "error", session_id: id, ...shownResult(result) });
  const { calls, steps, same, different, failed, isStopped } = result;
  const parts = [`${steps.length} of ${plural(calls, "call")}`, `${same} same`, `${different} different`, `${failed} failed`];
  screen.writeOwn(`${parts.join(", ")}${isStopped ? "; stopped" : ""}\n`);
  return isGood ? 0 : 1;
}

/** @throws SpellError usage-value */
function readChange(text: string): Modification {
  const [, call, input = ""] = /^(\d{1,9})=(.*)$/s.exec(text) ?? [];
  if (call === undefined)
    throw new SpellError("usage-value", `--change: expected CALL=INPUT, got ${JSON.stringify(text.slice(0, 60))}`, { where: "--change" });
  try {
    return { call: Number(call), input: JSON.parse(input) as unknown };
  } catch {
    return { call: Number(call), input };
  }
}

function stepText(step: ReplayStep, isLong: boolean, clean: (text: string) => string): string {
  const { call, kind, name, isSame, isStored, error, input, output, differences, conditions, ms } = step;
  const compared = isSame === undefined ? (isStored ? "stored" : "done") : isSame ? "same" : "different";
  // a call that failed then too is one that came out the same
  const verdict = error === undefined ? compared : isSame === true ? `same (${error.code})` : error.code;
  const lines = [`${String(call).padStart(4)}  ${kind} ${name}  ${verdict}  ${formatMs(ms)}`];
  const add = (word: string, value: unknown): void =>
    void lines.push(`      ${word} ${typeof value === "string" ? value : JSON.stringify(value)}`);
  if (isLong) add("input:", input);
  if (isLong && output !== undefined) add("output:", kind === "agent" && isObject(output) ? output["text"] : output);
  if (error !== undefined) add("error:", error.message);
  for (const { path, expected, got } of differences)
    add(`${path === "" ? "expected" : `${path}: expected`}`, `${JSON.stringify(expected)}, got ${JSON.stringify(got)}`);
  for (const { path, expected, got } of conditions) add(`${path} was`, `${JSON.stringify(expected)}, is ${JSON.stringify(got)}`);
  return lines.map((line) => `${clean(line).replace(/[\r\n]+/g, " ")}\n`).join("");
}

function minutes(time: string): string {
  return time.slice(0, 16).replace("T", " ");
}
