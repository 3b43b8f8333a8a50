"""What every store of files does: a local folder, and any that fsspec reaches (here: its file system in memory)."""

import hashlib
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from urllib.parse import parse_qs
from uuid import uuid4

import fsspec
import pytest
from sqlalchemy import insert

from app.jobs.artifacts import Artifacts, secret_of
from app.jobs.ports import NewArtifact
from app.jobs.rows import StoredArtifact, artifact_row
from app.jobs.tables import artifacts as artifacts_table
from knowledge.catalog import Catalog
from knowledge.database import Database
from knowledge.errors import Forbidden, NotFound, Unavailable
from tests.products import database_of

TENANT = "shop"
HOURS = 3600.0


class Store:
    """A store in its place, and a way to look at the place itself."""

    def __init__(self, database: Database, url: str) -> None:
        self.database = database
        self.artifacts = Artifacts(database, url, secret=b"s" * 32)
        self.fs, self.root = fsspec.core.url_to_fs(url)

    def files(self) -> list[str]:
        return sorted(self.fs.find(self.root)) if self.fs.exists(self.root) else []

    def age(self, path: str, seconds: float) -> None:
        """As if a file had been written so long ago."""
        if hasattr(self.fs, "store"):
            self.fs.store[path].modified -= timedelta(seconds=seconds)
            self.fs.store[path].created -= timedelta(seconds=seconds)
        else:
            import os

            os.utime(path, (time.time() - seconds,) * 2)


