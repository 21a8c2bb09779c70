/** Session, Artifact, Event, Hook and Replay, for docs/script-globals.md. */
import { entry, same } from "./script-entry.mjs";

const off = "`session-disabled`, `store-*`";
const known = `\`session-unknown\`, ${off}`;
const events = "`event-disabled`";
const hooks = "`hook-disabled`";
const one = `local id = Session.create{name = "trip"}\n`;
const oneJs = `const id = Session.create({ name: "trip" });\n`;
const session = "the session as get() shows it";
const artifact = "`{content_hash, session_id, sequence, type, name, size, is_compressed, created_at, tags, metadata}`";
const stored = `${one}local artifact = Artifact.store(id, "report", "day 1", "It rained.", {tags = {"weather"}})\n`;
const storedJs = `${oneJs}const artifact = Artifact.store(id, "report", "day 1", "It rained.", { tags: ["weather"] });\n`;
const asked = `${one}Session.set_current(id)\nAgent.builder():name("clerk"):model("tiny-stories"):max_tokens(4):build():execute("Once")\n`;
const askedJs = `${oneJs}Session.setCurrent(id);\nawait Agent.builder().name("clerk").model("tiny-stories").max_tokens(4).build().execute("Once");\n`;
const heard = `local id = Event.subscribe("order.*")\nEvent.publish("order.paid", {sum = 12})\n`;
const heardJs = `const id = Event.subscribe("order.*");\nEvent.publish("order.paid", { sum: 12 });\n`;
const hooked = `local hook = Hook.register("BeforeToolExecution", function(call) return "continue" end)\n`;
const hookedJs = `const hook = Hook.register("BeforeToolExecution", (call) => "continue");\n`;

