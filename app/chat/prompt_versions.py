"""A tenant's own versions of the prompt templates: drafts, what is live, and going back.

Version 0 is the shipped file. Which version is live is read with every question, so a publication holds in every
process from the next question on; parsed texts are kept, because a number's text never changes once it is published.
"""

import hashlib
import logging
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import uuid4

from sqlalchemy import ColumnElement, Executable, Row, bindparam, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from app.chat.prompt_check import check, flaws
from app.chat.prompt_examples import Examples
from app.chat.prompt_tables import live_prompts, prompt_versions
from app.chat.prompts import NAMES, PromptSet
from app.llm.prompts import PromptTemplate, parse
from knowledge.database import Database, now
from knowledge.errors import Conflict, NotFound
from knowledge.ports import Vector

SHIPPED = 0
LONGEST_NOTE = 200
MOST_PARSED = 500

log = logging.getLogger(__name__)

_LIVE = (
    select(prompt_versions.c.name, prompt_versions.c.number, prompt_versions.c.digest)
    .join(
        live_prompts,
        (live_prompts.c.tenant == prompt_versions.c.tenant)
        & (live_prompts.c.name == prompt_versions.c.name)
        & (live_prompts.c.number == prompt_versions.c.number),
    )
    .where(live_prompts.c.tenant == bindparam("tenant"))
)


@dataclass(frozen=True, slots=True)
class PromptVersion:
    """``digest`` changes with the text. A draft was never published; ``changed_at`` is None for the shipped one."""

    name: str
    number: int
    text: str
    digest: str
    note: str = ""
    based_on: int = SHIPPED
    changed_by: str = ""
    changed_at: datetime | None = None
    published_by: str | None = None
    published_at: datetime | None = None
    live: bool = False

    @property
    def draft(self) -> bool:
        return self.number != SHIPPED and self.published_at is None


@dataclass(frozen=True, slots=True)
class Prompt:
    """A template as a tenant has it: the live version, and how many others there are."""

    name: str
    live: PromptVersion
    drafts: int
    published: int


