"""The knowledge side put together from settings. The only place that knows which adapter is behind which port."""

from dataclasses import dataclass

from knowledge.catalog import Catalog
from knowledge.database import Database
from knowledge.errors import InvalidInput
from knowledge.lexical import LexicalIndex
from knowledge.ports import Embedder, VectorStore
from knowledge.retriever import Retriever
from knowledge.settings import KnowledgeSettings
from knowledge.vector_ledger import VectorLedger
from knowledge.versions import Versions


@dataclass(frozen=True, slots=True)
class Knowledge:
    """Everything of knowledge that one process shares. Build it inside the event loop that will use it."""

    database: Database
    catalog: Catalog
    versions: Versions
    vector_ledger: VectorLedger
    vectors: VectorStore
    lexical: LexicalIndex
    embedder: Embedder
    retriever: Retriever


def build(
    settings: KnowledgeSettings,
    *,
    chroma_url: str | None = None,
    embedder: Embedder | None = None,
    vectors: VectorStore | None = None,
) -> Knowledge:
    """``chroma_url`` overrides the setting (an embedded server's address); the others are for twins."""
    database = Database(settings.database)
    catalog = Catalog(database)
    lexical = LexicalIndex(catalog, settings.data.absolute() / "lexical")
    embedder = embedder or make_embedder(settings)
    vectors = vectors or _vectors(chroma_url or settings.chroma_url)
    retriever = Retriever(catalog, vectors, lexical, embedder, candidates=settings.candidates)
    return Knowledge(
        database, catalog, Versions(database), VectorLedger(database), vectors, lexical, embedder, retriever
    )


def make_embedder(settings: KnowledgeSettings) -> Embedder:
    """Raises InvalidInput ``setting_missing``; Unavailable ``embedder_unavailable``."""
    if settings.embedder == "bundled":
        from knowledge.embeddings.bundled import BundledEmbedder

        return BundledEmbedder(settings.cache_folder, threads=settings.embedding_threads)
    from knowledge.embeddings.openai import OpenAIEmbedder

    if not (settings.embedding_base_url and settings.embedding_model):
        raise InvalidInput(
            "Set COPILOT_EMBEDDING_BASE_URL and COPILOT_EMBEDDING_MODEL, or COPILOT_EMBEDDER=bundled.",
            code="setting_missing",
        )
    key = settings.embedding_api_key
    return OpenAIEmbedder(settings.embedding_base_url, key.get_secret_value() if key else "", settings.embedding_model)


def _vectors(url: str | None) -> VectorStore:
    from knowledge.vectors import ChromaVectors

    if not url:
        raise InvalidInput(
            "There is no Chroma server. Set COPILOT_CHROMA_URL, or start everything with “copilot up”.",
            code="setting_missing",
        )
    return ChromaVectors(url)
