"""A whole product for a test: real SQL, real tantivy, real pipeline; doubles only for what is expensive."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from app.chat.answerers import Answerer
from app.database import migrate
from app.jobs.ports import Handler
from app.jobs.queue import MemoryQueue
from app.settings import Settings
from app.wiring import Services, Twins, running_services
from ingest.parsing import DirectParser, Parser
from knowledge.database import Database, sqlite_url
from knowledge.embeddings.hashing import HashingEmbedder
from knowledge.models import DEFAULT_TENANT, Document, DocumentStatus
from knowledge.ports import Embedder, VectorStore
from knowledge.vectors import MemoryVectors
from tests import postgres

RETURNS = """# 退换货规则

## 退货期限

国内站订单签收后 7 个自然日内可以无理由退货，退回运费由买家承担。

## 退款时效

仓库收到退件并质检通过后 3 个工作日内原路退款。质检不通过的，平台会在 24 小时内通知买家。
"""

FEES = """# 费用说明

## 佣金

家居类目的佣金比例为 8%，数码类目的佣金比例为 5%。

## 保证金

旗舰店保证金为 50000 元，专营店保证金为 30000 元。保证金在退店后 60 天内退还。
"""


def migrated(data: Path) -> None:
    """An empty database of the newest revision in a folder that has none: hundreds of tests begin with one."""
    data.mkdir(parents=True, exist_ok=True)
    file = data / "copilot.db"
    if not file.exists():
        file.write_bytes(_empty_database())


@cache
def _empty_database() -> bytes:
    with TemporaryDirectory() as folder, ThreadPoolExecutor(1) as thread:
        file = Path(folder) / "copilot.db"
        thread.submit(asyncio.run, _migrate(file)).result()  # a test's own loop runs in this thread
        return file.read_bytes()


async def _migrate(file: Path) -> None:
    database = Database(sqlite_url(file))
    await migrate(database)
    await database.close()


class CountingEmbedder:
    """Counts the passages it embeds."""

    def __init__(self, inner: Embedder | None = None) -> None:
        self._inner = inner or HashingEmbedder()
        self.passages = 0

    @property
    def model_id(self) -> str:
        return self._inner.model_id

    @property
    def dimensions(self) -> int:
        return self._inner.dimensions

    def embed_passages(self, texts):  # type: ignore[no-untyped-def]
        self.passages += len(texts)
        return self._inner.embed_passages(texts)

    def embed_query(self, text: str):  # type: ignore[no-untyped-def]
        return self._inner.embed_query(text)


def database_of(data: Path) -> str:
    """The URL of the migrated database that belongs to a folder, on whatever this test runs on."""
    if postgres.chosen:
        data.mkdir(parents=True, exist_ok=True)
        return postgres.server().of_folder(data)
    migrated(data)
    return sqlite_url(data.absolute() / "copilot.db")


def settings_for(data: Path, **overrides: object) -> Settings:
    """Settings that no environment and no ``.env`` can change, of a folder with a migrated database."""
    overrides.setdefault("database_url", database_of(data) if postgres.chosen else None)
    migrated(data)
    return Settings(_env_file=None, data=data, **overrides)  # type: ignore[call-arg, arg-type]


@asynccontextmanager
async def product(
    data: Path,
    *,
    embedder: Embedder | None = None,
    vectors: VectorStore | None = None,
    answerer: Answerer | None = None,
    handlers: Sequence[Handler[Any]] = (),
    parser: Parser | None = None,
    **overrides: object,
) -> AsyncIterator[Services]:
    twins = Twins(
        embedder or HashingEmbedder(),
        vectors or MemoryVectors(),
        MemoryQueue(),
        answerer,
        handlers=handlers,
        parser=parser or DirectParser(),
    )
    async with running_services(settings_for(data, **overrides), twins=twins) as services:
        yield services


async def take_in(services: Services, kb: str, name: str, content: bytes | str) -> Document:
    """Receive and process a document as the API and a worker would; if a worker was quicker, wait for it."""
    if isinstance(content, str):
        content = content.encode()

    async def pieces() -> AsyncIterator[bytes]:
        yield content

    await services.knowledge.ensure(DEFAULT_TENANT, kb)
    received = await services.knowledge.upload(DEFAULT_TENANT, kb, name, pieces())
    done = await services.pipeline.run(received.document.id, owner="test")
    for _ in range(600 if done is None else 0):
        if await services.parts.versions.status(received.document.id) is not DocumentStatus.PROCESSING:
            break
        await asyncio.sleep(0.05)
    return await services.knowledge.catalog.document(DEFAULT_TENANT, received.document.id)
