"""Sources and addresses on the command line, with no service running."""

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from os import environ  # noqa: TID251 (children inherit our environment)
from pathlib import Path

import pytest

from app.cli.sources import kind_of
from tests.products import FEES, RETURNS

pytestmark = pytest.mark.processes


@pytest.fixture
def page() -> Iterator[str]:
    """The address of a page on this machine."""

    class Pages(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200 if self.path == "/help" else 404)
            self.end_headers()
            self.wfile.write(RETURNS.encode())

        def log_message(self, *_: object) -> None:
            """Not here."""

    server = HTTPServer(("127.0.0.1", 0), Pages)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/help"
    server.shutdown()
    server.server_close()
    thread.join()


def test_a_folder_is_watched_and_a_page_is_taken_in(tmp_path: Path, page: str) -> None:
    docs = tmp_path / "docs"
    docs.mkdir()
    (docs / "费用.md").write_text(FEES, encoding="utf-8")
    allowed = {"COPILOT_SOURCE_FOLDERS": json.dumps([str(docs)]), "COPILOT_FETCH_ALLOW": '["127.0.0.1"]'}

    def copilot(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "app", *arguments, "--data", str(tmp_path / "data")]
        environment = {**environ, **allowed, "COLUMNS": "200"}
        return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, env=environment)

    assert (
        "Watched: docs (daily 03:00)"
        in copilot("sources", "add", str(docs), "--kb", "shop", "--schedule", "daily 3:00").stdout
    )
    synced = copilot("sources", "sync", "docs", "--json")
    report = json.loads(synced.stdout)
    assert (report["state"], report["counts"]["new"] + report["counts"]["waiting"]) == ("done", 1)
    taken = json.loads(copilot("ingest", page, "http://10.0.0.1/", "--kb", "shop", "--json").stdout)
    assert {(file["state"], file["reason"]) for file in taken["files"]} == {
        ("live", None),
        ("failed", "address_refused"),
    }


@pytest.mark.parametrize(
    ("location", "kind"),
    [
        ("docs", "folder"),
        ("s3://bucket/docs", "s3"),
        ("https://a.example/help", "url"),
        ("https://a.example/sitemap.xml", "sitemap"),
        ("https://a.example/sitemap.xml.gz?x=1", "sitemap"),
    ],
)
def test_a_location_tells_its_kind(location: str, kind: str) -> None:
    assert kind_of(location) == kind
