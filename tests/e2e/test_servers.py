"""PostgreSQL, a Redis server, a Chroma server, two `copilot api` and two `copilot worker`, each with its own folder."""

import asyncio
import json
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from os import environ  # noqa: TID251 (children inherit our environment)
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
from sqlalchemy import select

from app.jobs.tables import jobs
from app.processes.embedded import chroma_spec, chroma_url
from app.processes.ports import any_free_port
from app.processes.runtime import is_marked_ready
from knowledge.database import Database
from tests import postgres
from tests.e2e.api_processes import answers, wait_for
from tests.e2e.redis_server import redis_server

VISIBLE_SECONDS = 2
END_SECONDS = 120
QUESTION = "旗舰店的保证金是多少？"

pytestmark = [
    pytest.mark.processes,
    pytest.mark.timeout(400),
    pytest.mark.skipif(postgres.programs() is None, reason=postgres.INSTALL),
]


@dataclass
class Machine:
    """A process of ours, on a machine of its own as far as its data folder is concerned."""

    data: Path
    env: dict[str, str]
    process: subprocess.Popen[bytes] = field(init=False)

    def start(self, *arguments: str) -> "Machine":
        self.data.mkdir()
        with self.log.open("ab") as out:
            command = [sys.executable, "-m", "app", *arguments, "--data", str(self.data)]
            self.process = subprocess.Popen(command, stdout=out, stderr=out, env=self.env)
        return self

    @property
    def log(self) -> Path:
        return self.data.with_suffix(".log")

    def ready(self) -> bool:
        """Of a worker."""
        return is_marked_ready(self.data, self.process.pid)

    def stop(self) -> None:
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


@dataclass
class Shop:
    """The machines, and clients of the two that answer."""

    database: str
    first: httpx.Client
    second: httpx.Client
    apis: list[Machine]
    workers: list[Machine]

    def upload(self, name: str, text: str) -> str:
        """To the first; → the document's id."""
        file = {"file": (name, text.encode())}
        done = self.first.post("/v1/knowledge-bases/shop/documents", files=file).raise_for_status().json()
        return str(done["id"])

    def wait_live(self, document_id: str) -> dict[str, Any]:
        def live() -> bool:
            document = self.second.get(f"/v1/documents/{document_id}").json()
            assert document["status"] != "failed", document
            return bool(document["status"] == "live")

        wait_for(live, what=self.workers[0].log, seconds=END_SECONDS)
        return dict(self.second.get(f"/v1/documents/{document_id}").json())

    def take_in(self, name: str, text: str) -> None:
        self.wait_live(self.upload(name, text))

    def found(self, http: httpx.Client, query: str) -> str:
        """The best passage's text."""
        answer = http.post("/v1/knowledge-bases/shop/search", json={"query": query, "limit": 3}).raise_for_status()
        return "".join(passage["text"] for passage in answer.json()["passages"][:1])

    def ask(self, http: httpx.Client) -> dict[str, Any]:
        body = {"question": QUESTION, "kb": ["shop"], "stream": False}
        return dict(http.post("/v1/chat", json=body).raise_for_status().json())

    def holder(self) -> int | None:
        """The process that works on a document."""

        async def owner() -> str | None:
            database = Database(self.database)
            running = select(jobs.c.owner).where(jobs.c.state == "running")
            rows = await database.rows(running)
            await database.close()
            return rows[0].owner if rows else None

        name = asyncio.run(owner())
        return None if name is None else int(name.split(":")[1])


