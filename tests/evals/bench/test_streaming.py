"""The streaming bench measures real processes; short here, and without our service, which has tests of its own."""

import asyncio
import io
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import orjson
import pytest
import uvicorn
from rich.console import Console

from app.processes.ports import any_free_port
from evals.bench.baseline_server import Question, baseline_app
from evals.bench.servers import Server, ServerNotReady, fake_model
from evals.bench.streaming import run
from evals.bench.streaming_report import Measured, StreamingReport


@pytest.mark.processes
async def test_model_and_baseline_are_measured_in_one_run() -> None:
    steps: list[str] = []
    report = await run((2,), tokens=10, rate=100.0, first_token_ms=50.0, ours=False, rounds=2, report=steps.append)

    assert [(row.server, row.concurrency, row.streams, row.failed) for row in report.rows] == [
        ("model", 2, 6, {}),
        ("baseline", 2, 6, {}),
    ]
    model, baseline = report.rows
    assert 50 <= model.ttft_p50_ms <= model.ttft_p95_ms <= model.ttft_p99_ms
    assert baseline.added_p50_ms == pytest.approx(baseline.ttft_p50_ms - model.ttft_p50_ms)
    assert baseline.cpu_s_per_1000_tokens
    assert baseline.cpu_s_per_1000_tokens > 0
    assert steps[-1] == "2 concurrent: baseline"


@pytest.mark.processes
async def test_a_service_that_runs_already_is_measured_without_its_cpu() -> None:
    async with fake_model(tokens=10, rate=100.0, first_token_ms=50.0) as model, copilot_twin(model) as ours:
        report = await run((1,), tokens=10, rate=100.0, first_token_ms=50.0, relay_url=ours, rounds=1)

    row = report.row("copilot", 1)
    assert row is not None
    assert row.failed == {}
    assert row.ttft_p50_ms >= 50
    assert row.cpu_s_per_1000_tokens is None
    assert report.tokens_per_core_ratio(1) is None


@pytest.mark.processes
async def test_a_service_that_refuses_everything_is_not_measured() -> None:
    async with (
        fake_model(tokens=10, rate=100.0, first_token_ms=50.0) as model,
        copilot_twin(model, refuse=True) as ours,
    ):
        with pytest.raises(ServerNotReady, match="refuses every question"):
            await run((1,), tokens=10, rate=100.0, first_token_ms=50.0, relay_url=ours, rounds=1)


@asynccontextmanager
async def copilot_twin(model: Server, *, refuse: bool = False) -> AsyncGenerator[str]:
    """The baseline relay in this process, with the JSON answer that the bench asks for first; → its URL."""
    app = baseline_app(f"{model.url}/v1")
    chat = next(route for route in app.routes if getattr(route, "path", "") == "/v1/chat")
    app.routes.remove(chat)

    @app.post("/v1/chat")
    async def either(body: dict[str, Any]) -> Any:
        if body.get("stream") is False:
            return {"refused": refuse}
        return await chat.endpoint(Question(question=body["question"]))  # type: ignore[attr-defined]

    port = any_free_port()
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=port, log_level="warning", lifespan="off"))
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(server.serve())
        while not server.started:  # noqa: ASYNC110 (uvicorn has no event for it)
            await asyncio.sleep(0.01)
        yield f"http://127.0.0.1:{port}"
        server.should_exit = True


@pytest.mark.processes
async def test_a_service_that_does_not_start_is_told_with_its_last_words() -> None:
    command = ("python3", "-c", "import sys; sys.exit('no data folder')")
    with pytest.raises(ServerNotReady, match="no data folder"):
        await run((1,), tokens=5, rate=0.0, first_token_ms=1.0, relay_command=command, rounds=1)


def measured(server: str, cpu: float | None) -> Measured:
    return Measured(server, 50, 100, {}, 210.0, 220.0, 230.0, 10.0, 20.0, 30.0, 2000.0, cpu)


def test_the_ratio_is_tokens_per_core_ours_over_baseline() -> None:
    rows = (measured("model", 0.02), measured("baseline", 0.5), measured("copilot", 0.125))
    report = StreamingReport({"tokens": 100, "rate": 50.0, "first_token_ms": 200.0}, rows)

    assert report.tokens_per_core_ratio(50) == 4.0
    assert report.json()["tokens_per_core_ours_over_baseline"] == {"50": 4.0}
    assert orjson.loads(orjson.dumps(report.json())) == report.json()


def test_there_is_no_ratio_where_the_cpu_is_not_seen() -> None:
    report = StreamingReport({}, (measured("baseline", 0.5), measured("copilot", None)))
    assert report.tokens_per_core_ratio(50) is None


def test_the_table_fits_a_terminal_and_names_what_failed() -> None:
    failed = Measured("copilot", 50, 100, {"another text": 3}, 210.0, 220.0, 230.0, 10.0, 20.0, 30.0, 2000.0, 0.1)
    report = StreamingReport(
        {"tokens": 100, "rate": 50.0, "first_token_ms": 200.0}, (measured("baseline", 0.5), failed)
    )
    text = io.StringIO()
    Console(width=80, file=text).print(report.table())

    assert "left out of copilot at 50: 3 × another text" in text.getvalue()
    assert "× 5.0" in text.getvalue()
    assert "…" not in text.getvalue()
