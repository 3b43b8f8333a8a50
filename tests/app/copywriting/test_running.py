"""A copy job under way: estimates, progress, cancelling, the model's errors, and no model at all."""

import asyncio
from typing import Any

import pytest
from pydantic import ValidationError

from app.copywriting.handlers import WriterSettings, copy_handlers
from app.jobs.ports import JobCancelled, JobFailed, JobRequest
from app.jobs.working import MemoryWork
from app.llm.calls import MemoryCalls
from app.llm.fallback import FallbackModel
from app.llm.logged import CallBook
from app.llm.ports import (
    Endpoint,
    Finished,
    ModelBadRequest,
    ModelError,
    ModelInterrupted,
    ModelOutOfCredit,
    ModelRateLimited,
    ModelRefusedKey,
    ModelTimeout,
    ModelUnavailable,
    ReasoningDelta,
)
from app.llm.scripted import ScriptedModel
from app.llm.tokens import TokenCounter
from knowledge.errors import InvalidInput, Unavailable
from tests.app.copywriting.doing import CUP, handler, reply

REQUESTS: dict[str, dict[str, Any]] = {
    "titles": {"product": CUP, "count": 3, "channel": "pinduoduo"},
    "selling_points": {"product": CUP},
    "description": {"product": CUP, "length": 800},
    "attributes": {"product": CUP, "attributes": {"type": "object", "properties": {"材质": {"type": "string"}}}},
    "translation": {"text": "容量500ml\n保温12小时", "to": "en"},
    "rewrite": {"text": "容量500ml，保温12小时。", "tone": "简洁"},
}
GOOD = reply(titles=[{"text": "保温杯 500ml", "sources": ["f0", "f2"]}])
ONE = {"product": CUP, "count": 1}


def request_of(kind: str, fields: dict[str, Any] | None = None) -> JobRequest:
    return handler(kind, None).request.model_validate(fields or REQUESTS[kind])


def test_there_is_a_handler_for_every_kind_on_the_text_queue() -> None:
    handlers = copy_handlers(None)
    assert [one.kind for one in handlers] == list(REQUESTS)
    assert {one.queue for one in handlers} == {"text"}


