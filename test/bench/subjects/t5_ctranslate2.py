"""CTranslate2 on a conversion of the same weights. Arguments: FOLDER float32|int8 THREADS [many]"""
import json
import sys
import time

loading = time.time()
import ctranslate2

folder, compute, threads = sys.argv[1:4]
model = ctranslate2.Translator(folder, compute_type=compute, intra_threads=int(threads))
load = time.time() - loading
words = json.load(open(f"{folder}/shared_vocabulary.json"))
source = [words[3 + ((i * 7919) % 32000)] for i in range(63)] + ["</s>"]
NEW = 128


def run(count, beams=1, batch=1):
    started = time.time()
    model.translate_batch([source] * batch, max_decoding_length=count, min_decoding_length=count, beam_size=beams)
    return time.time() - started


def median(*args):
    return sorted(run(*args) for _ in range(3))[1]


run(NEW)
figures = {"loadMs": load * 1000}
if sys.argv[4:] == ["many"]:
    figures.update(beam4Rate=NEW / median(NEW, 4), batch16Rate=16 * NEW / median(NEW, 1, 16))
else:
    first = median(1)
    figures.update(firstTokenMs=first * 1000, decodeRate=(NEW - 1) / (median(NEW) - first))
print(json.dumps(figures))
