"""What the double answers: passages of a merchant's documents, and answers made from them."""

import re
from collections.abc import Sequence
from typing import Any

from tests.browser.mock_api import Event, Step, Wait, done

PASSAGES: list[dict[str, Any]] = [
    {
        "n": 1,
        "document": "售后/退货与退款政策.md",
        "document_id": "d1",
        "chunk_id": "c1",
        "heading": "退货政策 > 七天无理由 > 运费",
        "page": None,
        "sheet": None,
        "row": None,
        "text": (
            "七天无理由退货适用于签收后七日内、商品完好的订单。\n"
            "买家因个人原因退货的，退回运费由买家承担；因质量问题退货的，退回运费由卖家承担，每单补偿上限为 25 元。"
            "仓库收到退货并完成质检后，退款在 48 小时内原路退回。\n"
            "定制商品、贴身衣物和已激活的数码产品不支持七天无理由退货。"
        ),
        "score": 0.84,
    },
    {
        "n": 2,
        "document": "物流/各线路时效与报价.xlsx",
        "document_id": "d2",
        "chunk_id": "c2",
        "heading": "",
        "page": None,
        "sheet": "东南亚专线",
        "row": 12,
        "text": (
            "线路: 泰国曼谷；时效: 5–7 天；首重(0.5 kg): 28 元；续重(0.5 kg): 9 元；是否可退: 可退，退回费 32 元/件"
        ),
        "score": 0.71,
    },
    {
        "n": 3,
        "document": "handbook/Brand Manual 2026.pdf",
        "document_id": "d3",
        "chunk_id": "c3",
        "heading": "Returns > Packaging",
        "page": 14,
        "sheet": None,
        "row": None,
        "text": (
            "Returned goods must be sent back in the original packaging. "
            "If the inner seal is broken, a restocking fee of 12% applies. Labels are printed from the seller portal."
        ),
        "score": 0.55,
    },
]

ANSWER = (
    "退货运费**由责任方承担：**请先确认退货原因，再选择承担方。[1]\n\n"
    "| 退货原因 | 谁承担运费 | 上限 |\n|---|---|---:|\n"
    "| 个人原因（不喜欢、拍错） | 买家 | 实付 |\n| 质量问题、发错货 | 卖家 | 25 元/单 [1] |\n"
    "| 跨境件（泰国专线） | 按原因 | 32 元/件 [2] |\n\n"
    "办理时请注意：\n\n"
    "1. 签收后 **7 天内**提出，商品保持完好；\n"
    "2. 仓库质检后，退款在 48 小时内原路退回 [1]；\n"
    "3. 内封条已拆的，会收取 12% 的重新上架费 [3]。\n"
)

ENGLISH_ANSWER = (
    "Goods go back in their **original packaging**. A restocking fee of 12% applies if the inner seal is broken [3].\n"
)

FOLLOW_UPS = ["定制商品可以退吗？", "退款多久到账？", "泰国专线的首重是多少？"]


def pieces(text: str, size: int = 4) -> list[str]:
    """A text in pieces as a model sends them."""
    return [text[start : start + size] for start in range(0, len(text), size)]


def answering(
    text: str, *, pause: float = 0.0, passages: Sequence[dict[str, Any]] = PASSAGES, reasoning: str = "", **more: Any
) -> list[Step]:
    """A whole turn that ends well: stages, sources, tokens, suggestions, done. Citations are read off the text."""
    known = {passage["n"] for passage in passages}
    citations = sorted({int(n) for n in re.findall(r"\[(\d+)\]", text)} & known)
    gap: list[Step] = [Wait(pause)] if pause else []
    return [
        Event("started", {}),
        Event("stage", {"stage": "retrieving"}),
        *gap,
        Event("sources", {"passages": list(passages)}),
        Event("stage", {"stage": "reading"}),
        *gap,
        Event("stage", {"stage": "writing"}),
        *[Event("reasoning", {"text": piece}) for piece in pieces(reasoning)],
        *[step for piece in pieces(text) for step in (Event("token", {"text": piece}), *gap)],
        Event("suggestions", {"questions": more.pop("suggestions", FOLLOW_UPS)}),
        Event("done", done(text, citations=citations, **more)),
    ]


def refusing() -> list[Step]:
    """A turn whose question the documents do not answer."""
    text = "资料里没有提到企业团购的折扣，我不想凭猜测回答。您可以换个说法再问，或联系客服确认。"
    return answering(text, refused=True, suggestions=["会员有哪些折扣？", "怎样联系人工客服？"])
