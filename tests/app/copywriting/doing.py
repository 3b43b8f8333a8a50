"""What the tests of copy jobs share: a product, a reply as JSON, a job run through its handler."""

import json
from collections.abc import Sequence
from typing import Any

from app.copywriting.handlers import WriterSettings, copy_handlers
from app.jobs.ports import Handler, Outcome
from app.jobs.working import MemoryWork
from app.llm.logged import CallBook
from app.llm.ports import ChatModel
from app.llm.scripted import ScriptedModel, Step

CUP = {
    "name": "真空保温杯",
    "brand": "松鹤",
    "facts": {"容量": "500ml", "材质": "304不锈钢", "保温": "12小时", "尺寸": "7×7×23cm", "价格": "199元"},
}
# f0 name, f1 brand, f2 capacity, f3 material, f4 keeps hot, f5 size, f6 price

MUG = {"name": "Vacuum mug", "facts": {"capacity": "500 ml", "material": "304 stainless steel", "keeps hot": "12 h"}}


def reply(**fields: Any) -> list[Step]:
    """A script that says one JSON object, in a few pieces as a model does."""
    text = json.dumps(fields, ensure_ascii=False)
    third = max(1, len(text) // 3)
    return [text[:third], text[third : 2 * third], text[2 * third :]]


def handler(
    kind: str, model: ChatModel | None, settings: WriterSettings | None = None, calls: CallBook | None = None
) -> Handler[Any]:
    return next(one for one in copy_handlers(model, settings=settings, calls=calls) if one.kind == kind)


async def done(kind: str, request: dict[str, Any], *scripts: Sequence[Step]) -> tuple[Outcome, ScriptedModel]:
    """Run one job; every script is a call of the model."""
    model = ScriptedModel(*scripts)
    job = handler(kind, model)
    outcome = await job.run(job.request.model_validate(request), MemoryWork(job_id="job-7"))
    json.dumps(outcome.result)
    return outcome, model


def rules_of(variant: dict[str, Any]) -> list[tuple[str, str]]:
    """The flags of a variant: rule and text."""
    return [(one["rule"], one["text"]) for one in variant["flags"]]
