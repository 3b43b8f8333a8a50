"""What a copy job leaves behind: the result for people and programs, and the file to download, both labelled as made
by AI."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from app.copywriting.briefs import Brief
from app.copywriting.drafts import Draft
from app.jobs.ports import NewArtifact

VISIBLE = {"zh": "（本内容由人工智能生成）", "en": "(AI-generated content)"}


@dataclass(frozen=True, slots=True)
class Label:
    """The implicit label that the Chinese measures for labelling AI-generated content of 2025 ask for: that it is
    generated, by whom, with which model, under which number. ``visible`` adds a sentence to the file."""

    producer: str
    model: str
    job: str
    visible: bool = False

    def json(self) -> dict[str, Any]:
        return {"aigc": True, "producer": self.producer, "model": self.model, "job": self.job}


def result_json(
    kind: str,
    brief: Brief,
    draft: Draft,
    label: Label,
    *,
    repaired: bool,
    prompt_version: str,
    usage: Mapping[str, Any],
) -> dict[str, Any]:
    """``needs_review`` when anything is flagged; nothing is removed silently."""
    return {
        "kind": kind,
        "language": brief.language,
        "variants": [variant.json() for variant in draft.variants],
        **draft.more,
        "facts": {one.id: one.line for one in brief.statements},
        **brief.more,
        "flags": [one.json() for one in draft.flags],
        "needs_review": bool(draft.all_flags),
        "repaired": repaired,
        "model": label.model,
        "prompt_version": prompt_version,
        "usage": dict(usage),
        "label": label.json(),
    }


def artifact(kind: str, brief: Brief, draft: Draft, label: Label) -> NewArtifact:
    """Attributes as JSON, everything else as Markdown with the label as front matter."""
    about = {"kind": kind, "language": brief.language, "label": label.json()}
    if "attributes" in draft.more:
        data = json.dumps({**draft.more, "label": label.json()}, ensure_ascii=False, indent=2)
        return NewArtifact(data.encode(), "application/json", f"{kind}.json", about)
    text = _markdown(draft.texts(), label, brief.language)
    return NewArtifact(text.encode(), "text/markdown; charset=utf-8", f"{kind}.md", about)


def _markdown(texts: Sequence[str], label: Label, language: str) -> str:
    front = "\n".join(f"{name}: {json.dumps(value, ensure_ascii=False)}" for name, value in label.json().items())
    body = texts[0] if len(texts) == 1 else "\n".join(f"{number}. {text}" for number, text in enumerate(texts, 1))
    visible = f"\n\n{VISIBLE['zh' if language.startswith('zh') else 'en']}" if label.visible else ""
    return f"---\n{front}\n---\n\n{body}{visible}\n"
