"""sentence-transformers on the same checkpoint. Arguments: FOLDER THREADS"""
import json
import sys
import time

loading = time.time()
import torch
from sentence_transformers import SentenceTransformer

folder, threads = sys.argv[1:3]
torch.set_num_threads(int(threads))
model = SentenceTransformer(folder, device="cpu")
figures = {"loadMs": (time.time() - loading) * 1000}
texts = json.load(open(f"{folder}/texts.json"))


def rate(batches):
    started = time.time()
    for batch in batches:
        model.encode(batch, batch_size=64, show_progress_bar=False, normalize_embeddings=True)
    return sum(len(text.split()) + 2 for batch in batches for text in batch) / (time.time() - started)


for kind in ("short", "long"):
    for size in (1, 16, 64):
        calls = 16 if size == 1 and kind == "short" else 1
        batches = [texts[kind][i * size : (i + 1) * size] for i in range(calls)]
        if (kind, size) != ("long", 64):
            rate(batches)
        figures[f"{kind}{size}Rate"] = rate(batches) if (kind, size) == ("long", 64) else max(rate(batches), rate(batches))
print(json.dumps(figures))
