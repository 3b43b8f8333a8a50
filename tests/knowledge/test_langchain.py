from pathlib import Path

from langchain_core.runnables import RunnableLambda

from knowledge.langchain import KnowledgeRetriever
from tests.products import FEES, RETURNS, product, take_in


async def test_a_chain_gets_documents_with_their_place(tmp_path: Path) -> None:
    async with product(tmp_path) as services:
        await take_in(services, "shop", "退换货.md", RETURNS)
        await take_in(services, "shop", "费用.md", FEES)
        retriever = KnowledgeRetriever(retriever=services.parts.retriever, kbs=["shop"], k=3)
        chain = retriever | RunnableLambda(lambda documents: documents[0])
        best = await chain.ainvoke("旗舰店保证金")
        assert best.metadata["document"] == "费用.md"
        assert "50000" in best.page_content
        assert best.metadata["chunk_id"] == best.id
