"""Weights of a knowledge base learned from questions over HTTP: kept where surely better, in force at once."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from sqlalchemy import update

from app.identity.keys import Scope
from app.tuning import LEAST, exemplars_of
from app.wiring import Services
from knowledge.errors import Conflict, InvalidInput
from knowledge.models import DEFAULT_TENANT
from knowledge.ports import Vector
from knowledge.tables import knowledge_bases
from knowledge.tunings import Tunings
from knowledge.weights import SHIPPED, Measured, Tuning, Weights
from tests.app.jobs_api.calls import served
from tests.products import RETURNS, take_in

PATH = "/v1/knowledge-bases/shop"
DOCUMENTS = 60
FILLING = "本店其余各项说明以页面公示为准，请耐心等候客服回复。" * 4


def phrase(number: int) -> str:
    """Four characters that are only this document's."""
    return "".join(chr(0x5000 + 4 * number + n) for n in range(4))


class MisleadingEmbedder:
    """Every question is nearest to the document after the one that answers it, and farthest from that."""

    model_id = "misleading"
    dimensions = DOCUMENTS

    def embed_query(self, text: str) -> Vector:
        numbers = [number for number in range(DOCUMENTS) if phrase(number)[0] in text]
        return np.eye(DOCUMENTS, dtype=np.float32)[numbers[0] if numbers else 0]

    def embed_passages(self, texts: Sequence[str]) -> Vector:
        own = [number for text in texts for number in range(DOCUMENTS) if phrase(number) in text]
        one = np.eye(DOCUMENTS, dtype=np.float32)
        return np.array([(one[number - 1] - one[number]) / np.sqrt(2) for number in own], np.float32)


async def filled(services: Services) -> None:
    """Each document has its phrase, and the characters of the one before it, apart from one another."""
    for number in range(DOCUMENTS):
        apart = "。".join(phrase((number - 1) % DOCUMENTS))
        await take_in(services, "shop", f"{number}.md", f"{apart}。{apart}。\n{FILLING}\n{phrase(number)}")


def asked(count: int = 30) -> list[dict[str, Any]]:
    return [{"question": phrase(number), "documents": [f"{number}.md"]} for number in range(count)]


async def first(http: httpx.AsyncClient, question: str) -> str:
    found = (await http.post(f"{PATH}/search", json={"query": question, "limit": 1})).json()
    return str(found["passages"][0]["document"])


async def test_weights_that_are_surely_better_are_kept_and_hold_at_once_until_they_are_taken_away(
    tmp_path: Path,
) -> None:
    async with served(tmp_path, embedder=MisleadingEmbedder()) as (http, services):
        await filled(services)
        assert await first(http, phrase(40)) == "41.md"
        tried = (await http.post(f"{PATH}/tuning", json={"questions": asked(), "dry_run": True})).json()
        assert tried["order"]["low"] > 0
        assert not tried["kept"]
        before = (await http.get(PATH)).json()
        assert before["tuning"] is None
        learned = (await http.post(f"{PATH}/tuning", json={"questions": asked()})).json()
        assert learned["kept"]
        assert (learned["questions"], learned["unanswerable"], learned["refusals"]) == (30, 0, None)
        after = (await http.get(PATH)).json()
        assert after["tuning"]["weights"] == learned["weights"] == tried["weights"]
        assert after["tuning"]["in_force"]
        assert after["epoch"] > before["epoch"], "kept answers are not given again"
        assert await first(http, phrase(40)) == "40.md"
        assert (await http.delete(f"{PATH}/tuning")).status_code == 204
        assert (await http.get(PATH)).json()["epoch"] > after["epoch"]
        assert await first(http, phrase(40)) == "41.md"


async def test_what_is_not_better_is_not_kept_and_near_misses_are_measured(tmp_path: Path) -> None:
    async with served(tmp_path) as (http, services):
        for number in range(LEAST):
            await take_in(services, "shop", f"{number}.md", f"{phrase(number)}的保证金为 {number} 元。")
        having = [{"question": f"{phrase(n)}的保证金", "documents": [f"{n}.md"]} for n in range(LEAST)]
        others = [{"question": f"火星第 {n} 站怎么走"} for n in range(10)]
        learned = (await http.post(f"{PATH}/tuning", json={"questions": [*having, *others]})).json()
        assert (learned["kept"], learned["unanswerable"]) == (False, 10)
        assert learned["order"]["shipped"] == 1
        assert learned["refusals"]["shipped"] == pytest.approx(learned["refusals"]["learned"])
        assert (await http.get(PATH)).json()["tuning"] is None