@contextmanager
def chroma_server(folder: Path) -> Iterator[str]:
    """→ its address."""
    spec = chroma_spec(folder, port := any_free_port())
    with (folder / "chroma.log").open("ab") as log:
        process = subprocess.Popen(spec.argv, cwd=spec.cwd, stdout=log, stderr=log, env={**environ, **spec.env})
    try:
        wait_for(lambda: answers(f"{chroma_url(port)}/api/v2/heartbeat"), what=folder / "chroma.log")
        yield chroma_url(port)
    finally:
        process.kill()
        process.wait()


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    folder = tmp_path_factory.mktemp("servers")
    (folder / "stores").mkdir()
    database = postgres.server().fresh(uuid4().hex)
    with ExitStack() as open_:
        env = {
            **environ,
            "LANG": "C.UTF-8",
            "COPILOT_DATABASE_URL": database,
            "COPILOT_REDIS_URL": open_.enter_context(redis_server(folder / "stores")).url,
            "COPILOT_CHROMA_URL": open_.enter_context(chroma_server(folder / "stores")),
            "COPILOT_FILES_FOLDER": str(folder / "shared" / "files"),
            "COPILOT_ARTIFACTS_URL": str(folder / "shared" / "artifacts"),
            "COPILOT_SECRET": "of tests, the same on every machine",
        }
        ports = [any_free_port() for _ in range(2)]
        # All at once, on an empty database: one of them makes the tables.
        apis = [Machine(folder / f"api-{port}", env).start("api", "--port", str(port)) for port in ports]
        workers = [Machine(folder / f"worker-{number}", env).start("worker") for number in range(2)]
        for machine in (*apis, *workers):
            open_.callback(machine.stop)
        for port, api in zip(ports, apis, strict=True):
            wait_for(partial(answers, f"http://127.0.0.1:{port}/healthz"), what=api.log)
        for worker in workers:
            wait_for(worker.ready, what=worker.log)
        clients = [httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30) for port in ports]
        for client in clients:
            open_.enter_context(client)
        clients[0].post("/v1/knowledge-bases", json={"name": "shop"}).raise_for_status()
        yield Shop(database, clients[0], clients[1], apis, workers)


def test_what_is_uploaded_to_one_is_found_through_the_other_at_once(shop: Shop) -> None:
    shop.take_in("价目.md", "# 价目\n\n保温杯的编码是 HB-KT-2048，售价 59 元。")
    began = time.monotonic()
    while "59 元" not in shop.found(shop.second, "HB-KT-2048"):
        assert time.monotonic() - began < VISIBLE_SECONDS
        time.sleep(0.05)
    assert "59 元" in shop.found(shop.first, "HB-KT-2048")


def test_a_changed_price_is_answered_by_both_and_the_kept_answer_by_neither(shop: Shop) -> None:
    fees = "# 费用说明\n\n## 保证金\n\n旗舰店保证金为 {} 元。保证金在退店后 60 天内退还。"
    shop.take_in("费用.md", fees.format(50000))
    first = shop.ask(shop.first)
    kept = shop.ask(shop.second)
    assert "50000" in first["answer"]
    assert (first["cached"], kept["cached"], kept["answer"]) == (None, "exact", first["answer"])
    shop.take_in("费用.md", fees.format(68000))
    for http in (shop.first, shop.second):
        assert "68000" in shop.ask(http)["answer"]


def test_a_replica_is_made_anew_or_lost_while_its_process_goes_on_answering(shop: Shop) -> None:
    shop.take_in("雨伞.md", "# 雨伞\n\n雨伞的编码是 UM-7001，售价 39 元。")
    second = shop.apis[1]
    command = [sys.executable, "-m", "app", "reindex", "--kb", "shop", "--json", "--data", str(second.data)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=second.env) as reindexing:
        while reindexing.poll() is None:
            assert "39 元" in shop.found(shop.second, "UM-7001")
        assert reindexing.stdout is not None
        (made,) = json.load(reindexing.stdout)["knowledge_bases"]
    (base,) = shop.second.get("/v1/knowledge-bases").json()["knowledge_bases"]
    assert made["chunks"] == base["chunks"]
    shutil.rmtree(second.data / "lexical")
    for number in range(3):
        shop.take_in(f"帽子-{number}.md", f"# 帽子\n\n帽子的编码是 CP-90{number}，售价 {number + 20} 元。")
        assert "39 元" in shop.found(shop.second, "UM-7001")
    wait_for(lambda: "22 元" in shop.found(shop.second, "CP-902"), what=second.log, seconds=20)
    assert list((second.data / "lexical").rglob("meta.json"))


def test_a_worker_is_killed_amid_a_document_and_the_other_ends_it(shop: Shop) -> None:
    sections = [f"## 第 {n} 条\n\n门店规定第 {n} 条：编号 S-{n:03d} 的商品按 {n} 折计价。" * 6 for n in range(150)]
    document_id = shop.upload("手册.md", "# 手册\n\n" + "\n\n".join(sections))

    def embedding() -> bool:
        document = shop.second.get(f"/v1/documents/{document_id}").json()
        return document["status"] == "processing" and document["progress"] > 0

    wait_for(embedding, what=shop.workers[0].log)
    pid = shop.holder()
    victim = next(worker for worker in shop.workers if worker.process.pid == pid)
    victim.process.kill()
    victim.process.wait()
    assert victim.process.returncode == -signal.SIGKILL
    assert shop.wait_live(document_id)["version"] == 1
    assert "S-149" in shop.found(shop.second, "S-149")