@pytest.mark.parametrize("kind", REQUESTS)
async def test_without_a_model_it_is_refused_at_once_with_what_to_set(kind: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        handler(kind, None).estimate(request_of(kind))
    assert refused.value.error_code == "model_missing"
    assert "COPILOT_MODEL_BASE_URL" in refused.value.message
    assert "COPILOT_MODEL_NAME" in refused.value.message
    with pytest.raises(InvalidInput):
        await handler(kind, None).run(request_of(kind), MemoryWork())


@pytest.mark.parametrize("kind", REQUESTS)
async def test_an_estimate_counts_the_prompt_that_is_sent_and_bounds_what_is_used(kind: str) -> None:
    model = ScriptedModel(["no json"], name="gpt-x")
    job = handler(kind, model)
    estimate = job.estimate(request_of(kind))
    assert model.calls == []
    with pytest.raises(JobFailed):
        await job.run(request_of(kind), MemoryWork())
    counter = TokenCounter()
    sent = [counter.count_messages(call.messages, "gpt-x").tokens for call in model.calls]
    assert sent[0] < estimate.prompt_tokens
    assert sum(sent) <= estimate.prompt_tokens
    assert sum(call.max_tokens or 0 for call in model.calls) == estimate.completion_tokens
    assert estimate.model == "gpt-x"
    assert estimate.seconds > 0


def test_longer_work_is_estimated_dearer_and_reasoning_is_added() -> None:
    model = ScriptedModel(["x"])
    short = handler("description", model).estimate(request_of("description", {"product": CUP, "length": 100}))
    long = handler("description", model).estimate(request_of("description", {"product": CUP, "length": 3000}))
    assert long.completion_tokens > 5 * short.completion_tokens
    thinking = handler("titles", model, WriterSettings(reasoning_tokens=1000)).estimate(request_of("titles"))
    plain = handler("titles", model).estimate(request_of("titles"))
    assert thinking.completion_tokens == plain.completion_tokens + 2 * 1000


async def test_progress_shows_the_text_as_it_grows_and_never_goes_back() -> None:
    work = MemoryWork()
    model = ScriptedModel(
        [
            ReasoningDelta("想"),
            '{"titles": [{"text": "保',
            0.12,
            "温杯 \\u0035",
            "00ml",
            0.12,
            '", "sources": ["f0", "f2"]}]}',
        ]
    )
    job = handler("titles", model)
    await job.run(request_of("titles", ONE), work)
    percents = [percent for percent, _, _ in work.reports]
    assert percents == sorted(percents)
    assert percents[-1] == 95
    previews = [preview.text for _, _, preview in work.reports if preview is not None]
    assert previews[0] == "保"
    assert previews[-1] == "保温杯 500ml"
    assert {stage for _, stage, _ in work.reports} == {"writing", "checking"}


async def test_a_repair_is_a_stage_of_its_own() -> None:
    work = MemoryWork()
    job = handler("titles", ScriptedModel(["no"], GOOD))
    await job.run(request_of("titles", ONE), work)
    stages = list(dict.fromkeys(stage for _, stage, _ in work.reports))
    assert stages == ["writing", "repairing", "checking"]


class CancelsAt(MemoryWork):
    """Cancelled as soon as a preview is shown."""

    def report(self, percent: int, stage: str, preview: Any = None) -> None:
        super().report(percent, stage, preview)
        if preview is not None:
            self.cancel.set()


async def test_cancel_in_the_middle_of_a_reply_closes_the_models_stream() -> None:
    model = ScriptedModel(['{"titles": [', '{"text": "保温杯', 0.01, "、" * 10, 60.0, "never"])
    job = handler("titles", model)
    with pytest.raises(JobCancelled):
        await asyncio.wait_for(job.run(request_of("titles", ONE), CancelsAt()), timeout=30)
    assert model.calls[0].left is True


async def test_a_silent_models_stream_is_closed_when_the_job_is_stopped() -> None:
    model = ScriptedModel(["{", 60.0, "never"])
    job = handler("titles", model)
    running = asyncio.ensure_future(job.run(request_of("titles", ONE), MemoryWork()))
    while not model.calls:  # noqa: ASYNC110 (the twin has no event for it)
        await asyncio.sleep(0.005)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert model.calls[0].left is True


@pytest.mark.parametrize(
    "error", [ModelTimeout("t"), ModelUnavailable("u"), ModelRateLimited("r"), ModelInterrupted("i")]
)
async def test_what_may_pass_is_tried_again_later(error: ModelError) -> None:
    job = handler("titles", ScriptedModel(["{", error]))
    with pytest.raises(Unavailable) as down:
        await job.run(request_of("titles", ONE), MemoryWork())
    assert down.value.error_code == error.error_code


@pytest.mark.parametrize(
    "error", [ModelRefusedKey("k"), ModelOutOfCredit("c"), ModelBadRequest("b", code="model_not_found")]
)
async def test_what_waiting_does_not_mend_ends_the_job(error: ModelError) -> None:
    job = handler("titles", ScriptedModel([error]))
    with pytest.raises(JobFailed) as failed:
        await job.run(request_of("titles", ONE), MemoryWork())
    assert failed.value.error_code == error.error_code


async def test_an_answer_withheld_by_the_endpoints_filter_fails_with_its_own_code() -> None:
    job = handler("titles", ScriptedModel(["{", Finished("content_filter")]))
    with pytest.raises(JobFailed) as failed:
        await job.run(request_of("titles", ONE), MemoryWork())
    assert failed.value.error_code == "copy_withheld"


async def test_a_reply_cut_at_its_limit_is_told_to_be_shorter() -> None:
    model = ScriptedModel(['{"titles": [{"text": "保温', Finished("length")], GOOD)
    await handler("titles", model).run(request_of("titles", ONE), MemoryWork())
    assert "写短一些" in model.calls[1].messages[-1].content


async def test_the_visible_label_is_a_setting() -> None:
    job = handler("titles", ScriptedModel(GOOD), WriterSettings(producer="松鹤旗舰店", visible_label=True))
    outcome = await job.run(request_of("titles", ONE), MemoryWork())
    assert outcome.artifacts[0].data.decode().rstrip().endswith("（本内容由人工智能生成）")
    assert outcome.result["label"]["producer"] == "松鹤旗舰店"


def test_an_unknown_channel_is_refused_by_name() -> None:
    with pytest.raises(InvalidInput) as refused:
        handler("titles", ScriptedModel(["x"])).estimate(request_of("titles", {"product": CUP, "channel": "ebey"}))
    assert refused.value.error_code == "channel_unknown"
    assert refused.value.params["channel"] == "ebey"
    assert "ebay" in str(refused.value.params["known"])


@pytest.mark.parametrize(
    ("kind", "fields"),
    [
        ("titles", {"product": {"name": "杯"}}),
        ("titles", {"product": {"name": " ", "facts": ["x"]}}),
        ("titles", {"product": CUP, "count": 0}),
        ("titles", {"product": CUP, "price": 3}),
        ("attributes", {"product": CUP, "attributes": {"type": "object", "properties": {}}}),
        ("attributes", {"product": CUP, "attributes": {"properties": {"a": {"type": "colour"}}}}),
        ("attributes", {"product": CUP, "attributes": {"properties": {"a": {"$ref": "http://x.example/y"}}}}),
        ("translation", {"text": "  ", "to": "en"}),
        ("translation", {"text": "杯", "to": "klingon"}),
        ("rewrite", {"text": ""}),
    ],
)
def test_requests_that_make_no_sense_are_refused_before_anything_runs(kind: str, fields: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        request_of(kind, fields)


def test_nothing_but_a_free_text_is_enough_of_a_product() -> None:
    request_of("titles", {"product": {"name": "帐篷", "text": "可住3人。重2.8kg。"}})


async def test_both_calls_of_a_job_are_written_down_and_the_model_that_wrote_is_named_and_priced() -> None:
    calls = MemoryCalls()
    first = ScriptedModel([ModelUnavailable("down")], name="first")
    second = ScriptedModel(["not json"], GOOD, name="second")
    places = [(Endpoint(f"{model.name}@host", model.name), model) for model in (first, second)]
    job = handler("titles", FallbackModel(places), calls=CallBook(calls, TokenCounter()))
    outcome = await job.run(request_of("titles", ONE), MemoryWork(job_id="job-7", tenant="shop"))
    assert [(call.tenant, call.job_id, call.turn_id, call.purpose) for call in calls.calls] == [
        ("shop", "job-7", None, "titles")
    ] * 2
    assert all(call.taken_over for call in calls.calls)
    assert outcome.result["model"] == outcome.result["label"]["model"] == outcome.used.model == "second"
