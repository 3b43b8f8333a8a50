"""How a model's id is made: it is part of a collection's name, and no two kinds of vectors may share one."""

import hashlib
import re

SLUG = 60  # characters of a name; the column for model ids has 120


def slug(name: str) -> str:
    """A name in the letters that a collection's name may have."""
    return re.sub(r"[^a-z0-9.-]+", "-", name.lower()).strip("-.")[:SLUG].rstrip("-.") or "model"


def variant(query_prompt: str | None, passage_prompt: str | None, dimensions: int | None) -> str:
    """What makes other vectors of the same weights, as the end of a model id."""
    prompts = (query_prompt, passage_prompt)
    digest = hashlib.sha256(repr(prompts).encode()).hexdigest()[:6]
    return (f"-{dimensions}" if dimensions else "") + ("" if prompts == (None, None) else f"-p{digest}")