@pytest.fixture(params=["folder", "folder as URL", "memory"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Store]:
    urls = {
        "folder": str(tmp_path / "文件"),
        "folder as URL": f"file://{tmp_path}/files",
        "memory": f"memory://{uuid4().hex}",
    }
    database = Database(database_of(tmp_path))
    for tenant in (TENANT, "other"):
        await Catalog(database).ensure_tenant(tenant, tenant)
    yield Store(database, urls[request.param])
    await database.close()


def new(data: bytes, name: str = "杯子.png") -> NewArtifact:
    return NewArtifact(data, "image/png", name, {"width": 3, "engine": "测试"})


async def note(store: Store, stored: StoredArtifact) -> None:
    """The row that a job's end writes."""
    async with store.database.write() as connection:
        await connection.execute(insert(artifacts_table), artifact_row(stored, TENANT))


async def test_a_file_comes_back_with_what_is_known_of_it(store: Store) -> None:
    sent = await store.artifacts.upload(TENANT, new(b"\x89PNG" + bytes(1000)))
    kept = await store.artifacts.get(TENANT, sent.id)
    assert kept == sent
    assert (kept.name, kept.media_type, kept.size) == ("杯子.png", "image/png", 1004)
    assert kept.about == {"width": 3, "engine": "测试"}
    assert kept.content_hash == hashlib.sha256(b"\x89PNG" + bytes(1000)).hexdigest()
    assert await store.artifacts.read(kept) == b"\x89PNG" + bytes(1000)


async def test_the_same_bytes_twice_are_one_file_and_two_artifacts(store: Store) -> None:
    first, second = [await store.artifacts.upload(TENANT, new(b"same", name)) for name in ("a.png", "b.png")]
    assert first.id != second.id
    assert len(store.files()) == 1
    assert [await store.artifacts.read(each) for each in (first, second)] == [b"same", b"same"]


async def test_tenants_share_neither_artifacts_nor_files(store: Store) -> None:
    mine = await store.artifacts.upload(TENANT, new(b"same"))
    await store.artifacts.upload("other", new(b"same"))
    assert len(store.files()) == 2
    with pytest.raises(NotFound) as refused:
        await store.artifacts.get("other", mine.id)
    assert refused.value.error_code == "artifact_not_found"


@pytest.mark.parametrize(("start", "end"), [(0, 10), (3, 7), (9, 10), (0, 1), (5, 5)])
async def test_any_part_of_a_file_can_be_read(store: Store, start: int, end: int) -> None:
    kept = await store.artifacts.upload(TENANT, new(b"0123456789"))
    assert b"".join(store.artifacts.pieces(kept, start, end)) == b"0123456789"[start:end]


async def test_a_large_file_is_read_in_pieces(store: Store) -> None:
    data = bytes(range(256)) * 4096
    kept = await store.artifacts.upload(TENANT, new(data))
    pieces = list(store.artifacts.pieces(kept, 0, kept.size))
    assert len(pieces) > 2
    assert b"".join(pieces) == data


async def test_a_signed_link_opens_its_file_until_it_expires(store: Store) -> None:
    kept = await store.artifacts.upload(TENANT, new(b"linked"))
    fields = {name: value[0] for name, value in parse_qs(store.artifacts.sign(kept)).items()}
    expires, signature = int(fields["expires"]), fields["signature"]
    assert 6 * 24 * HOURS < expires - time.time() <= 7 * 24 * HOURS
    assert await store.artifacts.signed(kept.id, expires, signature) == kept
    old = {
        name: value[0] for name, value in parse_qs(store.artifacts.sign(kept, lasting=timedelta(seconds=-1))).items()
    }
    with pytest.raises(Forbidden) as refused:
        await store.artifacts.signed(kept.id, int(old["expires"]), old["signature"])
    assert refused.value.error_code == "link_expired"


async def test_a_link_that_was_changed_opens_nothing(store: Store) -> None:
    kept, other = [await store.artifacts.upload(TENANT, new(data)) for data in (b"a", b"b")]
    fields = {name: value[0] for name, value in parse_qs(store.artifacts.sign(kept)).items()}
    expires, signature = int(fields["expires"]), fields["signature"]
    flipped = ("0" if signature[0] != "0" else "1") + signature[1:]
    elsewhere = Artifacts(store.database, store.root, secret=b"another installation's")
    for artifacts, artifact_id, until, given in (
        (store.artifacts, kept.id, expires + 1, signature),
        (store.artifacts, other.id, expires, signature),
        (store.artifacts, kept.id, expires, flipped),
        (store.artifacts, kept.id, expires, signature[:-1]),
        (store.artifacts, kept.id, expires, ""),
        (store.artifacts, kept.id, expires, "签名"),
        (elsewhere, kept.id, expires, signature),
    ):
        with pytest.raises(Forbidden) as refused:
            await artifacts.signed(artifact_id, until, given)
        assert refused.value.error_code == "link_invalid"


async def test_the_sweep_takes_what_no_row_needs_after_an_hour_and_nothing_else(store: Store) -> None:
    needed = await store.artifacts.upload(TENANT, new(b"needed"))
    await store.artifacts.store(TENANT, new(b"left by a killed worker"))
    young, old = [path for path in store.files() if needed.content_hash not in path], store.files()
    assert await store.artifacts.sweep() == 0
    for path in old:
        store.age(path, 2 * HOURS)
    await store.artifacts.store(TENANT, new(b"made just now, its row not yet written"))
    assert await store.artifacts.sweep() == 1
    assert young[0] not in store.files()
    assert len(store.files()) == 2
    assert await store.artifacts.read(needed) == b"needed"


async def test_a_half_written_file_is_swept_as_well(store: Store) -> None:
    await store.artifacts.store(TENANT, new(b"whole"))
    (whole,) = store.files()
    store.fs.pipe_file(f"{whole}.123.part", b"who")
    store.age(f"{whole}.123.part", 2 * HOURS)
    assert await store.artifacts.sweep() == 1
    assert store.files() == [whole]


async def test_an_old_orphan_that_is_made_again_is_not_swept_before_its_row_is_written(store: Store) -> None:
    await store.artifacts.store(TENANT, new(b"again"))
    (path,) = store.files()
    store.age(path, 2 * HOURS)
    stored = await store.artifacts.store(TENANT, new(b"again"))
    assert await store.artifacts.sweep() == 0
    await note(store, stored)
    assert await store.artifacts.sweep() == 0
    assert store.files() == [path]


async def test_a_file_that_is_gone_is_unavailable_before_its_first_byte(store: Store) -> None:
    kept = await store.artifacts.upload(TENANT, new(b"lost"))
    store.fs.rm_file(store.files()[0])
    with pytest.raises(Unavailable) as down:
        await store.artifacts.read(kept)
    assert down.value.error_code == "files_unavailable"
    with pytest.raises(Unavailable):
        next(store.artifacts.pieces(kept, 0, kept.size))


@contextmanager
def in_the_way(folder: Path) -> Iterator[None]:
    """A file where the store's folder should be."""
    folder.write_bytes(b"")
    yield
    folder.unlink()


async def test_a_store_that_cannot_be_written_is_unavailable_and_works_again_after(
    store: Store, tmp_path: Path
) -> None:
    folder = tmp_path / "broken"
    artifacts = Artifacts(store.database, str(folder), secret=b"s")
    with in_the_way(folder):
        with pytest.raises(Unavailable) as down:
            await artifacts.upload(TENANT, new(b"x"))
        assert down.value.error_code == "files_unavailable"
    assert await artifacts.read(await artifacts.upload(TENANT, new(b"x"))) == b"x"


def test_the_secret_is_made_once_and_is_its_users_own(tmp_path: Path) -> None:
    made = secret_of(tmp_path / "data")
    assert len(made) == 32
    assert secret_of(tmp_path / "data") == made
    assert (tmp_path / "data" / "secret.key").stat().st_mode & 0o077 == 0
    assert [path.name for path in (tmp_path / "data").iterdir()] == ["secret.key"]
    assert secret_of(tmp_path / "other") != made
