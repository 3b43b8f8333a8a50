"""After any sequence of edits, a served cached answer's evidence is what retrieval finds now."""

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.chat.answerers import ModelAnswerer
from app.chat.cache import AnswerCache, MemoryCache, fingerprint
from app.chat.events import Done, Sources
from app.chat.prompts import load
from app.chat.turns import Ask
from app.jobs.queue import MemoryQueue
from app.llm.scripted import ScriptedModel
from app.wiring import Services, Twins, running_services
from knowledge.embeddings.hashing import HashingEmbedder
from knowledge.models import DEFAULT_TENANT, Document, Passage
from knowledge.validity import CHINA, Window
from knowledge.vectors import MemoryVectors
from tests.products import settings_for, take_in

NOON = datetime(2026, 11, 30, 12, tzinfo=CHINA)
QUESTIONS = ("旗舰店的保证金是多少？", "请问旗舰店保证金多少", "专营店的保证金是多少？", "佣金比例是多少？")
TEXTS = (
    "旗舰店的保证金是 50000 元。佣金比例 5%。",
    "旗舰店的保证金是 60000 元。佣金比例 8%。",
    "专营店的保证金是 30000 元。佣金比例 5%。",
    "保证金在退店后 60 天内退还。",
)
steps = st.one_of(
    st.tuples(st.just("ask"), st.sampled_from(QUESTIONS)),
    st.tuples(st.just("ask"), st.sampled_from(QUESTIONS)),
    st.tuples(st.just("write"), st.tuples(st.sampled_from("ab"), st.sampled_from(TEXTS))),
    st.tuples(st.just("delete"), st.sampled_from("ab")),
    st.tuples(st.just("model"), st.sampled_from(("small", "large"))),
    st.tuples(st.just("prompt"), st.booleans()),
    st.tuples(st.just("passages"), st.integers(1, 3)),
    st.tuples(st.just("window"), st.tuples(st.sampled_from("ab"), st.integers(0, 3), st.integers(0, 3))),
    st.tuples(st.just("wait"), st.integers(1, 2)),
)