class Prompts:
    """``shipped`` are the files; ``think`` is the chain-of-thought switch. Every call is of one tenant.

    Raises NotFound ``prompt_not_found`` for a name that no template has.
    """

    def __init__(self, database: Database, shipped: PromptSet, examples: Examples, *, think: bool) -> None:
        self._database = database
        self._examples = examples
        self._shipped = shipped
        self._think = think
        self._parsed: dict[tuple[str, int, str], PromptTemplate] = {}

    async def live(self, tenant: str) -> PromptSet:
        """The templates to answer with now. One that this release can't use any more gives way to the shipped one."""
        rows = await self._database.rows(_LIVE, {"tenant": tenant})
        if not rows:
            return self._shipped
        found = self._shipped.having({row.name: await self._template(tenant, row) for row in rows if row.name in NAMES})
        if "examples" not in found.answer.variables:
            return found
        kept_under = f"{found.answer.version}+{await self._examples.revision(tenant)}"
        return found.having({"answer": replace(found.answer, version=kept_under)})

    async def with_examples(
        self, tenant: str, template: PromptTemplate, question: str, vector: Vector | None
    ) -> PromptTemplate:
        """The same with the examples that are nearest to a question, where it has a place for them."""
        if "examples" not in template.variables:
            return template
        return template.showing(examples=await self._examples.shown(tenant, question, vector))

    async def all(self, tenant: str) -> list[Prompt]:
        found = []
        for name in NAMES:
            versions = await self.versions(tenant, name)
            live = next(version for version in versions if version.live)
            drafts = sum(version.draft for version in versions)
            found.append(Prompt(name, live, drafts, len(versions) - 1 - drafts))
        return found

    async def versions(self, tenant: str, name: str) -> list[PromptVersion]:
        """The newest first, the shipped one last."""
        self.require(name)
        query = select(prompt_versions).where(_of(tenant, name)).order_by(prompt_versions.c.number.desc())
        live = await self._live_number(tenant, name)
        async with self._database.read() as connection:
            rows = (await connection.execute(query)).all()
        kept = [_version(row, live) for row in rows]
        shipped_lives = not any(version.live for version in kept)
        return [*kept, self._shipped_version(name, live=shipped_lives)]

    async def version(self, tenant: str, name: str, number: int) -> PromptVersion:
        """Raises NotFound ``prompt_version_not_found``."""
        for version in await self.versions(tenant, name):
            if version.number == number:
                return version
        raise NotFound("There is no such version of this template.", code="prompt_version_not_found")

    def require(self, name: str) -> None:
        """Raises NotFound ``prompt_not_found``."""
        if name not in NAMES:
            raise NotFound("There is no such template.", code="prompt_not_found")

    async def tried(
        self, tenant: str, name: str, *, number: int | None = None, text: str | None = None
    ) -> PromptTemplate:
        """A version (the live one, when None) or an unsaved text, ready to be tried. Raises PromptRefused, NotFound."""
        self.require(name)
        if text is not None:
            check(name, text)
            return parse(name, text, think=self._think)
        if number is None:
            return (await self.live(tenant)).named(name)
        return self.template(await self.version(tenant, name, number))

    def template(self, version: PromptVersion) -> PromptTemplate:
        """A version as it is sent to a model."""
        if version.number == SHIPPED:
            return self._shipped.named(version.name)
        return parse(version.name, version.text, think=self._think, number=version.number)

    async def draft(
        self, tenant: str, name: str, *, by: str, text: str | None = None, base: int | None = None, note: str = ""
    ) -> PromptVersion:
        """A new draft, of the text of ``base`` (the live version, when None) unless one is given.

        Raises PromptRefused, NotFound ``prompt_version_not_found``, Conflict ``prompt_changed``: try again.
        """
        versions = await self.versions(tenant, name)
        like = next((v for v in versions if (v.live if base is None else v.number == base)), None)
        if like is None:
            raise NotFound("There is no such version of this template.", code="prompt_version_not_found")
        values = _written(name, like.text if text is None else text, note, by)
        number = versions[0].number + 1
        row = {"id": uuid4().hex, "tenant": tenant, "name": name, "number": number, "based_on": like.number, **values}
        try:
            await self._database.apply(insert(prompt_versions).values(row))
        except IntegrityError as error:
            raise _changed() from error
        return await self.version(tenant, name, number)

    async def save(
        self, tenant: str, name: str, number: int, *, by: str, text: str, note: str = "", was: str | None = None
    ) -> PromptVersion:
        """Write a draft; ``was`` is the digest of the text that was edited.

        Raises PromptRefused, NotFound, Conflict ``prompt_published`` or ``prompt_changed``: somebody else edited it.
        """
        await self._require_draft(tenant, name, number)
        await self._change(
            update(prompt_versions).where(_draft_of(tenant, name, number, was)).values(**_written(name, text, note, by))
        )
        return await self.version(tenant, name, number)

    async def discard(self, tenant: str, name: str, number: int) -> None:
        """Forget a draft. Raises NotFound, Conflict ``prompt_published``."""
        await self._require_draft(tenant, name, number)
        await self._change(delete(prompt_versions).where(_draft_of(tenant, name, number, None)))

    async def publish(self, tenant: str, name: str, number: int, *, by: str, was: str | None = None) -> PromptVersion:
        """A draft becomes what is answered with. Raises as :meth:`save` does; the draft is checked once more."""
        version = await self._require_draft(tenant, name, number)
        check(name, version.text)
        published = {"published_by": by, "published_at": now()}
        mine = _draft_of(tenant, name, number, was or version.digest)
        marked = update(prompt_versions).where(mine).values(**published)
        await self._go_live(tenant, name, number, by=by, first=marked)
        return await self.version(tenant, name, number)

    async def roll_back(self, tenant: str, name: str, to: int, *, by: str) -> PromptVersion:
        """A version that was published before is live again. Raises NotFound, Conflict ``prompt_not_published``."""
        version = await self.version(tenant, name, to)
        if version.draft:
            raise Conflict("This version is a draft: publish it.", code="prompt_not_published")
        check(name, version.text)
        await self._go_live(tenant, name, to, by=by)
        return await self.version(tenant, name, to)

    async def _go_live(self, tenant: str, name: str, number: int, *, by: str, first: Executable | None = None) -> None:
        values = {"number": number, "changed_by": by[:120], "changed_at": now()}
        mine = (live_prompts.c.tenant == tenant) & (live_prompts.c.name == name)
        fresh = insert(live_prompts).values(tenant=tenant, name=name, **values)
        try:
            async with self._database.write() as connection:
                if first is not None and (await connection.execute(first)).rowcount == 0:
                    raise _changed()
                if (await connection.execute(update(live_prompts).where(mine).values(**values))).rowcount == 0:
                    await connection.execute(fresh)
        except IntegrityError as error:
            raise _changed() from error
        log.info("prompt live name=%s version=%d tenant=%s by=%s", name, number, tenant, by)

    async def _require_draft(self, tenant: str, name: str, number: int) -> PromptVersion:
        version = await self.version(tenant, name, number)
        if not version.draft:
            raise Conflict("This version was published and stays as it is.", code="prompt_published")
        return version

    async def _change(self, statement: Executable) -> None:
        async with self._database.write() as connection:
            changed = (await connection.execute(statement)).rowcount
        if not changed:
            raise _changed()

    async def _live_number(self, tenant: str, name: str) -> int:
        mine = (live_prompts.c.tenant == tenant) & (live_prompts.c.name == name)
        rows = await self._database.rows(select(live_prompts.c.number).where(mine))
        return rows[0].number if rows else SHIPPED

    async def _template(self, tenant: str, row: Row[Any]) -> PromptTemplate:
        key = (row.name, row.number, row.digest)
        if key not in self._parsed:
            if len(self._parsed) >= MOST_PARSED:
                self._parsed.clear()
            version = await self.version(tenant, row.name, row.number)
            broken = flaws(row.name, version.text)
            if broken:
                log.warning("prompt not usable name=%s version=%d: %s", row.name, row.number, broken[0].code)
            self._parsed[key] = self._shipped.named(row.name) if broken else self.template(version)
        return self._parsed[key]

    def _shipped_version(self, name: str, *, live: bool) -> PromptVersion:
        text = self._shipped.named(name).text
        return PromptVersion(name, SHIPPED, text, _digest(text), live=live)


def _written(name: str, text: str, note: str, by: str) -> dict[str, Any]:
    """The columns that an edit changes. Raises PromptRefused."""
    text = text.replace("\r\n", "\n").replace("\r", "\n").strip() + "\n"
    check(name, text)
    note = " ".join(note.split())[:LONGEST_NOTE]
    return {"text": text, "digest": _digest(text), "note": note, "changed_by": by[:120], "changed_at": now()}


def _of(tenant: str, name: str) -> ColumnElement[bool]:
    return (prompt_versions.c.tenant == tenant) & (prompt_versions.c.name == name)


def _draft_of(tenant: str, name: str, number: int, digest: str | None) -> ColumnElement[bool]:
    draft = _of(tenant, name) & (prompt_versions.c.number == number) & prompt_versions.c.published_at.is_(None)
    return draft if digest is None else draft & (prompt_versions.c.digest == digest)


def _version(row: Row[Any], live: int) -> PromptVersion:
    plain = {each: getattr(row, each) for each in PromptVersion.__dataclass_fields__ if each != "live"}
    return PromptVersion(**plain, live=row.number == live)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _changed() -> Conflict:
    return Conflict("Somebody else has changed this meanwhile. Look at it again.", code="prompt_changed")
