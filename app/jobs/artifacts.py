"""Files of jobs and uploads: content-addressed, by tenant, in a folder or any store that fsspec reaches.

A file is in its place, whole, before its row is written; a row never points at nothing. Files that no row needs (a
worker was killed between the two) are found by :meth:`Artifacts.sweep`.
"""

import asyncio
import hashlib
import secrets
import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

from sqlalchemy import insert, select

from app.jobs.models import Artifact
from app.jobs.ports import NewArtifact
from app.jobs.rows import StoredArtifact, artifact_of, artifact_row
from app.jobs.signing import LINK, Signer
from app.jobs.tables import artifacts
from knowledge.database import Database
from knowledge.errors import NotFound, Unavailable

PIECE = 1 << 18
_ORPHAN_SECONDS = 3600


class Artifacts:
    """``url`` is a folder or an fsspec URL (``s3://bucket/prefix``). ``secret`` signs links: see ``signer``."""

    def __init__(self, database: Database, url: str, *, secret: bytes) -> None:
        import fsspec

        self._database = database
        self._fs, self._root = fsspec.core.url_to_fs(url)
        if "file" in self._fs.protocol:
            self._fs = fsspec.filesystem("file", auto_mkdir=True)
        self.signer = Signer(secret)

    async def store(self, tenant: str, new: NewArtifact) -> StoredArtifact:
        """Put the bytes in their place. The same bytes twice are one file. Raises Unavailable ``files_unavailable``."""
        content_hash = hashlib.sha256(new.data).hexdigest()
        await asyncio.to_thread(self._write, self._path(tenant, content_hash), new.data)
        return StoredArtifact(content_hash, len(new.data), new.media_type, new.name, new.about)

    async def upload(self, tenant: str, new: NewArtifact) -> Artifact:
        """A file that somebody sends, to be worked on."""
        stored = await self.store(tenant, new)
        row = artifact_row(stored, tenant)
        async with self._database.write() as connection:
            return artifact_of((await connection.execute(insert(artifacts).values(**row).returning(artifacts))).one())

    async def get(self, tenant: str, artifact_id: str) -> Artifact:
        """Raises NotFound ``artifact_not_found``."""
        async with self._database.read() as connection:
            mine = (artifacts.c.id == artifact_id) & (artifacts.c.tenant == tenant)
            row = (await connection.execute(select(artifacts).where(mine))).first()
        if row is None:
            raise NotFound("There is no such file.", code="artifact_not_found")
        return artifact_of(row)

    async def of_jobs(self, job_ids: list[str]) -> dict[str, list[Artifact]]:
        """What jobs made, in order."""
        query = select(artifacts).where(artifacts.c.job_id.in_(job_ids)).order_by(artifacts.c.ordinal)
        made: dict[str, list[Artifact]] = {job_id: [] for job_id in job_ids}
        for row in await self._database.rows(query) if job_ids else ():
            made[row.job_id].append(artifact_of(row))
        return made

    async def read(self, artifact: Artifact) -> bytes:
        """All of it. Raises Unavailable ``files_unavailable``."""
        return b"".join(await asyncio.to_thread(list, self.pieces(artifact, 0, artifact.size)))

    def pieces(self, artifact: Artifact, start: int, end: int) -> Iterator[bytes]:
        """Bytes ``start`` to ``end`` (exclusive), a piece at a time. Blocking."""
        path = self._path(artifact.tenant, artifact.content_hash)
        with _store_errors(), self._fs.open(path, "rb") as file:
            file.seek(start)
            while start < end and (piece := file.read(min(PIECE, end - start))):
                start += len(piece)
                yield piece

    def sign(self, artifact: Artifact, *, lasting: timedelta = LINK) -> str:
        """The query of a link that works without a key until it expires: ``expires=…&signature=…``."""
        return self.signer.query(artifact.id, lasting=lasting)

    async def signed(self, artifact_id: str, expires: int, signature: str) -> Artifact:
        """The artifact of a signed link. Raises Forbidden ``link_invalid`` or ``link_expired``."""
        self.signer.check(artifact_id, expires, signature)
        async with self._database.read() as connection:
            row = (await connection.execute(select(artifacts).where(artifacts.c.id == artifact_id))).first()
        if row is None:
            raise NotFound("There is no such file.", code="artifact_not_found")
        return artifact_of(row)

    async def sweep(self) -> int:
        """Delete files that no row needs and that are an hour old; → how many. Raises Unavailable."""
        async with self._database.read() as connection:
            query = select(artifacts.c.tenant, artifacts.c.content_hash).distinct()
            needed = {self._path(row.tenant, row.content_hash) for row in await connection.execute(query)}
        return await asyncio.to_thread(self._delete_others, needed)

    def _write(self, path: str, data: bytes) -> None:
        """Also what is there already: its age starts anew, so that no sweep takes it before its row is written."""
        part = f"{path}.{uuid4().hex}.part"
        with _store_errors():
            with self._fs.open(part, "wb") as file:
                file.write(data)
            self._fs.mv(part, path)

    def _delete_others(self, needed: set[str]) -> int:
        deleted = 0
        with _store_errors():
            for path in self._fs.find(self._root):
                if path not in needed and self._age(path) > _ORPHAN_SECONDS:
                    self._fs.rm_file(path)
                    deleted += 1
        return deleted

    def _age(self, path: str) -> float:
        """Seconds since a file was written; none for one that is gone meanwhile."""
        try:
            return time.time() - float(self._fs.modified(path).timestamp())
        except FileNotFoundError:
            return 0.0

    def _path(self, tenant: str, content_hash: str) -> str:
        return f"{self._root}/{tenant}/{content_hash[:2]}/{content_hash}"


def secret_of(folder: Path) -> bytes:
    """This installation's secret, made at the first start; readable by its user only."""
    file = folder / "secret.key"
    try:
        return file.read_bytes()
    except FileNotFoundError:
        folder.mkdir(parents=True, exist_ok=True)
        part = folder / f"{uuid4().hex}.part"
        part.touch(mode=0o600)
        part.write_bytes(secrets.token_bytes(32))
        try:
            file.hardlink_to(part)  # the first of several processes wins, and its file is whole
        except FileExistsError:
            pass
        finally:
            part.unlink()
        return file.read_bytes()


@contextmanager
def _store_errors() -> Generator[None]:
    try:
        yield
    except OSError as exc:
        message = "The file store does not answer. Nothing is lost; try again later."
        raise Unavailable(message, code="files_unavailable") from exc
