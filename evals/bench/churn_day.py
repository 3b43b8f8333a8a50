"""An hour of a busy merchant: documents published, changed and deleted, while people ask and a worker keeps house."""

import asyncio
import random
import time

from app.worker import SWEEP_SECONDS, Housekeeping
from evals.bench.churn_report import Hour
from evals.bench.churn_shop import SECTIONS, code, kind_of_change
from evals.bench.churn_stage import KB, Stage, look, questions, search, told
from knowledge.chunk_edits import switched
from knowledge.models import DEFAULT_TENANT, KnowledgeBase

BY = "bench"
LOOKED_AFTER = 0.2  # of the changes: whether they are seen at once
SAMPLED = 30  # numbers, true and past ones each, looked for after every hour
RARELY_SECONDS = 20  # an hour of the day takes a minute here, and a worker does what it does rarely four times an hour


async def opened(stage: Stage, size: int) -> Hour:
    """Every document taken in for the first time."""
    began = time.perf_counter()
    await stage.services.knowledge.create(DEFAULT_TENANT, KB)
    kb = await stage.kb()
    for _ in range(max(1, size // SECTIONS)):
        await publish(stage, kb, stage.shop.opened(min(size, SECTIONS)))
    return await told(stage, 0, time.perf_counter() - began)


async def resumed(stage: Stage) -> None:
    """As the last whole hour left it: the one after it may have been interrupted."""
    kb, shop = await stage.kb(), stage.shop
    shop.before.clear()
    for name in shop.documents:
        await publish(stage, kb, name)
    there, _ = await stage.services.parts.catalog.documents(kb, limit=2 * len(shop.documents))
    for document in there:
        if document.name not in shop.documents:
            await stage.services.knowledge.delete_document(DEFAULT_TENANT, document.id)


async def hour(stage: Stage, changes: int, per_second: float, chance: random.Random) -> Hour:
    began = time.perf_counter()
    stage.wrong, stage.busy_ms = [], []
    async with asyncio.TaskGroup() as tasks:
        beside = [tasks.create_task(_ask(stage, per_second)), tasks.create_task(_housekeep(stage))]
        for _ in range(changes):
            await _change(stage, chance)
        for task in beside:
            task.cancel()
    took = time.perf_counter() - began
    await _spot_checks(stage, chance)
    return await told(stage, changes, took)


async def _change(stage: Stage, chance: random.Random) -> None:
    kb, shop = await stage.kb(), stage.shop
    match kind_of_change(chance):
        case "edit":
            name, fresh, old = shop.edited(chance)
            await publish(stage, kb, name)
        case "replace":
            name, old = shop.deleted(chance)
            await stage.services.knowledge.delete_document(DEFAULT_TENANT, await _id(stage, kb, name))
            name = shop.opened()
            fresh = shop.documents[name]
            await publish(stage, kb, name)
        case "undo":
            undone = shop.undone(chance)
            if undone is None:
                return
            name, fresh, old = undone
            document = await stage.services.knowledge.restore(DEFAULT_TENANT, await _id(stage, kb, name), by=BY)
            await stage.services.pipeline.run(document.id, owner=BY)
        case _:
            await _switch(stage, chance)
            return
    if chance.random() < LOOKED_AFTER:
        await look(stage, [chance.choice(fresh)], there=True)
        await look(stage, [chance.choice(old)], there=False)


async def _switch(stage: Stage, chance: random.Random) -> None:
    """A chunk is off, then on again."""
    name = chance.choice(list(stage.shop.documents))
    stage.shop.before.pop(name, None)
    number = chance.choice(stage.shop.documents[name])
    found = await stage.services.knowledge.search(DEFAULT_TENANT, code(number), kbs=[KB], limit=8)
    chunk_id = next((one.chunk_id for one in found.passages if code(number) in one.text), None)
    if chunk_id is None:
        stage.wrong.append(f"not found: {code(number)}")
        return
    for disabled in (True, False):
        document, _ = await stage.services.knowledge.change_chunk(
            DEFAULT_TENANT, chunk_id, switched(disabled=disabled), kind="disable" if disabled else "enable", by=BY
        )
        await stage.services.pipeline.run(document.id, owner=BY)
        await look(stage, [number], there=not disabled)


async def publish(stage: Stage, kb: KnowledgeBase, name: str) -> None:
    path = stage.files / "one.md"
    path.write_text(stage.shop.text(name), encoding="utf-8")
    received = await stage.services.knowledge.add_file(kb, name, path)
    await stage.services.pipeline.run(received.document.id, owner=BY)


async def _id(stage: Stage, kb: KnowledgeBase, name: str) -> str:
    found, _ = await stage.services.parts.catalog.documents(kb, contains=name, limit=1)
    return found[0].id


async def _ask(stage: Stage, per_second: float) -> None:
    """Until cancelled: a question each time one is due."""
    asked = questions()
    while True:
        began = time.perf_counter()
        await search(stage, asked[len(stage.busy_ms) % len(asked)])
        stage.busy_ms.append((time.perf_counter() - began) * 1000)
        await asyncio.sleep(max(0.0, 1 / per_second - (time.perf_counter() - began)))


async def _housekeep(stage: Stage) -> None:
    """Until cancelled: what a worker does beside its jobs."""
    housekeeping = Housekeeping(stage.services, rarely=RARELY_SECONDS)
    while True:
        await housekeeping.sweep()
        await stage.services.parts.mover.move()
        await asyncio.sleep(SWEEP_SECONDS)


async def _spot_checks(stage: Stage, chance: random.Random) -> None:
    true = [number for numbers in stage.shop.documents.values() for number in numbers]
    await look(stage, chance.sample(true, min(SAMPLED, len(true))), there=True)
    await look(stage, chance.sample(stage.shop.gone, min(SAMPLED, len(stage.shop.gone))), there=False)
