"""The same retriever for LangChain chains: a ``BaseRetriever`` that returns ``Document``s with their place."""

import asyncio
from typing import Any

from langchain_core.callbacks import AsyncCallbackManagerForRetrieverRun, CallbackManagerForRetrieverRun
from langchain_core.documents import Document
from langchain_core.retrievers import BaseRetriever
from pydantic import ConfigDict

from knowledge.models import DEFAULT_TENANT, Passage
from knowledge.retriever import Retriever


class KnowledgeRetriever(BaseRetriever):
    """Passages of a tenant's knowledge bases. Prefer ``ainvoke``: the connections belong to an event loop."""

    model_config = ConfigDict(arbitrary_types_allowed=True)

    retriever: Retriever
    tenant: str = DEFAULT_TENANT
    kbs: list[str] | None = None
    k: int = 8

    async def _aget_relevant_documents(
        self,
        query: str,
        *,
        run_manager: AsyncCallbackManagerForRetrieverRun,  # noqa: ARG002 (LangChain's interface)
    ) -> list[Document]:
        return await self._search(query)

    def _get_relevant_documents(
        self,
        query: str,
        *,
        run_manager: CallbackManagerForRetrieverRun,  # noqa: ARG002 (as above)
    ) -> list[Document]:
        """For code without an event loop. Raises RuntimeError inside one: use ``ainvoke`` there."""
        return asyncio.run(self._search(query))

    async def _search(self, query: str) -> list[Document]:
        found = await self.retriever.search(self.tenant, query, kbs=self.kbs, limit=self.k, sections=True)
        return [_document(passage) for passage in found.passages]


def _document(passage: Passage) -> Document:
    metadata: dict[str, Any] = {
        "document": passage.document,
        "document_id": passage.document_id,
        "chunk_id": passage.chunk_id,
        "knowledge_base": passage.kb,
        "heading": passage.place.heading,
        "page": passage.place.page,
        "sheet": passage.place.sheet,
        "row": passage.place.row,
        "score": passage.score,
        "hit": passage.text,
        "also_in": [copy.document for copy in passage.also_in],
    }
    return Document(id=passage.chunk_id, page_content=passage.in_full, metadata=metadata)
