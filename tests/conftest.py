"""What every test may use, and the guard that keeps tests on this machine."""

from pathlib import Path

import hypothesis
import pytest
from pytest_socket import socket_allow_hosts

hypothesis.settings.register_profile("untimed", deadline=None)  # how busy the machine is says nothing of the code
hypothesis.settings.load_profile("untimed")

ROOT = Path(__file__).parent.parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files that start processes come first: they take longest, and none of them is to be the last one running."""
    slow = {item.path for item in items if item.get_closest_marker("processes")}
    items.sort(key=lambda item: item.path not in slow)


@pytest.fixture(autouse=True)
def _only_this_machine() -> None:
    """No test leaves the machine: connecting anywhere but loopback (or a unix socket) raises."""
    socket_allow_hosts(["127.0.0.1", "::1", "localhost"], allow_unix_socket=True)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Public evaluation data beside the repository; tests on it are skipped where it is not there."""
    folder = ROOT.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("the public evaluation data is not beside this checkout")
    return folder


@pytest.fixture(scope="session")
def samples() -> Path:
    """The sample documents."""
    return ROOT / "knowledge" / "samples"


@pytest.fixture(scope="session")
def embedder_cache() -> Path:
    """Where the converted embedder is kept; converted once for all runs."""
    from knowledge.settings import KnowledgeSettings

    return KnowledgeSettings().cache_folder
