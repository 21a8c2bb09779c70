"""
Golden values of encoders of T5 (sentence-t5, gtr) and of encoders with a dense layer (LaBSE): small random checkpoints, what transformers makes of the texts of
make.py with each; pooling, dense layer and normalisation as sentence-transformers defines them: activation(linear(mean of tokens)), then length 1.
Weights are those of make.py, by their names; the dense layer's are 2_Dense.linear.weight and 2_Dense.linear.bias.

Run: python sentence.py   (writes sentence.json beside itself)
Made with Python 3.11, torch 2.15.0, transformers 4.57.6, tokenizers 0.22.2, numpy; the versions used are written into the file.
"""
import json
import os
import tempfile

import numpy as np
import tokenizers
import torch
import transformers
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import AutoConfig, AutoModel, PreTrainedTokenizerFast, T5EncoderModel

from make import BERT, HERE, WORDS, texts, values, wordpiece

IDENTITY, TANH = "torch.nn.modules.linear.Identity", "torch.nn.modules.activation.Tanh"
T5 = dict(
    model_type="t5", architectures=["T5EncoderModel"], d_model=32, d_kv=8, num_heads=4, d_ff=64, num_layers=2, feed_forward_proj="relu",
    relative_attention_num_buckets=8, relative_attention_max_distance=20, layer_norm_epsilon=1e-6, pad_token_id=0, eos_token_id=1, n_positions=96,
)
MODELS = [
    # name, tokenizer, config, pooling, dense, number of texts
    ("sentence-t5", "t5", T5, "mean", dict(out_features=24, bias=False, activation_function=IDENTITY), 64),
    ("gated", "t5", dict(T5, d_kv=6, num_layers=3, feed_forward_proj="gated-gelu"), "mean", dict(out_features=40, bias=True, activation_function=TANH), 24),
    ("no-dense", "t5", dict(T5, d_model=16, d_ff=24), "mean", None, 24),
    ("labse", "wordpiece", dict(BERT, hidden_size=24, num_attention_heads=3, num_hidden_layers=2), "cls", dict(out_features=24, bias=True, activation_function=TANH), 24),
]


def t5_tokenizer():
    letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.,!?'-:;()äöüéß東京猫"
    pieces = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), ("▁", -3.0)]
    pieces += [(x, -6.0 - i / 64) for i, x in enumerate(letters)] + [("▁" + w, -4.0 - i / 64) for i, w in enumerate(dict.fromkeys(WORDS))]
    tok = Tokenizer(models.Unigram(pieces, unk_id=2))
    tok.pre_tokenizer = pre_tokenizers.Metaspace(replacement="▁", prepend_scheme="always")
    tok.post_processor = processors.TemplateProcessing(single="$A </s>", pair="$A </s> $B </s>", special_tokens=[("</s>", 1)])
    tok.add_special_tokens(["<pad>", "</s>", "<unk>"])
    return tok, dict(pad_token="<pad>", unk_token="<unk>", eos_token="</s>")


def main():
    all_texts = texts()
    out = dict(
        versions=dict(torch=torch.__version__, transformers=transformers.__version__, tokenizers=tokenizers.__version__, numpy=np.__version__),
        texts=all_texts, tokenizers={}, models=[],
    )
    made = {}
    for name, make in (("wordpiece", wordpiece), ("t5", t5_tokenizer)):
        tok, special = make()
        out["tokenizers"][name] = json.loads(tok.to_str())
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "tokenizer.json")
            tok.save(path)
            made[name] = (PreTrainedTokenizerFast(tokenizer_file=path, **special), tok.get_vocab_size())
    for name, tokenizer, config, pooling, dense, count in MODELS:
        tok, size = made[tokenizer]
        config = dict(config, vocab_size=size)
        kind = config.pop("model_type")
        settings = AutoConfig.for_model(kind, **config)
        model = (T5EncoderModel(settings) if kind == "t5" else AutoModel.from_config(settings, attn_implementation="eager")).eval()
        config["model_type"] = kind
        activation = torch.tanh if dense and dense["activation_function"] == TANH else (lambda x: x)
        with torch.no_grad():
            for key, parameter in model.named_parameters():
                parameter.copy_(values(key, tuple(parameter.shape)))
            vectors, tokens = [], []
            for text in all_texts[:count]:
                batch = tok([text], return_tensors="pt", return_token_type_ids=False)
                hidden = model(**batch).last_hidden_state
                v = hidden[:, 0] if pooling == "cls" else hidden.mean(1)
                if dense:
                    v = v @ values("2_Dense.linear.weight", (dense["out_features"], v.shape[1])).T
                    v = activation(v + values("2_Dense.linear.bias", (dense["out_features"],)) if dense["bias"] else v)
                vectors.append(torch.nn.functional.normalize(v, dim=-1)[0])
                tokens.append(batch["input_ids"].shape[1])
        out["models"].append(dict(
            name=name, tokenizer=tokenizer, pooling=pooling, dense=dense, config=config, tokens=tokens,
            vectors=[[float(f"{x:.7g}") for x in v.tolist()] for v in vectors],
        ))
    with open(os.path.join(HERE, "sentence.json"), "w", encoding="utf-8") as file:
        json.dump(out, file, ensure_ascii=False, separators=(",", ":"))
        file.write("\n")


if __name__ == "__main__":
    main()
