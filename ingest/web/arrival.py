"""Documents that were named by their address: fetched when their turn comes, by whoever takes them in."""

from collections.abc import AsyncIterator

from ingest.files import FileStore, StoredFile
from ingest.web.fetch import Fetcher
from knowledge.claims import Claim
from knowledge.errors import DocumentRefused, InvalidInput
from knowledge.origins import Origin, Origins, Validators
from knowledge.versions import Versions


class Arrivals:
    """:class:`ingest.pipeline.Bring` from the web."""

    def __init__(self, fetcher: Fetcher, files: FileStore, origins: Origins, versions: Versions) -> None:
        self._fetcher = fetcher
        self._files = files
        self._origins = origins
        self._versions = versions

    async def __call__(self, claim: Claim) -> Claim | None:
        origin = (await self._origins.of([claim.document_id])).get(claim.document_id)
        if origin is None:
            raise DocumentRefused("corrupt", "Nobody knows where this document was to be fetched. Name it again.")
        try:
            found = await self._fetcher.fetch(origin.url, known=await self._known(origin))
        except InvalidInput as error:  # what may be fetched was another matter when it was asked for
            raise DocumentRefused("address_refused", error.message) from error
        if found is None:
            await self._versions.unchanged(claim)
            return None
        stored = await stored_bytes(self._files, claim.tenant, found.body)
        await self._origins.fetched(claim.document_id, found.validators, content_hash=stored.content_hash)
        return await self._versions.fetched(claim, content_hash=stored.content_hash, size=stored.size)

    async def _known(self, origin: Origin) -> Validators:
        """“As it was” is only of use where what was is live."""
        live = await self._versions.live_hash(origin.document_id)
        return origin.validators if live is not None and live == origin.content_hash else Validators()


async def stored_bytes(files: FileStore, tenant: str, data: bytes) -> StoredFile:
    """Raises DocumentRefused ``too_large``."""

    async def pieces() -> AsyncIterator[bytes]:
        yield data

    return await files.save(tenant, pieces())
