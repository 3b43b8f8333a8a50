"""[1] in an answer → passage 1 of the evidence; what points nowhere is taken out."""

import re

# [1], [1,2], [1][2], 【1】: models write them all; tables and links ([text](url)) are not citations
_MARK = re.compile(r"\s?[\[【]\s*(\d{1,2}(?:\s*[,，、]\s*\d{1,2})*)\s*[\]】](?!\()")


def check(answer: str, passages: int) -> tuple[str, tuple[int, ...]]:
    """→ (the answer with marks of the form [n] that all point at one of the passages, the cited numbers in order)."""
    cited: list[int] = []

    def keep(match: re.Match[str]) -> str:
        numbers = [int(number) for number in re.findall(r"\d+", match[1])]
        valid = [number for number in numbers if 1 <= number <= passages]
        cited.extend(valid)
        lead = " " if match[0].startswith(" ") and valid else ""
        return lead + "".join(f"[{number}]" for number in valid)

    return _MARK.sub(keep, answer), tuple(dict.fromkeys(cited))


def pointless(answer: str, passages: int) -> tuple[int, ...]:
    """The numbers that :func:`check` takes out, in order."""
    numbers = (int(number) for match in _MARK.finditer(answer) for number in re.findall(r"\d+", match[1]))
    return tuple(dict.fromkeys(number for number in numbers if not 1 <= number <= passages))
