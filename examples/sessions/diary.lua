-- A session that keeps what was made in it, and does it again.
--   LLMSPELL_RUNTIME_SESSIONS_ENABLED=true llmspell run examples/sessions/diary.lua
-- With LLMSPELL_RUNTIME_SESSIONS_STORAGE_BACKEND=file it outlives the run: llmspell session list, show, replay.

local id = Session.builder():name("diary"):tags{"example"}:build()
Session.set_current(id)

-- calls of agents are recorded in the current session
local writer = Agent.builder():name("writer"):model("tiny-stories"):max_tokens(24):seed(7):build()
local story = writer:complete("Once upon a time")

local kept = Artifact.store(id, "story", "day 1", story, {tags = {"rain"}})
print("kept " .. kept.sequence .. ", " .. #kept.content_hash .. " signs of hash")
for _, artifact in ipairs(Artifact.query{name_pattern = "day *", tags = {"rain"}}) do
  print(artifact.name .. ": " .. tostring(Artifact.get(id, artifact).content == story))
end

-- the same model, device and seed: the same words
local again = Session.replay(id)
print("calls " .. again.calls .. ", same " .. again.same)

-- the stored answers alone; nothing is asked
local stored = Session.replay(id, {mode = "simulate"})
print("stored " .. tostring(stored.steps[1].output.text == story))

Session.complete(id)
print(Session.get(id).status)
print(select(2, pcall(Artifact.store, id, "story", "day 2", "late")).code)
