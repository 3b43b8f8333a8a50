"""What a card template shows: read from the file that DingTalk's card builder imports, and nothing else.

A file is ``{editorData, …}``; ``editorData`` is JSON as a string with the tree of components. Of it the page needs the
texts, Markdown blocks and rows of buttons in order, each with the conditions under which it is shown. An AI card has a
body for each of its states (1 processing, 2 writing, 3 finished, 5 failed), any other card has one for all.
"""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, TypeAlias

from bots.sandbox.wire import Json

Node: TypeAlias = Mapping[str, Any]

_STATES: Mapping[int, str] = {1: "PROCESSING", 2: "INPUTING", 3: "FINISHED", 5: "FAILED"}
_WRAPPERS = {"Card", "AICardContainer", "AICardContent"}


def layout(file: Path) -> Json:
    """``{STATE: [part]}``, or ``{"*": [part]}`` for a card without states.

    A part is ``{kind: text, text, bold, small, when}``, ``{kind: markdown, variable, streams, when}``,
    ``{kind: buttons, buttons: [{label, action, params, color, when}], when}`` or ``{kind: unknown, name}``; ``when`` is
    a list of ``{variable, op}`` that must all hold, ``op`` is isTrue or isNotEmpty.
    """
    editor = json.loads(json.loads(file.read_text(encoding="utf-8"))["editorData"])
    root: Node = editor["schema"]["componentsTree"][0]
    states = [node for node in _children(root) if node["componentName"] == "AICardStatusContainer"]
    if not states:
        return {"*": list(_parts(root))}
    return {
        _STATES[node["props"]["status"]]: list(_inside(node)) for node in states if node["props"]["status"] in _STATES
    }


def _parts(node: Node) -> Iterator[Json]:
    props = node["props"]
    match node["componentName"]:
        case name if name in _WRAPPERS:
            yield from _inside(node)
        case "BaseText":
            small = "footnote" in props.get("styleToken", "")
            shown = {"text": props["text"]["content"], "bold": bool(props.get("bold")), "small": small}
            yield {"kind": "text", **shown, "when": _when(props)}
        case "MarkdownBlock":
            streams = bool(props.get("isStreaming"))
            yield {
                "kind": "markdown",
                "variable": props["content"]["variable"],
                "streams": streams,
                "when": _when(props),
            }
        case "ButtonGroup":
            yield {"kind": "buttons", "buttons": [_button(each) for each in _children(node)], "when": _when(props)}
        case other:
            yield {"kind": "unknown", "name": other, "when": []}


def _inside(node: Node) -> Iterator[Json]:
    for child in _children(node):
        yield from _parts(child)


def _children(node: Node) -> list[Node]:
    return list(node.get("children", ()))


def _button(node: Node) -> Json:
    props = node["props"]
    return {
        "label": props["text"]["content"],
        "action": props["actionId"]["content"],
        "params": {each["name"]: each["value"] for each in props["params"]},
        "color": props["color"]["value"],
        "when": _when(props),
    }


def _when(props: Node) -> list[Json]:
    conditions = props.get("visible", {}).get("condition", {}).get("conditions", ())
    return [{"variable": each["variable"], "op": each["op"]} for each in conditions]
