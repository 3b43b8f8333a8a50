"""What of a passage can be quoted: its sentences, and lists together with the line that announces them.

Headings inside the text, the question of an FAQ and the fences of code are no answers; they are context for what
follows.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from knowledge.models import Passage
from knowledge.sentences import split

_QUESTION_LINE = re.compile(r"(?:问：|Q: )(.*)")
_ANSWER_LEAD = re.compile(r"^(?:答：|A: )")
_LIST_ITEM = re.compile(r"\s*(?:[-*•·●]|\d{1,2}[.)、]|[（(]\d{1,2}[)）]|[①-⑳])")
_SENTENCE_END = re.compile(r"[。！？!?；;…：:.]['”’」』）)\]]*$")
_FENCE = re.compile(r"\s*(?:```|~~~)")
_LONGEST_LABEL = 20
_LONGEST_LIST = 300


@dataclass(frozen=True, slots=True)
class Quotable:
    """``text`` stands word for word in passage number ``passage`` (from 0), at ``position`` among its quotables.

    ``context`` is what else says what it is about: headings, and an FAQ's question.
    """

    passage: int
    position: int
    text: str
    context: str


def quotable(number: int, passage: Passage) -> list[Quotable]:
    """In reading order. Where there is nothing but short lines, those are quotable too."""
    context = passage.place.heading
    found: list[Quotable] = []
    labels: list[str] = []
    for line in _lines(passage.text):
        if asked := _QUESTION_LINE.fullmatch(line):
            context += " " + asked[1]
        elif found and _goes_on(found[-1].text, line):
            found[-1] = replace(found[-1], text=f"{found[-1].text}\n{line.strip()}")
        elif _is_label(line):
            labels.append(line)
        else:
            around = " ".join([context, *labels[-1:]])
            found += [Quotable(number, len(found) + i, text, around) for i, text in enumerate(split(line))]
    return found or [Quotable(number, i, label.strip(), context) for i, label in enumerate(labels)]


def whole(passage: Passage) -> str:
    """Everything a passage says, its document's name and headings included."""
    return f"{passage.document}\n{passage.place.heading}\n{passage.text}"


def _lines(text: str) -> Iterator[str]:
    for line in text.splitlines():
        if line.strip() and not _FENCE.match(line):
            yield _ANSWER_LEAD.sub("", line)


def _goes_on(before: str, line: str) -> bool:
    """Whether the line is an item of the list that ``before`` announced with a colon."""
    return (
        _LIST_ITEM.match(line) is not None
        and before.split("\n", 1)[0].rstrip().endswith((":", "："))
        and len(before) + len(line) <= _LONGEST_LIST
    )


def _is_label(line: str) -> bool:
    """A heading inside the text: short, no mark at its end, no list item, and no figure that could be the answer."""
    line = line.strip()
    return (
        len(line) <= _LONGEST_LABEL
        and _SENTENCE_END.search(line) is None
        and _LIST_ITEM.match(line) is None
        and not any(character.isdigit() or character in ":：" for character in line)
    )
