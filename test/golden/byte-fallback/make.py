"""A small SentencePiece model with byte fallback, as mT5's and UMT5's have, and what the reference makes of texts with it.

  pip install transformers==4.57.6 sentencepiece==0.2.3 protobuf
  python test/golden/byte-fallback/make.py

Writes spiece.model and golden.json beside itself.
"""
import json
import os
import random

import sentencepiece
import transformers

here = os.path.dirname(os.path.abspath(__file__))
words = "the cat sat on a mat and saw one red ball roll down to some green sea where nine men sang songs of rain sun wind".split()
rng = random.Random(7)
corpus = [" ".join(rng.choice(words) for _ in range(rng.randrange(3, 12))) for _ in range(400)]
sentencepiece.SentencePieceTrainer.train(
    sentence_iterator=iter(corpus), model_prefix=f"{here}/spiece", vocab_size=300, model_type="unigram", byte_fallback=True, normalization_rule_name="identity",
    pad_id=0, eos_id=1, unk_id=2, bos_id=-1, minloglevel=2)
os.remove(f"{here}/spiece.vocab")
t = transformers.T5Tokenizer(f"{here}/spiece.model", extra_ids=10, legacy=True)
texts = ["the cat sat", "", "Ünïcödé 𝄞 世界", "the <0x41> cat", "a mat 🐈 and", "x <extra_id_0> y<extra_id_9>", "  two  spaces ", "tab\tnew\nline", "e\u0301"]
lists = [t(x).input_ids for x in texts]
with open(f"{here}/golden.json", "w") as file:
    json.dump({
        "source": f"transformers {transformers.__version__}, T5Tokenizer; sentencepiece {sentencepiece.__version__}",
        "command": "python test/golden/byte-fallback/make.py",
        "encode": [{"text": x, "ids": t(x).input_ids} for x in texts],
        "decode": [{"ids": x, "text": t.decode(x, skip_special_tokens=True, clean_up_tokenization_spaces=False)} for x in lists],
    }, file, ensure_ascii=True, indent=1)
    file.write("\n")
