-- A conversation that the next run goes on with, where the configuration keeps State in a file.
--   llmspell run examples/scripts/cookbook/remember.lua 'My name is Lily.'

local earlier = State.load("remember", "messages") or JSON.array({})
local agent = Agent.builder():model(ARGS.model or "tiny-stories"):max_tokens(30):seed(1):build()
local answer = agent:execute({ text = ARGS[1] or "Once upon a time", messages = earlier })
print(answer.text)
State.save("remember", "messages", agent:history())
print(#State.load("remember", "messages") .. " messages kept")