async def test_questions_that_teach_nothing_are_refused_with_a_reason(tmp_path: Path) -> None:
    async with served(tmp_path) as (http, services):
        await take_in(services, "shop", "0.md", RETURNS)
        one = {"question": "退货期限？", "documents": ["0.md"]}

        async def refused(*questions: dict[str, Any]) -> tuple[int, str, dict[str, Any]]:
            answer = await http.post(f"{PATH}/tuning", json={"questions": questions})
            return answer.status_code, answer.json()["code"], answer.json().get("params", {})

        assert await refused(*[one] * 30) == (422, "tuning_too_few", {"n": 1, "least": LEAST})
        many = [{**one, "question": f"{number}"} for number in range(LEAST)]
        assert await refused(*many, {"question": "谁？", "documents": ["9.md"]}) == (
            422,
            "tuning_document_unknown",
            {"line": LEAST + 1, "document": "9.md", "name": "shop"},
        )
        assert (await refused({**one, "answerable": False}))[0] == 422
        assert (await refused({**one, "question": " "}))[0] == 422
        async with services.parts.database.write() as connection:
            await connection.execute(update(knowledge_bases).values(next_model="another"))
        assert (await refused(*many))[:2] == (409, "knowledge_base_moves")
        await services.parts.catalog.ensure_tenant("other", "Other")
        _, key = await services.keys.issue("other", "admin", scope=Scope.ADMIN)
        for method in ("POST", "DELETE"):
            answer = await http.request(
                method,
                f"{PATH}/tuning",
                headers={"Authorization": f"Bearer {key}"},
                json={"questions": many} if method == "POST" else None,
            )
            assert (answer.status_code, answer.json()["code"]) == (404, "knowledge_base_not_found")


def tuned(model: str, **weights: float) -> Tuning:
    none = Measured(0.5, 0.5, 0.0, 0.0, 0.0)
    return Tuning(Weights(**weights), model, 30, 0, none, None, datetime(2026, 11, 22, tzinfo=UTC))


async def test_a_learned_threshold_decides_and_one_of_another_model_does_not(tmp_path: Path) -> None:
    async with served(tmp_path) as (_, services):
        await take_in(services, "shop", "退换货.md", RETURNS)
        catalog, tunings = services.parts.catalog, Tunings(services.parts.database)
        question = "国内站订单签收后几个自然日内可以无理由退货？"

        async def answered() -> bool:
            found = await services.knowledge.search(DEFAULT_TENANT, question, kbs=["shop"], limit=6)
            return (await services.chat.evidence.judge(question, found)).answerable

        kb = await catalog.knowledge_base(DEFAULT_TENANT, "shop")
        assert await answered()
        await tunings.keep(kb, tuned(kb.embedding_model, threshold=0.9999))
        assert not await answered()
        async with services.parts.database.write() as connection:
            await connection.execute(update(knowledge_bases).values(embedding_model="another"))
        with pytest.raises(Conflict) as outdated:
            await tunings.keep(kb, tuned(kb.embedding_model, threshold=0.1))
        assert outdated.value.error_code == "tuning_outdated"
        moved = await catalog.knowledge_base(DEFAULT_TENANT, "shop")
        assert moved.tuning is not None
        assert (moved.tuning.weights.threshold, moved.weights) == (0.9999, SHIPPED)


def test_a_file_of_questions_is_read_line_by_line() -> None:
    lines = [
        '\ufeff{"question": "运费谁付？", "documents": ["a.md", "b.md"]}',
        "",
        '{"question": "火星？", "answerable": false}',
        '{"question": "有答案", "answerable": true}',
    ]
    read = exemplars_of("\n".join(lines))
    assert [(each.line, each.question, sorted(each.documents), each.answerable) for each in read] == [
        (1, "运费谁付？", ["a.md", "b.md"], True),
        (3, "火星？", [], False),
        (4, "有答案", [], True),
    ]


@pytest.mark.parametrize(
    "line",
    [
        "运费谁付？",
        "[1]",
        '{"question": " "}',
        '{"documents": ["a.md"]}',
        '{"question": "问", "documents": "a.md"}',
        '{"question": "问", "documents": [1]}',
        '{"question": "问", "documents": ["a.md"], "answerable": false}',
        '{"question": "问", "answerable": "no"}',
        "[" * 100_000,
    ],
)
def test_a_line_that_is_no_question_is_named(line: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        exemplars_of(f'{{"question": "问", "documents": ["a.md"]}}\n{line}')
    assert (caught.value.error_code, caught.value.params) == ("tuning_line_invalid", {"line": 2})
