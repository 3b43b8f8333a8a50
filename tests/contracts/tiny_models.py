"""Models of sentence-transformers with random weights and a vocabulary of characters: real files, built in a second.

Words and characters that texts share are what their vectors are alike in: attention is near nothing at this size.
"""

import logging
import warnings
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

LEFT_OUT = "the gpu extra (torch, sentence-transformers) is left out"
CHARACTERS = "签收后七天内可以申请无理由退货运费由买家承担商家入驻需要营业执照和品牌授权书吗的谁佣金保证元数码旗舰店"
WORDS = ["returns", "are", "free", "within", "30", "days", "of", "delivery", "sku", "ab", "1029", "query", "passage"]
PROMPTS = {"query": "query: ", "document": "passage: "}


def gpu_extra() -> None:
    """For what needs torch; skips where it is absent."""
    if find_spec("torch") is None or find_spec("sentence_transformers") is None:
        pytest.skip(LEFT_OUT)


def tiny_embedder(folder: Path, *, seed: int = 0, prompts: dict[str, str] | None = PROMPTS) -> Path:
    """A bi-encoder of 32 dimensions over mean pooling."""
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Pooling, Transformer
    from transformers import BertModel

    plain = folder.with_name(f"{folder.name}-plain")
    _save(plain, BertModel, seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        modules = [Transformer(str(plain)), Pooling(32)]
        SentenceTransformer(modules=modules, prompts=prompts, device="cpu").save_pretrained(
            str(folder), create_model_card=False
        )
    return folder


def tiny_cross_encoder(folder: Path, *, seed: int = 0) -> Path:
    from transformers import BertForSequenceClassification

    _save(folder, BertForSequenceClassification, seed, num_labels=1)
    return folder


def _save(folder: Path, kind: Any, seed: int, **more: Any) -> None:
    import torch
    from transformers import BertConfig, BertTokenizer

    logging.getLogger("transformers").setLevel(logging.ERROR)
    torch.set_num_threads(1)  # two spinning threads on busy cores are 5–10 times slower than one
    torch.manual_seed(seed)
    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *dict.fromkeys([*CHARACTERS, *WORDS])]
    config = BertConfig(
        vocab_size=len(pieces),
        hidden_size=32,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=64,
        **more,
    )
    model = kind(config)
    getattr(model, "bert", model).embeddings.position_embeddings.weight.data.zero_()
    model.save_pretrained(str(folder))
    tokenizer = BertTokenizer(vocab={piece: number for number, piece in enumerate(pieces)}, model_max_length=64)
    tokenizer.save_pretrained(str(folder))
