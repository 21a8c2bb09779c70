"""Golden data of ByT5's tokenizer, which has no file.

  pip install transformers==4.57.6
  python test/golden/byt5-tokenizer.py > test/golden/byt5-tokenizer.json
"""
import json
import random

import transformers

t = transformers.ByT5Tokenizer(extra_ids=125)
texts = ["hello", "", "Ünïcödé 𝄞 世界", "a </s> b", "x <extra_id_0> y<extra_id_124>", "end</s>", "tab\tnew\nline", " <pad> q", "\ufffd", "e\u0301"]
rng = random.Random(7)
lists = [[ord("h") + 3, 0xE4 + 3, 0xB8 + 3, 1], [0xE4 + 3, 0xB8 + 3, 0x41 + 3], [0xF0 + 3], [259, 70, 383, 0, 2, 71], [0xEF + 3, 0xBF + 3, 0xBD + 3]]
lists += [[rng.randrange(384) for _ in range(30)] for _ in range(20)]
print(json.dumps({
    "source": f"transformers {transformers.__version__}, ByT5Tokenizer",
    "command": "python test/golden/byt5-tokenizer.py > test/golden/byt5-tokenizer.json",
    "encode": [{"text": x, "ids": t(x).input_ids} for x in texts],
    "decode": [{"ids": x, "text": t.decode(x, skip_special_tokens=True)} for x in lists],
}, ensure_ascii=True, indent=1))
