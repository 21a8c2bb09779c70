"""
Golden values of encoders of the BERT family: small random checkpoints, what transformers makes of 64 texts with each, pooled and normalised.
Weights are not stored: both sides make them from the tensors' names (`values` here, test/fixtures/bert-writer.ts there). Each is a multiple of 1/256 that
F32, F16 and BF16 hold exactly.

Run: python make.py   (writes golden.json beside itself)
Made with Python 3.11, torch 2.15.0, transformers 4.57.6, tokenizers 0.22.2, numpy; the versions used are written into the file.
"""
import json
import os
import tempfile

import numpy as np
import tokenizers
import torch
import transformers
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
from transformers import AutoConfig, AutoModel, PreTrainedTokenizerFast

HERE = os.path.dirname(os.path.abspath(__file__))
torch.set_num_threads(1)


def fnv(text):
    h = 2166136261
    for byte in text.encode():
        h = ((h ^ byte) * 16777619) & 0xFFFFFFFF
    return h


def values(name, shape):
    """mulberry32 from the hash of the name: its upper 8 bits, as (k - 128) / 512; weights of norms as 1 + (k / 16 - 8) / 16."""
    n = int(np.prod(shape))
    u = np.uint64
    a = (u(fnv(name)) + u(0x6D2B79F5) * np.arange(1, n + 1, dtype=np.uint64)) & u(0xFFFFFFFF)
    t = ((a ^ (a >> u(15))) * (a | u(1))) & u(0xFFFFFFFF)
    t = t ^ ((t + (((t ^ (t >> u(7))) * (t | u(61))) & u(0xFFFFFFFF))) & u(0xFFFFFFFF))
    k = ((t ^ (t >> u(14))) >> u(24)).astype(np.int64)
    x = 1 + (k // 16 - 8) / 16 if name.endswith(("LayerNorm.weight", "layer_norm.weight")) else (k - 128) / 512
    return torch.from_numpy(x.astype(np.float32).reshape(shape))


WORDS = """the a an is was are of in on at to and or not with for from by it this that he she they we you i my his her their our cat dog house river city tree
book music chess king queen school water fire wind stone paper code model word text vector search question answer small big old new good bad red green blue
sing run play read write walk open close find make take give how what where when who why play think time day night year one two three first last more less""".split()


def wordpiece(lowercase=True):
    letters = "abcdefghijklmnopqrstuvwxyz0123456789.,!?'-:;()äöüéß東京猫"
    vocab = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"] + list(letters) + ["##" + x for x in letters] + WORDS + ["##ing", "##ed", "##er", "##ly", "##s2"]
    vocab = list(dict.fromkeys(vocab))
    tok = Tokenizer(models.WordPiece(vocab={w: i for i, w in enumerate(vocab)}, unk_token="[UNK]", continuing_subword_prefix="##", max_input_chars_per_word=100))
    tok.normalizer = normalizers.BertNormalizer(lowercase=lowercase)
    tok.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tok.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    tok.add_special_tokens(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"])
    return tok, dict(pad_token="[PAD]", unk_token="[UNK]", cls_token="[CLS]", sep_token="[SEP]", mask_token="[MASK]")


def unigram():
    letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.,!?'-:;()äöüéß東京猫"
    pieces = [("<s>", 0.0), ("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), ("▁", -3.0)]
    pieces += [(x, -6.0 - i / 64) for i, x in enumerate(letters)] + [("▁" + w, -4.0 - i / 64) for i, w in enumerate(dict.fromkeys(WORDS))]
    pieces += [("ing", -5.0), ("ed", -5.25), ("er", -5.5), ("ly", -5.75), ("<mask>", 0.0)]
    tok = Tokenizer(models.Unigram(pieces, unk_id=3))
    tok.pre_tokenizer = pre_tokenizers.Metaspace(replacement="▁", prepend_scheme="always")
    tok.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", pair="<s> $A </s> </s> $B </s>", special_tokens=[("<s>", 0), ("</s>", 2)]
    )
    tok.add_special_tokens(["<s>", "<pad>", "</s>", "<unk>", "<mask>"])
    return tok, dict(pad_token="<pad>", unk_token="<unk>", cls_token="<s>", sep_token="</s>", bos_token="<s>", eos_token="</s>", mask_token="<mask>")


def texts():
    r = np.random.default_rng(22)
    plain = [
        "the cat was singing", "A good old house on the river", "Playing chess, and music!", "x", "?", " ", "  the   cat  ", "the\ncat\tran",
        "Grüße aus Köln, ça va? Bjørn", "東京の猫 and the dog", "[CLS] the cat [SEP]", "[SEP]", "[MASK] [PAD] [UNK]", "<s> the <pad> cat </s>", "<mask><pad>",
        "naïve café", "🙂 the cat 🙂", "1234567890", "it's 3.14, isn't it?", "query: where is the red book", "zzzzzzzzzzzzzzzzzzzz", "e\u0301 and \u00e9",
    ]
    while len(plain) < 64:
        n = int(r.integers(1, 40))
        plain.append(" ".join(str(w) for w in r.choice(WORDS, n)))
    return plain


def pooled(hidden, mask, pooling):
    m = mask[..., None].float()
    if pooling == "cls":
        v = hidden[:, 0]
    elif pooling == "max":
        v = hidden.masked_fill(m == 0, float("-inf")).max(1).values
    else:
        v = (hidden * m).sum(1) / m.sum(1)
    return torch.nn.functional.normalize(v, dim=-1)


BERT = dict(
    model_type="bert", architectures=["BertModel"], hidden_size=48, num_hidden_layers=3, num_attention_heads=4, intermediate_size=96,
    max_position_embeddings=96, type_vocab_size=2, layer_norm_eps=1e-12, hidden_act="gelu", pad_token_id=0,
)
XLMR = dict(
    model_type="xlm-roberta", architectures=["XLMRobertaModel"], hidden_size=32, num_hidden_layers=2, num_attention_heads=4, intermediate_size=64,
    max_position_embeddings=98, type_vocab_size=1, layer_norm_eps=1e-5, hidden_act="gelu", pad_token_id=1, bos_token_id=0, eos_token_id=2,
)
MODELS = [
    # name, tokenizer, config, pooling, number of texts
    ("minilm", "wordpiece", dict(BERT, hidden_size=36, num_attention_heads=12, num_hidden_layers=4, intermediate_size=144), "mean", 64),
    ("bge", "wordpiece", BERT, "cls", 64),
    ("e5-multilingual", "unigram", XLMR, "mean", 64),
    ("one-head", "wordpiece", dict(BERT, hidden_size=20, num_attention_heads=1, num_hidden_layers=1, intermediate_size=12), "max", 24),
    ("tanh-gelu", "wordpiece", dict(BERT, hidden_size=24, num_attention_heads=3, num_hidden_layers=2, hidden_act="gelu_new"), "mean", 24),
    ("relu", "unigram", dict(XLMR, hidden_size=16, num_attention_heads=2, hidden_act="relu", model_type="roberta", architectures=["RobertaModel"]), "cls", 24),
]


def main():
    torch.manual_seed(0)
    all_texts = texts()
    out = dict(
        versions=dict(torch=torch.__version__, transformers=transformers.__version__, tokenizers=tokenizers.__version__, numpy=np.__version__),
        texts=all_texts, tokenizers={}, models=[],
    )
    made = {}
    for name, make in (("wordpiece", wordpiece), ("unigram", unigram)):
        tok, special = make()
        out["tokenizers"][name] = json.loads(tok.to_str())
        # padding and cutting that a file asks for do not act
        tok.enable_padding(length=32)
        tok.enable_truncation(max_length=7)
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "tokenizer.json")
            tok.save(path)
            made[name] = (PreTrainedTokenizerFast(tokenizer_file=path, **special), tok.get_vocab_size())
    for name, tokenizer, config, pooling, count in MODELS:
        tok, size = made[tokenizer]
        config = dict(config, vocab_size=size)
        kind = config.pop("model_type")
        model = AutoModel.from_config(AutoConfig.for_model(kind, **config), attn_implementation="eager").eval()
        config["model_type"] = kind
        with torch.no_grad():
            for key, parameter in model.named_parameters():
                parameter.copy_(values(key, tuple(parameter.shape)))
            vectors, ids = [], []
            for text in all_texts[:count]:
                batch = tok([text], return_tensors="pt", return_token_type_ids=False)
                hidden = model(**batch).last_hidden_state
                vectors.append(pooled(hidden, batch["attention_mask"], pooling)[0])
                ids.append(batch["input_ids"][0].tolist())
            together = tok(all_texts[:count], return_tensors="pt", padding=True, return_token_type_ids=False)
            batch = pooled(model(**together).last_hidden_state, together["attention_mask"], pooling)
            print(name, "batch against alone:", float((batch - torch.stack(vectors)).abs().max()))
        out["models"].append(dict(
            name=name, tokenizer=tokenizer, pooling=pooling, config=config, ids=ids,
            vectors=[[float(f"{x:.7g}") for x in v.tolist()] for v in vectors],
        ))
    with open(os.path.join(HERE, "golden.json"), "w", encoding="utf-8") as file:
        json.dump(out, file, ensure_ascii=False, separators=(",", ":"))
        file.write("\n")


if __name__ == "__main__":
    main()
