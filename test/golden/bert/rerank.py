"""
Golden values of cross-encoders: small random checkpoints with a head, what transformers scores 66 pairs of texts with each, whole and cut to 24 tokens.
Weights and tokenizers are those of make.py.

Run: python rerank.py   (writes rerank.json beside itself)
Made with Python 3.11, torch 2.15.0, transformers 4.57.6, tokenizers 0.22.2, numpy; the versions used are written into the file.
"""
import json
import os
import tempfile

import numpy as np
import tokenizers
import torch
import transformers
from transformers import AutoConfig, AutoModelForSequenceClassification, PreTrainedTokenizerFast

from make import BERT, HERE, XLMR, texts, unigram, values, wordpiece

CUT = 24
ONE = dict(id2label={"0": "LABEL_0"}, label2id={"LABEL_0": 0})
MODELS = [
    # name, tokenizer, config
    ("ms-marco-minilm", "wordpiece", dict(BERT, architectures=["BertForSequenceClassification"], hidden_size=36, num_attention_heads=12, **ONE)),
    ("bge-reranker", "unigram", dict(XLMR, architectures=["XLMRobertaForSequenceClassification"], **ONE)),
    ("sigmoid", "wordpiece", dict(BERT, architectures=["BertForSequenceClassification"], hidden_size=24, num_attention_heads=3, num_hidden_layers=2,
                                  sentence_transformers=dict(activation_fn="torch.nn.modules.activation.Sigmoid", version="4.1.0"), **ONE)),
    ("older", "unigram", dict(XLMR, model_type="roberta", architectures=["RobertaForSequenceClassification"], hidden_size=16, num_attention_heads=2,
                              sbert_ce_default_activation_function="torch.nn.modules.linear.Identity", **ONE)),
]


def main():
    all_texts = texts()
    queries = ["where is the red book", "Grüße aus Köln?", "the cat [SEP] </s> was singing, and the dog how"]
    chosen = all_texts[:22]
    out = dict(
        versions=dict(torch=torch.__version__, transformers=transformers.__version__, tokenizers=tokenizers.__version__, numpy=np.__version__),
        queries=queries, texts=chosen, cut=CUT, models=[],
    )
    made = {}
    for name, make in (("wordpiece", wordpiece), ("unigram", unigram)):
        tok, special = make()
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "tokenizer.json")
            tok.save(path)
            made[name] = (PreTrainedTokenizerFast(tokenizer_file=path, **special), tok.get_vocab_size())
    for name, tokenizer, config in MODELS:
        tok, size = made[tokenizer]
        config = dict(config, vocab_size=size)
        kind = config.pop("model_type")
        model = AutoModelForSequenceClassification.from_config(AutoConfig.for_model(kind, **config), attn_implementation="eager").eval()
        config["model_type"] = kind
        prefix = model.base_model_prefix + "."
        # the tokenizers of RoBERTa give no types
        types = kind == "bert"
        with torch.no_grad():
            for key, parameter in model.named_parameters():
                parameter.copy_(values(key.removeprefix(prefix), tuple(parameter.shape)))

            def score(query, text, **cut):
                batch = tok(query, text, return_tensors="pt", return_token_type_ids=types, **cut)
                logit = model(**batch).logits[0, 0]
                value = torch.sigmoid(logit) if "sentence_transformers" in config else logit
                return float(f"{float(value):.8g}"), batch["input_ids"].shape[1]

            whole = [[score(query, text) for text in chosen] for query in queries]
            short = [[score(query, text, truncation="only_second", max_length=CUT)[0] for text in chosen] for query in queries]
        spread = [value for row in whole for value, _ in row]
        print(name, "from", min(spread), "to", max(spread))
        out["models"].append(dict(
            name=name, tokenizer=tokenizer, config=config, scores=[[value for value, _ in row] for row in whole],
            tokens=[[count for _, count in row] for row in whole], cut=short,
        ))
    with open(os.path.join(HERE, "rerank.json"), "w", encoding="utf-8") as file:
        json.dump(out, file, ensure_ascii=False, separators=(",", ":"))
        file.write("\n")


if __name__ == "__main__":
    main()
