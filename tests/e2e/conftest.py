"""One copilot with the sample documents, as `make up` starts it, for every test that only asks it things."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

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
        yield SampleCopilot(str(http.base_url).rstrip("/"), data)
