"""Golden data for T5: transformers' own answers on the same weights.

  node test/fixtures/t5-checkpoint.mjs flan-t5-small .cache/checkpoints/flan-t5-small
  node test/fixtures/t5-checkpoint.mjs t5-small .cache/checkpoints/t5-small
  (also mt5-tiny and umt5-tiny)
  pip install transformers==4.57.6 torch==2.15.0 sentencepiece safetensors numpy
  python test/golden/t5/make.py NAME FOLDER > test/golden/t5/NAME.json

Inputs are random ids of several lengths, end token last. Everything in F32 on the CPU, one input at a time, one thread.
"""
import json
import random
import sys

import torch
import transformers
from transformers import AutoModelForSeq2SeqLM

NAME, FOLDER = sys.argv[1:3]
torch.set_num_threads(1 if NAME.endswith("-tiny") else 2)
torch.manual_seed(0)
model = AutoModelForSeq2SeqLM.from_pretrained(FOLDER, dtype=torch.float32).eval()
if NAME == "t5-small":
    model.tie_weights()
V, D = model.config.vocab_size, model.config.d_model
rng = random.Random(7)
# enough for what differs between the families
SMALL = NAME.endswith("-tiny")
LENGTHS = [1, 2, 3, 5, 8, 13, 21, 34, 64, 130]


def sample(tensor, count, seed):
    flat = tensor.flatten()
    r = random.Random(seed)
    at = sorted(r.randrange(flat.numel()) for _ in range(count))
    return [[i, float(f"{flat[i].item():.7g}")] for i in at]


def margins(scores):
    # smallest distance between the best and the second best score, over the steps
    return min(float(torch.topk(s[0], 2).values.diff().abs()) for s in scores)


def generate(ids, **options):
    with torch.no_grad():
        return model.generate(input_ids=torch.tensor([ids]), do_sample=False, return_dict_in_generate=True, output_scores=True,
                              output_logits=True, early_stopping=False, **options)


cases = []
for n in range(10 if SMALL else 60):
    length = LENGTHS[n % len(LENGTHS)]
    ids = [rng.randrange(3, V) for _ in range(length)] + [1]
    out = generate(ids, max_new_tokens=24, num_beams=1)
    case = {"input": ids, "greedy": out.sequences[0].tolist()[1:], "margin": float(f"{margins(out.scores):.4g}")}
    with torch.no_grad():
        hidden = model.encoder(input_ids=torch.tensor([ids])).last_hidden_state[0]
    case["encoder"] = sample(hidden, 24, n)
    case["logits"] = [[step, sample(out.logits[step][0], 24, n + step)] for step in sorted({0, 1, min(9, len(out.logits) - 1)})]
    cases.append(case)
    print(n, "greedy", file=sys.stderr)

variants = [
    {"num_beams": 4, "num_return_sequences": 4},
    {"num_beams": 2},
    {"num_beams": 4, "length_penalty": 0.6, "num_return_sequences": 2},
    {"num_beams": 4, "length_penalty": 2.0, "num_return_sequences": 2},
    {"num_beams": 3, "no_repeat_ngram_size": 2},
    {"num_beams": 1, "no_repeat_ngram_size": 2},
    {"num_beams": 1, "repetition_penalty": 1.3},
    {"num_beams": 4, "repetition_penalty": 1.3, "num_return_sequences": 2},
    {"num_beams": 1, "min_new_tokens": 6},
]
searches = []
for n, options in enumerate(variants * (1 if SMALL else 3)):
    ids = cases[n]["input"]
    # a likely token as a second end token lets beams finish at different lengths
    ends = [1] if n % 2 == 0 else [1, cases[n]["greedy"][len(cases[n]["greedy"]) // 2]]
    out = generate(ids, max_new_tokens=16, eos_token_id=ends, **options)
    rows = []
    for i, row in enumerate(out.sequences.tolist()):
        row = row[1:]
        stop = next((k + 1 for k, t in enumerate(row) if t in ends), len(row))
        entry = {"ids": row[:stop]}
        if options["num_beams"] > 1:
            entry["score"] = float(f"{out.sequences_scores[i].item():.7g}")
        rows.append(entry)
    searches.append({"case": n, "ends": ends, "maxTokens": 16, "options": options, "sequences": rows})
    print(n, options, file=sys.stderr)

print(json.dumps({
    "source": f"transformers {transformers.__version__}, torch {torch.__version__}, {type(model).__name__}, F32, CPU",
    "command": f"python test/golden/t5/make.py {NAME} .cache/checkpoints/{NAME} > test/golden/t5/{NAME}.json",
    "note": "ids without the decoder's start token; encoder and logits: [flat index, value]; logits: [step, …]; margin: smallest distance of best and second best score",
    "cases": cases,
    "searches": searches,
}, separators=(",", ":")))
