"""What a process has done since it began, as Prometheus reads it at ``GET /metrics``; every name begins with copilot_.

Processes are scraped one by one; sums over them are the scraper's. No label is a tenant, a person or a text: they are
words out of short lists, or names of configured models. Beside ours stand those that the library has of any process
(memory, processor time, open files). Times are in seconds.
"""

from collections.abc import Generator, Mapping
from contextlib import contextmanager

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    Counter,
    Gauge,
    Histogram,
    disable_created_metrics,
    generate_latest,
    start_http_server,
)

from knowledge.errors import InvalidInput

TEXT_FORMAT = CONTENT_TYPE_LATEST  # of what :func:`exposition` gives

disable_created_metrics()  # type: ignore[no-untyped-call]  # when each was born: nobody asks

_QUICK = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5)  # retrieval
_WAITED = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)  # a person or a model
_LONG = (0.1, 0.5, 1, 5, 10, 30, 60, 300, 1800, 3600)  # jobs

turns = Counter(
    "copilot_turns",
    "Turns that have ended; outcome is answered, curated, refused, stopped or failed, cached is no, exact or evidence.",
    ["channel", "outcome", "cached"],
)
first_token = Histogram(
    "copilot_first_token_seconds", "From the question to the first token of its answer.", ["cached"], buckets=_WAITED
)
turn_seconds = Histogram(
    "copilot_turn_seconds", "From the question to the end of its answer.", ["cached"], buckets=_WAITED
)
saved_tokens = Counter("copilot_saved_tokens", "Tokens that answers had cost which were given again, or shared.")
second_looks = Counter(
    "copilot_cache_second_looks",
    "Answers given by a similar question, made anew: right or not.",
    ["right"],
)
retrieval = Histogram(
    "copilot_retrieval_seconds",
    "Retrieval of a question by stage; some overlap.",
    ["stage"],
    buckets=_QUICK,
)
model_calls = Counter(
    "copilot_model_calls",
    "Calls of a language model; outcome is the reason for its end, left, or the code of the error.",
    ["endpoint", "model", "purpose", "outcome"],
)
model_tokens = Counter("copilot_model_tokens", "Tokens of prompts and completions.", ["endpoint", "model", "direction"])
model_first_token = Histogram(
    "copilot_model_first_token_seconds", "From a call to its first text.", ["endpoint", "model"], buckets=_WAITED
)
model_cost = Counter("copilot_model_cost", "Money, in the currency of the price table.", ["endpoint", "model"])
job_seconds = Histogram(
    "copilot_job_seconds", "Jobs that this process has ended: succeeded, failed or cancelled.", ["kind", "state"],
    buckets=_LONG,
)  # fmt: skip
turns_under_way = Gauge("copilot_turns_under_way", "Turns that this process is answering now.")
jobs = Gauge("copilot_jobs", "Jobs in the ledger that have not ended, whoever works on them.", ["queue", "state"])


def exposition(*, turns: int, waiting: Mapping[tuple[str, str], int]) -> bytes:
    """Everything, with what is looked up when it is asked for: turns under way, and jobs by queue and state."""
    turns_under_way.set(turns)
    for (queue, state), count in waiting.items():
        jobs.labels(queue, state).set(count)
    return generate_latest()


@contextmanager
def served(port: int | None, host: str) -> Generator[None]:
    """At a port, by a thread, for processes without an API; at none without one. Raises InvalidInput ``port_busy``."""
    if port is None:
        yield
        return
    try:
        server, thread = start_http_server(port, host)
    except OSError as error:
        message = f"Metrics cannot be served at {host}:{port}: {error.strerror}. Set COPILOT_METRICS_PORT anew."
        raise InvalidInput(message, code="port_busy", port=port) from None
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
