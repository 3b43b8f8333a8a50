"""What of a passage can be quoted: its sentences, lists with the line that announces them, short answers of an FAQ.

Headings inside the text, the question of an FAQ and the fences of code are no answers; the first two are context for
what follows.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from knowledge.models import Passage
from knowledge.sentences import split

_FAQ = re.compile(r"(?:问：|Q: )(.*)\n(?:答：|A: )([\s\S]*)")
_ROW = re.compile(r"[^:：。\n]{1,60}: [^\n]*；[^\n]*")
_LIST_ITEM = re.compile(r"\s*(?:[-*•·●]|\d{1,2}[.)、]|[（(]\d{1,2}[)）]|[①-⑳])")
_SENTENCE_END = re.compile(r"[。！？!?；;…：:.]['”’」』）)\]]*$")
_FENCE = re.compile(r"\s*(?:```|~~~)")
_LONGEST_LABEL = 20
_LONGEST_LIST = 300
_LONGEST_ANSWER = 200


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
    context, text = passage.place.heading, passage.text
    if faq := _FAQ.fullmatch(text):
        context, text = f"{context} {faq[1]}", faq[2].strip()
        if 0 < len(text) <= _LONGEST_ANSWER:
            return [Quotable(number, 0, text, context)]
    found: list[Quotable] = []
    labels: list[str] = []
    for line in _lines(text):
        if found and _goes_on(found[-1].text, line):
            found[-1] = replace(found[-1], text=f"{found[-1].text}\n{line.strip()}")
        elif _is_label(line):
            labels.append(line)
        else:
            around = " ".join([context, *labels[-1:]])
            found += [Quotable(number, len(found) + i, sentence, around) for i, sentence in enumerate(split(line))]
    return found or [Quotable(number, i, label.strip(), context) for i, label in enumerate(labels)]


def stands_alone(text: str) -> bool:
    """Whether a chunk is a question with its answer, or rows of a table with the names of their columns."""
    return _FAQ.match(text) is not None or _ROW.fullmatch(text.rpartition("\n")[2]) is not None


def whole(passage: Passage) -> str:
    """Everything a passage says, its document's name and headings included."""
    return f"{passage.document}\n{passage.place.heading}\n{passage.text}"


def _lines(text: str) -> Iterator[str]:
    return (line for line in text.splitlines() if line.strip() and not _FENCE.match(line))


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