/** @type {Record<string, import("./script-entry.mjs").Entry>} */
export const sessions = {
  "Session.create": entry(
    "Begins a session: work that belongs together, with its artifacts and the calls of agents and tools made in it.",
    "its id",
    `local id = Session.create{name = "trip", tags = {"france"}}\nprint(id)`,
    `const id = Session.create({ name: "trip", tags: ["france"] });\nprint(id);`,
    `\`session-full\`, \`run-option\`, ${off}`,
  ),
  "Session.builder": entry(
    "The same step by step.",
    "a `SessionBuilder`",
    `print(Session.builder():name("trip"):tags{"france"}:build())`,
    `print(Session.builder().name("trip").tags(["france"]).build());`,
  ),
  "Session.get": entry(
    "One session. `status` is `active`, `suspended`, `completed`, or `expired`: left alone for `session_timeout_seconds`.",
    "`{id, name, description, tags, status, created_at, updated_at, parent_session_id?, custom_metadata}`, or nothing",
    `${one}print(Session.get(id).status)`,
    `${oneJs}print(Session.get(id).status);`,
    off,
  ),
  "Session.list": entry(
    "Sessions, the one used last first.",
    "a list of sessions as get() shows them",
    `${one}print(#Session.list{status = "active", limit = 10})`,
    `${oneJs}print(Session.list({ status: "active", limit: 10 }).length);`,
    off,
  ),
  "Session.save": entry(
    "Says that it is still used, so that it does not expire. What is in a session is kept by itself.",
    session,
    `${one}print(Session.save(id).name)`,
    `${oneJs}print(Session.save(id).name);`,
    `\`session-status\`, ${known}`,
  ),
  "Session.load": entry(
    "A session that must be there; an expired one is active again.",
    session,
    `${one}print(Session.load(id).name)`,
    `${oneJs}print(Session.load(id).name);`,
    known,
  ),
  "Session.complete": entry(
    "Ends it: nothing more is added.",
    session,
    `${one}print(Session.complete(id).status)`,
    `${oneJs}print(Session.complete(id).status);`,
    `\`session-status\`, ${known}`,
  ),
  "Session.suspend": entry(
    "Lays it aside: it takes nothing, and does not expire.",
    session,
    `${one}print(Session.suspend(id).status)`,
    `${oneJs}print(Session.suspend(id).status);`,
    `\`session-status\`, ${known}`,
  ),
  "Session.resume": entry(
    "Goes on with a suspended or expired one.",
    session,
    `${one}Session.suspend(id)\nprint(Session.resume(id).status)`,
    `${oneJs}Session.suspend(id);\nprint(Session.resume(id).status);`,
    `\`session-status\`, ${known}`,
  ),
  "Session.delete": entry(
    "Deletes it with its artifacts and calls.",
    "whether it was there",
    `${one}print(Session.delete(id))`,
    `${oneJs}print(Session.delete(id));`,
    off,
  ),
  "Session.get_current": entry(
    "The session that calls of agents and tools are recorded in.",
    "its id, or nothing",
    `${one}Session.set_current(id)\nprint(Session.get_current() == id)`,
    `${oneJs}Session.setCurrent(id);\nprint(Session.getCurrent() === id);`,
  ),
  "Session.set_current": entry(
    "Records calls in it from now on; without an id, in none.",
    "nothing",
    `${one}Session.set_current(id)\nSession.set_current()`,
    `${oneJs}Session.setCurrent(id);\nSession.setCurrent();`,
    `\`session-status\`, ${known}`,
  ),
  "Session.can_replay": entry(
    "Whether calls were recorded in it.",
    "true or false",
    `${one}print(Session.can_replay(id))`,
    `${oneJs}print(Session.canReplay(id));`,
    off,
  ),
  "Session.replay": entry(
    "Makes the recorded calls again. `exact`: with their inputs and seeds; `modified`: some inputs changed; `simulate`: stored outputs, nothing is called; `debug`: as exact. `on_step` is told of each call, and ends the replay with `false`. Tools of agents answer as they did.",
    "`{mode, calls, same, different, failed, is_stopped, steps}`, each step `{call, kind, name, input, expected, output?, error?, is_same?, differences, conditions, is_stored, ms}`; `conditions` are differences of model, device and seed",
    `${asked}print(Session.replay(id, {mode = "exact"}).same)`,
    `${askedJs}print((await Session.replay(id, { mode: "exact" })).same);`,
    `\`run-option\`, ${known}`,
  ),
  "Session.get_replay_metadata": entry(
    "What was recorded.",
    "`{session_id, calls, agents, tools, models, first_at?, last_at?}`",
    `${one}print(Session.get_replay_metadata(id).calls)`,
    `${oneJs}print(Session.getReplayMetadata(id).calls);`,
    known,
  ),
  "Session.list_replayable": same("Sessions with recorded calls.", "a list of ids", "print(Session.list_replayable())", off),

  "SessionBuilder:name": entry(
    "Its name; default `session` and 8 signs of the id.",
    "the builder",
    `Session.builder():name("trip")`,
    `Session.builder().name("trip");`,
  ),
  "SessionBuilder:description": entry(
    "What it is for.",
    "the builder",
    `Session.builder():description("To France")`,
    `Session.builder().description("To France");`,
  ),
  "SessionBuilder:tags": entry(
    "Words to find it by.",
    "the builder",
    `Session.builder():tags{"france"}`,
    `Session.builder().tags(["france"]);`,
  ),
  "SessionBuilder:parent_session_id": entry(
    "The session that it belongs to.",
    "the builder",
    `${one}Session.builder():parent_session_id(id):build()`,
    `${oneJs}Session.builder().parentSessionId(id).build();`,
  ),
  "SessionBuilder:custom_metadata": entry(
    "Data of your own.",
    "the builder",
    `Session.builder():custom_metadata{price = 12}`,
    `Session.builder().customMetadata({ price: 12 });`,
  ),
  "SessionBuilder:build": entry(
    "Begins the session.",
    "its id",
    `print(Session.builder():name("trip"):build())`,
    `print(Session.builder().name("trip").build());`,
    `\`session-full\`, \`run-option\`, ${known}`,
  ),

  "Artifact.store": entry(
    "Keeps a text, data, or in JavaScript bytes (`Uint8Array`, `ArrayBuffer`). From `artifact_compression_threshold` bytes on it is compressed, where that makes it smaller. `tags` of its metadata are what query() looks for.",
    "`{content_hash, session_id, sequence}`; the hash is SHA-256 of the content",
    `${stored}print(artifact.content_hash)`,
    `${storedJs}print(artifact.content_hash);`,
    `\`session-full\`, \`session-status\`, \`run-option\`, ${known}`,
  ),
  "Artifact.store_file": entry(
    "Keeps a file that the script may read; its name is that of the file.",
    "as store()",
    `${one}Utils.write_file("note.txt", "rain")\nprint(Artifact.store_file(id, "note.txt", "note").sequence)`,
    `${oneJs}await Utils.writeFile("note.txt", "rain");\nprint((await Artifact.storeFile(id, "note.txt", "note")).sequence);`,
    `\`script-denied\`, \`script-error\`, \`session-full\`, \`session-status\`, ${known}`,
  ),
  "Artifact.get": entry(
    "One artifact, by what store() gave or by its number, after its content was checked against its hash.",
    `${artifact} with \`content\`; bytes come in base64, with \`encoding\``,
    `${stored}print(Artifact.get(id, artifact).content)`,
    `${storedJs}print(Artifact.get(id, artifact).content);`,
    `\`store-corrupt\`, ${known}`,
  ),
  "Artifact.list": entry(
    "Artifacts of a session, in the order they came.",
    `a list of ${artifact}`,
    `${stored}print(Artifact.list(id)[1].name)`,
    `${storedJs}print(Artifact.list(id)[0].name);`,
    known,
  ),
  "Artifact.delete": entry(
    "Deletes one.",
    "whether it was there",
    `${stored}print(Artifact.delete(id, artifact))`,
    `${storedJs}print(Artifact.delete(id, artifact));`,
    known,
  ),
  "Artifact.query": entry(
    "Artifacts of one session or all, the newest first. In `name_pattern` `*` is any text and `?` one character; times are ISO 8601, or milliseconds as of Utils.now().",
    `a list of ${artifact}`,
    `${stored}print(#Artifact.query{name_pattern = "day *", tags = {"weather"}} > 0)`,
    `${storedJs}print(Artifact.query({ name_pattern: "day *", tags: ["weather"] }).length > 0);`,
    `\`run-option\`, ${known}`,
  ),

  "Event.publish": entry(
    "Publishes an event to all subscriptions that fit. Its data is plain, as that of `State.save`. Within a hook it is published once the hook has returned.",
    "`false` where there are more than `events.max_events_per_second`: then nobody gets it",
    `print(Event.publish("order.paid", {sum = 12}, {correlation_id = "order 7", ttl_seconds = 60}))`,
    `print(Event.publish("order.paid", { sum: 12 }, { correlation_id: "order 7", ttl_seconds: 60 }));`,
    `\`run-option\`, ${events}`,
  ),
  "Event.subscribe": entry(
    "Collects events from now on, `events.buffer_size` at most: then the oldest go. `*` is one part between dots, `**` any number of them.",
    "its id",
    `print(Event.subscribe("order.**"))`,
    `print(Event.subscribe("order.**"));`,
    `\`run-option\`, ${events}`,
  ),
  "Event.receive": entry(
    "The next event, waiting for one, 5000 ms if nothing else is said.",
    "`{id, type, data?, published_at, language?, correlation_id?, ttl_seconds?}`, or nothing",
    `${heard}print(Event.receive(id, 100).data.sum)`,
    `${heardJs}print((await Event.receive(id, 100)).data.sum);`,
    `\`event-unknown\`, ${events}`,
  ),
  "Event.unsubscribe": entry(
    "Ends a subscription.",
    "whether it was there",
    `${heard}print(Event.unsubscribe(id))`,
    `${heardJs}print(Event.unsubscribe(id));`,
    events,
  ),
  "Event.list_subscriptions": entry(
    "Subscriptions, with what waits in them and what they lost.",
    "a list of `{id, pattern, waiting, dropped}`",
    `${heard}print(Event.list_subscriptions()[1].pattern)`,
    `${heardJs}print(Event.listSubscriptions()[0].pattern);`,
    events,
  ),
  "Event.get_stats": same(
    "Counts of this script.",
    "`{published, refused, received, dropped, expired, subscriptions}`",
    "print(Event.get_stats())",
    events,
  ),

  "Hook.register": entry(
    'Calls a function at a point, with `{point, component = {type, name}, input, output?, error?, attempt, session_id?}`; of a step of a workflow the name is `WORKFLOW.STEP`. Priorities: `highest`, `high`, `normal`, `low`, `lowest`. The function returns nothing or `"continue"`; `"skip"`; another text, which cancels with that reason; or a table with `type`: `modified` and `data = {input = …}` (behind a call `output`), `cancel` and `reason`, `replace` and `data`, `redirect` and `target`, `retry` with `delay_ms` and `max_attempts`, `skipped`. One that fails or takes longer than `hooks.timeout_ms` is passed over. No hook fires for what happens within a hook.',
    "a `HookHandle`",
    `Hook.register("BeforeToolExecution", function(call)\n  if call.component.name == "remove" then return "nothing is removed today" end\nend, "high")`,
    `Hook.register("BeforeToolExecution", (call) => (call.component.name === "remove" ? "nothing is removed today" : "continue"), "high");`,
    `\`run-option\`, ${hooks}`,
  ),
  "Hook.list": entry(
    "Hooks, in the order they are called.",
    "a list of `{id, point, priority}`",
    `${hooked}print(Hook.list{point = "BeforeToolExecution"}[1].priority)`,
    `${hookedJs}print(Hook.list({ point: "BeforeToolExecution" })[0].priority);`,
    hooks,
  ),
  "Hook.unregister": entry(
    "Ends a hook.",
    "whether it was there",
    `${hooked}print(Hook.unregister(hook))`,
    `${hookedJs}print(Hook.unregister(hook));`,
    hooks,
  ),
  "HookHandle:id": entry("Its number.", "a number", `${hooked}print(hook:id())`, `${hookedJs}print(hook.id());`),
  "HookHandle:unregister": entry(
    "Ends the hook.",
    "whether it was there",
    `${hooked}print(hook:unregister())`,
    `${hookedJs}print(hook.unregister());`,
    hooks,
  ),

  "Replay.modes": same("Modes of Session.replay().", "a list of texts", "print(Replay.modes())"),
  "Replay.create_config": entry(
    "Checks what Session.replay() is given.",
    "the table, with its mode",
    `print(Replay.create_config("exact", {stop_on_error = true}).mode)`,
    `print(Replay.createConfig("exact", { stop_on_error: true }).mode);`,
  ),
  "Replay.create_modification": entry(
    "Another input for a call, by its number: one of `modifications` in the mode `modified`.",
    "`{call, input}`",
    `print(Replay.create_modification(1, "Twice upon a time").call)`,
    `print(Replay.createModification(1, "Twice upon a time").call);`,
  ),
  "Replay.schedules": same("When a replay can run: when it is called.", "a list of texts", "print(Replay.schedules())"),
  "Replay.create_comparator": entry(
    "Compares values, without the fields that `ignore` names at any depth; numbers may differ by `tolerance`.",
    "a `ReplayComparator`",
    `print(Replay.create_comparator{ignore = {"ms"}}:compare({a = 1, ms = 2}, {a = 1, ms = 3}).is_same)`,
    `print(Replay.createComparator({ ignore: ["ms"] }).compare({ a: 1, ms: 2 }, { a: 1, ms: 3 }).is_same);`,
  ),
  "ReplayComparator:compare": entry(
    "Where two values differ.",
    "`{is_same, differences}`, each difference `{path, expected?, got?}`",
    `print(Replay.create_comparator():compare({1, 2}, {1, 3}).differences[1].path)`,
    `print(Replay.createComparator().compare([1, 2], [1, 3]).differences[0].path);`,
  ),
};
