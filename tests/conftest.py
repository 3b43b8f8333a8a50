"""What every test may use, and the guard that keeps tests on this machine."""

from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest
import pytest_timeout
from pytest_socket import socket_allow_hosts

from tests import postgres

hypothesis.settings.register_profile("untimed", deadline=None)  # how busy the machine is says nothing of the code
hypothesis.settings.load_profile("untimed")

TESTS = Path(__file__).parent
ROOT = TESTS.parent


# What is real here (processes, sockets, a browser) waits for the machine, which may stand still for a second or two.
REAL = ("browser", "bots", "dingtalk", "e2e", "contracts", "app/jobs", "app/processes", "evals/bench")

# What runs on SQLite, as everything does, and on PostgreSQL: the ledger, publishing, moving, chats and what is erased.
ON_BOTH_DATABASES = (
    "app/channels/test_calls.py",
    "app/jobs/test_ends.py",
    "app/jobs/test_turns.py",
    "app/sources/test_runs.py",
    "app/test_conflicts.py",
    "app/test_conversations.py",
    "app/test_receipts.py",
    "app/test_versions.py",
    "contracts/test_database.py",
    "knowledge/test_moves.py",
    "knowledge/test_worn_shelves.py",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files that start processes come first: they take longest, and none of them is to be the last one running.

    What waits for the machine is tried twice before it has failed, and the summary names it; what hangs is not tried
    again.
    """
    slow = {item.path for item in items if item.get_closest_marker("processes")}
    items.sort(key=lambda item: item.path not in slow)
    real = [TESTS / folder for folder in REAL]
    for item in items:
        if item.path in slow or any(item.path.is_relative_to(folder) for folder in real):
            item.add_marker(pytest.mark.flaky(reruns=1, rerun_except="from pytest-timeout"))


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """The second try has its time too: pytest-timeout's clock ends with the failure of the first."""
    if getattr(item, "execution_count", 1) > 1:
        settings = pytest_timeout._get_item_settings(item)  # it has no other way
        item.ihook.pytest_timeout_set_timer(item=item, settings=settings)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """What went wrong at the first try, where the second went well."""
    for report in terminalreporter.stats.get("rerun", ()):
        said = [line for line in report.longreprtext.splitlines() if line.startswith("E ")]
        terminalreporter.write_line(f"FIRST TRY {report.nodeid}: {' '.join(' '.join(said).split())[:500]}")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--postgres", action="store_true", help="every product of a test has its database in PostgreSQL")


def pytest_configure(config: pytest.Config) -> None:
    """Before the fixtures of a module or a session make databases."""
    postgres.chosen = config.getoption("--postgres")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if str(metafunc.definition.path.relative_to(TESTS)) in ON_BOTH_DATABASES:
        kinds = ["postgresql"] if metafunc.config.getoption("--postgres") else ["sqlite", "postgresql"]
        metafunc.parametrize("_database", kinds, indirect=True)


@pytest.fixture(autouse=True)
def _database(request: pytest.FixtureRequest) -> Iterator[None]:
    """Where this test's databases are; those in PostgreSQL are gone after it."""
    on_postgres = getattr(request, "param", "postgresql" if postgres.chosen else "sqlite") == "postgresql"
    if not on_postgres:
        yield
        return
    if postgres.programs() is None:
        pytest.skip(postgres.INSTALL)
    always, postgres.chosen = postgres.chosen, True  # by hand: a test may undo what its monkeypatch did
    before = set(postgres.server().databases)
    yield
    postgres.chosen = always
    postgres.server().forget(postgres.server().databases - before)


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
