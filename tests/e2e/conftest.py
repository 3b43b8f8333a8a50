"""One copilot with the sample documents, as `make up` starts it, for every test that only asks it things."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from app.samples import FOLDER
from ingest.sources import expand
from tests.browser.conftest import chromium, new_page  # noqa: F401 (fixtures)
from tests.e2e.copilot import running


@dataclass(frozen=True, slots=True)
class SampleCopilot:
    url: str
    data: Path


@pytest.fixture(scope="session")
def sample_copilot(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SampleCopilot]:
    data = tmp_path_factory.mktemp("samples") / "data"
    with running(data) as (_, http):
        _wait_for_samples(http)
        yield SampleCopilot(str(http.base_url).rstrip("/"), data)


def _wait_for_samples(http: httpx.Client) -> None:
    """`copilot up` serves while it takes them in."""
    expected = len(expand([str(FOLDER)]))
    deadline = time.monotonic() + 300
    while time.monotonic() < deadline:
        found = http.get("/v1/knowledge-bases/samples/documents", params={"status": "live", "limit": 500})
        if found.is_success and found.json()["total"] == expected:
            return
        time.sleep(0.3)
    raise AssertionError("the samples were not taken in in time")
