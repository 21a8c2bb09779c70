// A session that keeps what was made in it, and does it again.
//   LLMSPELL_RUNTIME_SESSIONS_ENABLED=true llmspell run examples/sessions/diary.js
// With LLMSPELL_RUNTIME_SESSIONS_STORAGE_BACKEND=file it outlives the run: llmspell session list, show, replay.

const id = Session.builder().name("diary").tags(["example"]).build();
Session.setCurrent(id);

// calls of agents are recorded in the current session
const writer = Agent.builder().name("writer").model("tiny-stories").max_tokens(24).seed(7).build();
const story = await writer.complete("Once upon a time");

const kept = Artifact.store(id, "story", "day 1", story, { tags: ["rain"] });
print(`kept ${kept.sequence}, ${kept.content_hash.length} signs of hash`);
for (const artifact of Artifact.query({ name_pattern: "day *", tags: ["rain"] })) {
  print(`${artifact.name}: ${Artifact.get(id, artifact).content === story}`);
}

// the same model, device and seed: the same words
const again = await Session.replay(id);
print(`calls ${again.calls}, same ${again.same}`);

// the stored answers alone; nothing is asked
const stored = await Session.replay(id, { mode: "simulate" });
print(`stored ${stored.steps[0].output.text === story}`);

Session.complete(id);
print(Session.get(id).status);
try {
  Artifact.store(id, "story", "day 2", "late");
} catch (error) {
  print(error.code);
}
