"""What EML and MSG share: a message becomes its subject, who wrote when to whom, its body, its attachments."""

import re
from dataclasses import dataclass, field

from ingest.blocks import Block, Heading, Text
from ingest.clean import clean_line
from ingest.loaders.html_page import draft_of_html
from ingest.loaders.plain import plain_blocks
from ingest.loaders.source import Attachment, Draft, encrypted

_PGP = re.compile(r"\s*-----BEGIN PGP MESSAGE-----")
# Less text than this share of the HTML's and the plain body is a stand-in ("please view this message in …").
_PLAIN_SHARE = 0.5


@dataclass(slots=True)
class Message:
    """A message as read from its container; ``date`` is written as a person reads it."""

    subject: str = ""
    sender: str = ""
    to: str = ""
    date: str = ""
    plain: str = ""
    html: str = ""
    attachments: list[Attachment] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def draft(self) -> Draft:
        """Raises DocumentRefused ``encrypted`` for a body that PGP encrypted. A subject alone is no document."""
        if _PGP.match(self.plain):
            raise encrypted("e-mail")
        body = self._body()
        draft = Draft(title=clean_line(self.subject) or None, notes=self.notes, attachments=self.attachments)
        if not any(block.text.strip() if isinstance(block, Heading | Text) else True for block in body):
            return draft
        head = (("Date", self.date), ("From", self.sender), ("To", self.to))
        lines = [f"{name}: {clean_line(value)}" for name, value in head if value.strip()]
        if self.subject.strip():
            draft.blocks.append(Heading(1, self.subject))
        draft.blocks += [Text("\n".join(lines)), *body]
        return draft

    def _body(self) -> list[Block]:
        plain = plain_blocks(self.plain) if self.plain.strip() else []
        if not self.html.strip():
            return plain
        page = draft_of_html(self.html)
        return plain if plain and _size(plain) >= _PLAIN_SHARE * _size(page.blocks) else page.blocks


def _size(blocks: list[Block]) -> int:
    return sum(len(block.text) if isinstance(block, Heading | Text) else len(str(block)) for block in blocks)
