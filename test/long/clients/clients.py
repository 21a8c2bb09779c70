"""The clients of OpenAI and of Ollama for Python, unchanged: `clients.py URL`. Prints what they got as one document."""

import json
import sys

import ollama
import openai

url = sys.argv[1]
model = "tiny-stories"
messages = [{"role": "user", "content": "Hi"}]
client = openai.OpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0)
call = {"model": model, "messages": messages, "max_tokens": 5, "seed": 3}

whole = client.chat.completions.create(**call)
streamed = client.chat.completions.create(**call, stream=True, stream_options={"include_usage": True})
chunks = list(streamed)
schema = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"], "additionalProperties": False}
form = {"type": "json_schema", "json_schema": {"name": "n", "schema": schema, "strict": True}}
held = client.chat.completions.create(**{**call, "max_tokens": 60}, response_format=form)
for _ in client.chat.completions.create(**{**call, "max_tokens": 4000}, stream=True):
    break  # it leaves

try:
    client.chat.completions.create(**{**call, "model": "nobody"})
except openai.NotFoundError as error:
    missing = error.code
try:
    client.chat.completions.create(**call, top_p=2)
except openai.BadRequestError as error:
    wrong = error.param

local = ollama.Client(host=url)
chat = local.chat(model=model, messages=messages, options={"num_predict": 5, "seed": 3})
print(
    json.dumps(
        {
            "models": model in [each.id for each in client.models.list()],
            "whole": whole.choices[0].message.content,
            "tokens": whole.usage.completion_tokens,
            "streamed": "".join(each.choices[0].delta.content or "" for each in chunks if each.choices),
            "usage": chunks[-1].usage.completion_tokens,
            "held": [held.choices[0].finish_reason, held.choices[0].message.content],
            "responses": client.responses.create(model=model, input="Hi", max_output_tokens=5).status,
            "completions": client.completions.create(model=model, prompt="The", max_tokens=5).usage.completion_tokens,
            "vector": len(client.embeddings.create(model=model, input="Hi").data[0].embedding),
            "missing": missing,
            "wrong": wrong,
            "ollama": chat.message.content,
            "ollamaStreamed": "".join(
                each.response for each in local.generate(model=model, prompt="The", stream=True, options={"num_predict": 5})
            ),
            "ollamaModels": model in [each.model.removesuffix(":latest") for each in local.list().models],
        }
    )
)
