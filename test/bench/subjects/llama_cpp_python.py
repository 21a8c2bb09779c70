"""llama-cpp-python, compiled natively, as its documentation uses it. Arguments: MODEL THREADS (0 = its own default)"""
import json
import subprocess
import sys
import time

start = time.perf_counter()
from llama_cpp import Llama  # noqa: E402

prompt, new_tokens, beginnings = json.loads(
    subprocess.run(
        ["node", "-e", "import('./test/bench/subjects/prompt.mjs').then(m => console.log(JSON.stringify([m.prompt, m.newTokens, m.beginnings])))"],
        capture_output=True, text=True, check=True).stdout)
model, threads = sys.argv[1], int(sys.argv[2])
loaded = time.perf_counter()
llama = Llama(model, n_ctx=512, verbose=False, **({} if threads == 0 else {"n_threads": threads, "n_threads_batch": threads}))
load_ms = (time.perf_counter() - loaded) * 1000


def run(text):
    llama.reset()
    tokens = llama.tokenize(text.encode(), special=True)
    began, first, count = time.perf_counter(), 0.0, 0
    for token in llama.generate(tokens, temp=0.0, repeat_penalty=1.0):
        if count == 0:
            first = time.perf_counter()
        count += 1
        if count >= new_tokens:
            break
    done = time.perf_counter()
    return {"first": first, "prefillRate": len(tokens) / (first - began), "decodeRate": (count - 1) / (done - first)}


cold = run(prompt)
warm = [run(beginning + prompt) for beginning in beginnings]
print(json.dumps({"loadMs": load_ms, "firstTokenFromStartMs": (cold["first"] - start) * 1000,
                  "prefillRate": max(w["prefillRate"] for w in warm), "decodeRate": max(w["decodeRate"] for w in warm)}))
