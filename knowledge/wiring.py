"""The knowledge side put together from settings. The only place that knows which adapter is behind which port."""

import socket
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from uuid import uuid4

from knowledge.catalog import Catalog
from knowledge.database import Database, now
from knowledge.embedders import Embedders
from knowledge.errors import InvalidInput
from knowledge.lexical import LexicalIndex
from knowledge.mover import Mover
from knowledge.moves import Moves
from knowledge.origins import Origins
from knowledge.ports import Embedder, VectorStore
from knowledge.rerank import Rerank, Reranker
from knowledge.retriever import Retriever
from knowledge.sections import Sections
from knowledge.settings import EmbedderRecipe, KnowledgeSettings
from knowledge.synonyms import SynonymBook
from knowledge.vector_ledger import VectorLedger
from knowledge.versions import Versions


@dataclass(frozen=True, slots=True)
class Knowledge:
    """Everything of knowledge that one process shares. Build it inside the event loop that will use it."""

    database: Database
    catalog: Catalog
    versions: Versions
    origins: Origins
    vector_ledger: VectorLedger
    vectors: VectorStore
    lexical: LexicalIndex
    embedders: Embedders
    mover: Mover
    retriever: Retriever
    synonyms: SynonymBook
    reranker: Reranker | None = None

    @property
    def embedder(self) -> Embedder:
        """The configured one."""
        return self.embedders.current


def build(
    settings: KnowledgeSettings,
    *,
    chroma_url: str | None = None,
    embedder: Embedder | None = None,
    vectors: VectorStore | None = None,
    clock: Callable[[], datetime] = now,
    reranker: Reranker | None = None,
) -> Knowledge:
    """``chroma_url`` overrides the setting (an embedded server's address); the others are for twins.

    Raises InvalidInput ``setting_missing`` and what an embedder or a reranker says that can't be built.
    """
    database = Database(settings.database)
    catalog = Catalog(database, clock=clock)
    lexical = lexical_index(settings, catalog)
    embedders = _embedders(settings, database, embedder)
    vectors = vectors or _vectors(chroma_url or settings.chroma_url)
    reranker = reranker or make_reranker(settings)
    rerank = Rerank(reranker, top=settings.rerank_top, seconds=settings.rerank_timeout) if reranker else None
    synonyms = SynonymBook(database)
    retriever = Retriever(
        catalog,
        vectors,
        lexical,
        embedders,
        candidates=settings.candidates,
        rerank=rerank,
        synonyms=synonyms,
        sections=Sections(database, room=settings.section_width),
    )
    moves = Moves(database, catalog, embedders.current.model_id, f"{socket.gethostname()}:{uuid4().hex[:12]}")
    return Knowledge(
        database=database,
        catalog=catalog,
        versions=Versions(database),
        origins=Origins(database),
        vector_ledger=VectorLedger(database),
        vectors=vectors,
        lexical=lexical,
        embedders=embedders,
        mover=Mover(moves, catalog, vectors, embedders.current),
        retriever=retriever,
        reranker=reranker,
        synonyms=synonyms,
    )


def lexical_index(settings: KnowledgeSettings, catalog: Catalog) -> LexicalIndex:
    """This host's."""
    return LexicalIndex(catalog, settings.data.absolute() / "lexical")


def make_embedder(settings: KnowledgeSettings, recipe: EmbedderRecipe | None = None) -> Embedder:
    """The configured one, or an earlier one by its recipe.

    Raises InvalidInput ``setting_missing``, ``gpu_extra_missing``, ``model_folder_unusable``, ``model_not_fetched``,
    ``cuda_missing``; Unavailable ``embedder_unavailable``.
    """
    made = recipe or settings.embedder_recipe
    match made.embedder:
        case "bundled":
            from knowledge.embeddings.bundled import BundledEmbedder

            return BundledEmbedder(settings.cache_folder, threads=settings.embedding_threads)
        case "sentence_transformers":
            return _sentence_transformers(settings, made)
        case "openai":
            return _openai(settings, made)


def make_reranker(settings: KnowledgeSettings) -> Reranker | None:
    """Raises InvalidInput as :func:`make_embedder`."""
    if settings.reranker == "none":
        return None
    if settings.reranker == "cross_encoder":
        from knowledge.rerankers.cross_encoder import CrossEncoderReranker

        if not settings.rerank_model:
            raise _missing("COPILOT_RERANK_MODEL, or COPILOT_RERANKER=none")
        return CrossEncoderReranker(
            settings.rerank_model, device=settings.embedding_device, precision=settings.embedding_precision
        )
    from knowledge.rerankers.http import HttpReranker

    if not (settings.rerank_url and settings.rerank_model):
        raise _missing("COPILOT_RERANK_URL and COPILOT_RERANK_MODEL, or COPILOT_RERANKER=none")
    key = settings.rerank_api_key
    return HttpReranker(settings.rerank_url, key.get_secret_value() if key else "", settings.rerank_model)


def _embedders(settings: KnowledgeSettings, database: Database, twin: Embedder | None) -> Embedders:
    current = twin or make_embedder(settings)
    recipe = None if twin else settings.embedder_recipe
    return Embedders(database, current, recipe=recipe, make=lambda earlier: make_embedder(settings, earlier))


def _sentence_transformers(settings: KnowledgeSettings, recipe: EmbedderRecipe) -> Embedder:
    from knowledge.embeddings.sentence_transformers import SentenceTransformersEmbedder

    if not recipe.model:
        raise _missing("COPILOT_EMBEDDING_MODEL, or COPILOT_EMBEDDER=bundled")
    return SentenceTransformersEmbedder(
        recipe.model,
        device=recipe.device,
        precision=recipe.precision,
        query_prompt=recipe.query_prompt,
        passage_prompt=recipe.passage_prompt,
        dimensions=recipe.dimensions,
        threads=settings.embedding_threads,
    )


def _openai(settings: KnowledgeSettings, recipe: EmbedderRecipe) -> Embedder:
    from knowledge.embeddings.openai import OpenAIEmbedder

    if not (recipe.base_url and recipe.model):
        raise _missing("COPILOT_EMBEDDING_BASE_URL and COPILOT_EMBEDDING_MODEL, or COPILOT_EMBEDDER=bundled")
    # A key goes to the endpoint that it was given for, and to no other.
    here = settings.embedder == "openai" and recipe.base_url == settings.embedding_base_url
    key = settings.embedding_api_key if here else settings.embedding_previous_api_key
    return OpenAIEmbedder(
        recipe.base_url,
        key.get_secret_value() if key else "",
        recipe.model,
        dimensions=recipe.dimensions,
        timeout=settings.embedding_timeout,
        batch=settings.embedding_batch,
        max_tokens=settings.embedding_max_tokens,
        query_prompt=recipe.query_prompt,
        passage_prompt=recipe.passage_prompt,
    )


def _missing(what: str) -> InvalidInput:
    return InvalidInput(f"Set {what}.", code="setting_missing")


def _vectors(url: str | None) -> VectorStore:
    from knowledge.vectors import ChromaVectors

    if not url:
        raise InvalidInput(
            "There is no Chroma server. Set COPILOT_CHROMA_URL, or start everything with “copilot up”.",
            code="setting_missing",
        )
    return ChromaVectors(url)