class Shop:
    """A product that is started again when a setting changes; what is kept outlives it, as Redis would."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._cache: AnswerCache = MemoryCache()
        self._vectors = MemoryVectors()
        self._model, self._think, self._passages = "small", False, 2
        self._moment = NOON
        self.hits = 0

    async def live(self, sequence: Sequence[tuple[str, object]]) -> None:
        at = 0
        while at < len(sequence):
            model = ScriptedModel(["有[1]"], name=self._model)
            answerer = ModelAnswerer(model, load("answer", think=self._think), temperature=0, max_tokens=9)
            twins = Twins(HashingEmbedder(), self._vectors, MemoryQueue(), answerer, cache=self._cache, clock=self._now)
            async with running_services(settings_for(self._folder, passages=self._passages), twins=twins) as services:
                while at < len(sequence) and await self._done(services, *sequence[at]):
                    at += 1
            at += 1

    async def _done(self, services: Services, step: str, what: object) -> bool:
        """Whether the same product goes on."""
        match step, what:
            case "ask", str(question):
                await self._ask(services, question)
            case "write", (name, text):
                await take_in(services, "shop", f"{name}.md", str(text))
            case "delete", name:
                await self._delete(services, f"{name}.md")
            case "window", (name, int(start), int(lasts)):
                await self._window(services, f"{name}.md", start, lasts)
            case "wait", int(hours):
                self._moment += timedelta(hours=hours)
            case "model", str(name):
                self._model = name
            case "prompt", bool(think):
                self._think = think
            case "passages", int(count):
                self._passages = count
        return step in ("ask", "write", "delete", "window", "wait")

    async def _ask(self, services: Services, question: str) -> None:
        turn = await services.chat.prepare(Ask(DEFAULT_TENANT, question))
        events = [event async for event in services.chat.answer(turn)]
        done = events[-1]
        assert isinstance(done, Done)
        now = await services.parts.retriever.search(DEFAULT_TENANT, question, limit=self._passages)
        shown: tuple[Passage, ...] = next((each.passages for each in events if isinstance(each, Sources)), ())
        if done.cached:
            self.hits += 1
            assert not done.refused
            assert fingerprint(shown) == fingerprint(now.passages)
            assert done.model == self._model

    def _now(self) -> datetime:
        return self._moment

    async def _delete(self, services: Services, name: str) -> None:
        for document in await self._called(services, name):
            await services.knowledge.delete_document(DEFAULT_TENANT, document.id)

    async def _window(self, services: Services, name: str, start: int, lasts: int) -> None:
        """From ``start`` hours after noon on, for so many hours; for 0, without an end."""
        begins = NOON + timedelta(hours=start)
        window = Window(begins, begins + timedelta(hours=lasts) if lasts else None)
        for document in await self._called(services, name):
            await services.knowledge.set_window(DEFAULT_TENANT, document.id, window)

    async def _called(self, services: Services, name: str) -> list[Document]:
        catalog = services.knowledge.catalog
        documents = [(await catalog.documents(base))[0] for base in await catalog.named(DEFAULT_TENANT, None)]
        return [document for some in documents for document in some if document.name == name]


def lived(sequence: Sequence[tuple[str, object]]) -> int:
    """How many answers came from the cache."""
    with TemporaryDirectory() as folder:
        shop = Shop(Path(folder))
        asyncio.run(shop.live(sequence))
        return shop.hits


@settings(max_examples=15, deadline=None, database=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(steps, min_size=3, max_size=14))
def test_what_is_served_from_the_cache_is_what_would_be_found(sequence: list[tuple[str, object]]) -> None:
    lived([("write", ("a", TEXTS[0])), *sequence, ("ask", QUESTIONS[0]), ("ask", QUESTIONS[0])])


def test_the_property_is_not_empty_answers_do_come_from_the_cache_and_go_with_their_evidence() -> None:
    ask, write = ("ask", QUESTIONS[0]), ("write", ("a", TEXTS[0]))
    assert lived([write, ask, ask]) == 1
    assert lived([write, ask, ("write", ("a", TEXTS[1])), ask]) == 0
    assert lived([write, ask, ("write", ("a", TEXTS[1])), ("write", ("a", TEXTS[0])), ask]) == 1
    assert lived([write, ask, ("window", ("a", 0, 2)), ask, ask, ("wait", 2), ask, ask]) == 2
    assert lived([write, ask, ("model", "large"), ask]) == 0
    assert lived([write, ask, ("prompt", True), ask]) == 0
    assert lived([write, ask, ("passages", 1), ask]) == 0


async def test_after_a_price_changed_the_next_answer_has_it_and_unrelated_answers_are_still_served(
    tmp_path: Path,
) -> None:
    deposit, commission = "旗舰店的保证金是多少？", "佣金比例是多少？"
    answerer = ModelAnswerer(ScriptedModel(["有[1]"]), load("answer", think=False), temperature=0, max_tokens=9)
    twins = Twins(HashingEmbedder(), MemoryVectors(), MemoryQueue(), answerer)
    async with running_services(settings_for(tmp_path, passages=1), twins=twins) as services:

        async def asked(question: str) -> tuple[str, str | None]:
            turn = await services.chat.prepare(Ask(DEFAULT_TENANT, question))
            events = [event async for event in services.chat.answer(turn)]
            assert isinstance(events[-1], Done)
            return next(each.passages[0].text for each in events if isinstance(each, Sources)), events[-1].cached

        await take_in(services, "shop", "保证金.md", "旗舰店的保证金是 50000 元。")
        await take_in(services, "shop", "佣金.md", "佣金比例是 5%。")
        for question in (deposit, commission):
            assert (await asked(question))[1] is None
            assert (await asked(question))[1] == "exact"
        await take_in(services, "shop", "保证金.md", "旗舰店的保证金是 60000 元。")
        assert await asked(deposit) == ("旗舰店的保证金是 60000 元。", None)
        assert await asked(commission) == ("佣金比例是 5%。", "evidence")
