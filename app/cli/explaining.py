"""Why something was not found, in lines for a terminal."""

from collections.abc import Mapping, Sequence
from typing import Any

VERDICTS: Mapping[str, str] = {
    "found": "Found, as number {rank}.",
    "cut": "Found, as number {rank}: below the {limit} that were asked for.",
    "reranked": "Found as number {fused_rank}; the reranker put it down to {rank}, below the {limit} asked for.",
    "evidence": "Found as number {rank}, but an answer is made from the first {passages} only.",
    "judge": "Found as number {rank}, but what was found does not answer (score {confidence:.2f}, 0.50 is needed).",
    "far": "Not found: neither stage of retrieval has it among its candidates.",
    "not_here": "It is not in this knowledge base.",
    "elsewhere": "It is in another knowledge base: {elsewhere}.",
    "waiting": "Its document is still being taken in.",
    "failed": "Its document could not be taken in: {reason}.",
    "deleted": "Its document was deleted.",
    "scheduled": "Its document is not valid yet.",
    "expired": "Its document is not valid any more.",
    "disabled": "It was disabled: people took it out of what is found.",
    "no_text": "Its document has no text of its own.",
}
HINTS: Mapping[str, str] = {
    "upload": "upload a document that says it",
    "other_base": "ask that knowledge base, too, or put the document into this one",
    "wait": "wait until it is published, or look at the parse queue",
    "retry": "see what is wrong with the file, and process it again",
    "window": "change when the document is valid",
    "enable": "enable the chunk on its document's page",
    "synonym": "add a synonym for the words that it lacks",
    "heading": "give the section a heading that says what it is about",
    "curated": "write a curated answer to this question",
}


def explained(told: Mapping[str, Any]) -> list[str]:
    """The verdict first, then what it rests on, then what would help."""
    values = {**told["expected"], **{name: told[name] for name in told if name != "expected"}}
    lines = [VERDICTS[told["verdict"]].format(**values)]
    lines += [_meant(told["expected"])] if told["expected"]["document"] else []
    lines += [line for stage in ("dense", "lexical") if told[stage] for line in _stage(stage, told[stage])]
    lines += _words(told["words"]) if told["words"] else []
    return lines + [f"  → {HINTS[hint]}" for hint in told["hints"]]


def _meant(expected: Mapping[str, Any]) -> str:
    share = f" ({expected['share']:.0%} of the text)" if expected["share"] is not None else ""
    older = "; a newer version of it is not published yet" if expected["older_version"] else ""
    return f"  {expected['document']}{share}{older}"


def _stage(name: str, stage: Mapping[str, Any]) -> list[str]:
    rank = f"#{stage['rank']}" if stage["rank"] else f"not among the first {stage['looked']}"
    score = "" if stage["score"] is None else f" {stage['score']:.3f}"
    best = "" if stage["best"] is None else f"; the first has {stage['best']:.3f}"
    least = "" if stage["least"] is None else f", the last candidate {stage['least']:.3f}"
    return [f"  {name}: {rank}{score}{best}{least}"]


def _words(words: Mapping[str, Sequence[str]]) -> list[str]:
    names = {"has": "has", "synonyms": "has by synonym", "lacks": "lacks"}
    return [f"  {names[kind]}: {' '.join(some)}" for kind, some in words.items() if some]
