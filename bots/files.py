"""Documents that people send: operators are offered to have them taken in."""

from collections.abc import AsyncIterator

import orjson

from app.channels.replies import Replies, Reply
from app.services import KnowledgeService
from bots.messages import Incoming, Target
from bots.people import CHANNEL, Person
from bots.ports import Messenger
from bots.wording import say
from knowledge.catalog import Catalog
from knowledge.errors import NotFound
from knowledge.language import Language


class OfferedFiles:
    """A file is remembered by its download code until somebody says ``/ingest``. ``limit`` is in bytes."""

    def __init__(
        self, replies: Replies, messenger: Messenger, knowledge: KnowledgeService, catalog: Catalog, *, limit: int
    ) -> None:
        self._replies = replies
        self._messenger = messenger
        self._knowledge = knowledge
        self._catalog = catalog
        self._limit = limit

    async def offer(self, message: Incoming, person: Person, place: str, *, key: str, language: Language) -> str:
        """Remember the file for :meth:`take`; → the offer."""
        file = message.files[0]
        kept = orjson.dumps({"code": file.code, "name": file.name}).decode()
        target = message.target
        await self._replies.open(
            Reply(f"{key[:30]}-f", person.tenant, CHANNEL, "file", place, target.json(), "markdown", "note", text=kept)
        )
        names = [kb.name for kb in await self._catalog.named(person.tenant, None)]
        return say("file.offer", language, name=file.name, names="、".join(names) or say("file.new_base", language))

    async def take(self, person: Person, target: Target, base: str, language: Language) -> str:
        """Take in the file that came last. Raises NotFound ``file_not_offered``, and as uploads do."""
        offered = await self._replies.latest(place_of(target, person.name), ("file",))
        if offered is None or offered.state != "open" or offered.text is None:
            raise NotFound("There is no file to take in. Send it first.", code="file_not_offered")
        file = orjson.loads(offered.text)
        names = [kb.name for kb in await self._catalog.named(person.tenant, None)]
        name = base.strip() or next(iter(names), say("file.new_base", language))
        await self._knowledge.ensure(person.tenant, name)
        data = await self._messenger.download(file["code"], limit=self._limit)

        async def pieces() -> AsyncIterator[bytes]:
            yield data

        received = await self._knowledge.upload(person.tenant, name, file["name"], pieces())
        await self._replies.close(offered.id)
        key = "file.taken" if received.fresh else "file.known"
        return say(key, language, name=file["name"], base=name)


def place_of(target: Target, name: str) -> str:
    """Who talks where: a single chat, or one person in a group. Topics and undelivered answers belong to it."""
    if target.kind == "single":
        return target.conversation[:160]
    return f"{target.conversation}:{target.account or target.outsider or name}"[:160]
