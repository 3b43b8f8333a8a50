"""What a question waits for, and what it does not."""

import threading
from pathlib import Path

from knowledge.embedders import Embedders
from knowledge.embeddings.hashing import HashingEmbedder
from knowledge.lexical import LexicalIndex
from knowledge.models import DEFAULT_TENANT, KnowledgeBase
from knowledge.ports import Hit, Vector
from knowledge.retriever import Retriever
from tests.products import FEES, product, take_in


class _Telling(LexicalIndex):
    """Says when it has found words."""

    def __init__(self, *given: object) -> None:
        super().__init__(*given)  # type: ignore[arg-type]  # as it is made
        self.searched = threading.Event()

    async def search(self, kb: KnowledgeBase, question: str, limit: int) -> list[Hit]:
        found = await super().search(kb, question, limit)
        self.searched.set()
        return found


class _Waiting(HashingEmbedder):
    """Embeds no question before its words are found."""

    def __init__(self, searched: threading.Event) -> None:
        self._searched = searched

    def embed_query(self, text: str) -> Vector:
        assert self._searched.wait(10), "the words wait for the vector"
        return super().embed_query(text)


async def test_words_are_searched_while_the_question_is_embedded(tmp_path: Path) -> None:
    async with product(tmp_path) as services:
        await take_in(services, "shop", "费用.md", FEES)
        catalog, parts = services.knowledge.catalog, services.parts
        lexical = _Telling(catalog, None)
        embedders = Embedders(parts.database, _Waiting(lexical.searched), recipe=None, make=lambda _: HashingEmbedder())
        found = await Retriever(catalog, parts.vectors, lexical, embedders).search(DEFAULT_TENANT, "保证金多少？")
        usual = await services.knowledge.search(DEFAULT_TENANT, "保证金多少？", kbs=None, limit=8)
        assert found.passages == usual.passages
        assert found.passages[0].scores.dense_rank == found.passages[0].scores.lexical_rank == 1
        assert {"embed", "dense", "lexical", "total"} == found.timings_ms.keys()
