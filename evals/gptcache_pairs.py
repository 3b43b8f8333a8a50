"""GPTCache as it comes, on pairs: is it a hit to ask the second question of a cache that holds the first?

Run by the interpreter of an environment that has ``gptcache``, ``faiss-cpu`` and ``sqlalchemy``; knows nothing of ours:

    echo '{"pairs": [["one", "other"], …], "vectors": [[[…], […]], …]}' | python gptcache_pairs.py

``init_similar_cache()`` with everything at its default: similarity threshold 0.8, SearchDistanceEvaluation, SQLite and
faiss. Its default embedding (GPTCache/paraphrase-albert-onnx) is downloaded when it is first used; where transformers,
onnxruntime and the model are not there, the given vectors stand in for it, and the answer says so.
"""

import json
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path
from typing import Any


def default_embedding() -> Any:
    """None where it cannot be had. GPTCache would install what is missing by itself, so that is asked first."""
    if any(find_spec(name) is None for name in ("transformers", "onnxruntime", "huggingface_hub")):
        return None
    from gptcache.embedding import Onnx

    try:
        return Onnx()
    except (OSError, ValueError):
        return None


def given_embedding(vectors: dict[str, list[float]]) -> Any:
    import numpy as np
    from gptcache.embedding.base import BaseEmbedding

    class Given(BaseEmbedding):  # type: ignore[misc]
        def to_embeddings(self, data: str, **_: Any) -> Any:
            return np.array(vectors[data], dtype="float32")

        @property
        def dimension(self) -> int:
            return len(next(iter(vectors.values())))

    return Given()


def main() -> None:
    """Read pairs from stdin, print ``{"by", "hits"}``."""
    from gptcache import Cache, __version__
    from gptcache.adapter.api import get, init_similar_cache, put

    told = json.load(sys.stdin)
    pairs = told["pairs"]
    vectors = {
        text: each
        for texts, both in zip(pairs, told["vectors"], strict=True)
        for text, each in zip(texts, both, strict=True)
    }
    default = default_embedding()
    embedding = default or given_embedding(vectors)
    hits = []
    with tempfile.TemporaryDirectory() as folder:
        for number, (one, other) in enumerate(pairs):
            cache = Cache()
            init_similar_cache(str(Path(folder) / str(number)), cache_obj=cache, embedding=embedding)
            put(one, "kept", cache_obj=cache)
            hits.append(get(other, cache_obj=cache) is not None)
    model = "its albert" if default else "our vectors for its albert"
    sys.stdout.write(json.dumps({"by": f"GPTCache {__version__}, defaults, {model}", "hits": hits}))


if __name__ == "__main__":
    main()
