"""Writes ``answer.json`` and ``job.json``, the files that DingTalk's card builder imports.

    python -m bots.dingtalk.templates.build

A file is ``{editorData, widgetInfo, type, mode}``. ``editorData`` is JSON as a string: the tree of components that the
builder edits, the variables, and values for its preview. ``widgetInfo`` is what the builder compiles from it when it
saves; we leave it empty. The shapes are those of the exports in ``open-dingtalk/dingtalk-card-examples``.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from itertools import count
from pathlib import Path
from typing import Any, TypeAlias

from app.chat.history import REASONS
from bots.dingtalk import cards
from bots.dingtalk.cards import ANSWER, JOB, REJECTIONS, CardTemplate

Node: TypeAlias = dict[str, Any]

FOLDER = Path(__file__).parent
FLOW = "flowStatus"  # of every card that streams; DingTalk sets it
PENDING, WRITING, FINISHED, FAILED = 1, 2, 3, 5
_KINDS = {"text": "string"}  # the builder's words, where they differ
_EDGES = ("marginLeft", "marginRight", "marginTop", "marginBottom")


def files() -> dict[str, str]:
    """File names and what is in them."""
    return {
        "answer.json": _file(ANSWER, _Tree().answer(), cards.answer_opening("zh"), states=True),
        "job.json": _file(JOB, _Tree().job(), cards.job_opening("zh", title="白底图", status="进行中"), states=False),
    }


def main() -> None:
    for name, text in files().items():
        (FOLDER / name).write_text(text, encoding="utf-8")


class _Tree:
    """Components; their ids count from one in a template."""

    def __init__(self) -> None:
        self._number = count(1)

    def answer(self) -> Node:
        """The same body in every state of the card, with what belongs to it."""
        states = [
            self._state(PENDING, [self._line("status"), self._stop()]),
            self._state(WRITING, [self._markdown("content", streams=True), self._stop()]),
            self._state(FINISHED, self._answered()),
            self._state(FAILED, self._answered()),
        ]
        status = {"type": "variableValue", "variableType": "global", "variable": FLOW}
        enabled = {"enablePending": True, "enableWriting": True, "enableFailed": True, "enableDoing": False}
        summary = {"type": "variableValue", "variableType": "global", "variable": ""}
        more = {"operationPenalType": "prompt", "enableTitle": False, "enableFlowAbort": False}
        props = {**_margins(0, 0), **enabled, "flowStatusVar": status, "summaryContent": summary, **more}
        return self._node("AICardContainer", props, states)

    def job(self) -> Node:
        reasons = [
            self._button(f"label_reason_{reason}", "reject_reason", {"reason": reason}, f"label_reason_{reason}")
            for reason in REJECTIONS
        ]
        body = [
            self._line("title", bold=True),
            self._line("status"),
            self._line("stage"),
            self._markdown("pictures"),
            self._markdown("text"),
            self._markdown("page"),
            self._line("review"),
            self._row("show_review", [self._act("approve", color="blue"), self._act("reject")]),
            *self._rows("show_reasons", reasons),
            self._row("show_regenerate", [self._act("regenerate")]),
            self._row("show_cancel", [self._act("cancel_job")]),
        ]
        return self._node("Card", {"hasCardHeader": False, "isLinkToCard": False, "enableClickEvent": False}, body)

    def _answered(self) -> list[Node]:
        reasons = [self._button(f"label_reason_{reason}", "reason", {"reason": reason}) for reason in REASONS]
        return [
            self._markdown("content"),
            self._markdown("sources"),
            self._line("notice"),
            self._row("show_feedback", [self._act("helpful"), self._act("not_helpful")]),
            self._line("rated"),
            self._line("label_reasons", shown="show_reasons"),
            *self._rows("show_reasons", reasons),
            self._row("show_regenerate", [self._act("regenerate")]),
            self._row("show_ask_person", [self._act("ask_person")]),
        ]

    def _stop(self) -> Node:
        return self._row("show_stop", [self._act("stop")])

    def _state(self, status: int, body: list[Node]) -> Node:
        content = self._node("AICardContent", {**_margins(0, 0), "visible": _always()}, body)
        fold = {"needFold": False, "heightLimit": 480, "foldStatusLocalDataKey": "_cardFoldStatusLocalDataKey"}
        props = {**_margins(0, 0), "status": status, "enableExtend": False, "autoFoldConfig": fold}
        return self._node("AICardStatusContainer", props, [content])

    def _line(self, variable: str, *, bold: bool = False, shown: str = "") -> Node:
        style = "common_body_text_style" if bold else "common_footnote_text_style"
        look = {"bold": bold, "styleType": "standard", "styleToken": style, "widthMode": "match_parent"}
        when = _when_true(shown) if shown else _when_filled(variable)
        return self._node(
            "BaseText",
            {"text": _string(f"${{{variable}}}"), "maxLine": _number(4), **look, **_margins(), "visible": when},
        )

    def _markdown(self, variable: str, *, streams: bool = False) -> Node:
        # without varType the client shows nothing
        content = {"type": "variableValue", "variableType": "global", "variable": variable, "varType": "markdown"}
        props = {
            "mdVer": 0,
            "content": content,
            "isStreaming": streams,
            **_margins(),
            "visible": _when_filled(variable),
        }
        return self._node("MarkdownBlock", props)

    def _rows(self, shown: str, buttons: list[Node]) -> Iterator[Node]:
        """At most three buttons side by side: more are cut off on a phone."""
        for start in range(0, len(buttons), 3):
            yield self._row(shown, buttons[start : start + 3])

    def _row(self, shown: str, buttons: list[Node]) -> Node:
        ids = [str(number) for number in range(1, len(buttons) + 1)]
        slots = [{"id": each, "type": "button"} for each in ids]
        fixed = {"buttonsSource": "fixed", "fixedButtonIds": ids, "fixedButtons": slots}
        layout = {"buttonSpacing": 8, "matchContent": False, "enableResponsiveLayout": False}
        return self._node("ButtonGroup", {**fixed, **layout, **_margins(), "visible": _when_true(shown)}, buttons)

    def _act(self, action: str, *, color: str = "gray") -> Node:
        return self._button(f"label_{action}", action, color=color)

    def _button(
        self, label: str, action: str, params: Mapping[str, str] | None = None, filled: str = "", color: str = "gray"
    ) -> Node:
        sent = {"action": action, **(params or {})}
        props = {
            "text": _string(f"${{{label}}}"),
            "status": _choice("normal"),
            "color": _choice(color),
            "enableIcon": False,
            "actionType": "request",
            "actionId": _string(action),
            "params": [_param(number, name, value) for number, (name, value) in enumerate(sent.items(), 1)],
            "disabledWhileForward": True,
            "successToast": _string(""),
            "failureToast": _string(""),
            "visible": _when_filled(filled) if filled else _always(),
        }
        return self._node("FixedSingleButton", props)

    def _node(self, kind: str, props: Node, children: list[Node] | None = None) -> Node:
        plain = {"hidden": False, "title": "", "isLocked": False, "condition": True, "conditionGroup": ""}
        node = {"componentName": kind, "id": f"node_{next(self._number)}", "props": props, **plain}
        return node if children is None else {**node, "children": children}


def _file(template: CardTemplate, root: Node, preview: Mapping[str, str], *, states: bool) -> str:
    editor: Node = {
        "schemaVersion": "3.0.0",
        "schema": {
            "version": "1.0.0",
            "componentsMap": [_component(kind) for kind in sorted(_kinds(root))],
            "componentsTree": [root],
            "i18n": {},
        },
        "mockData": {"cardData": dict(preview), "cardPrivateData": {}, "localData": {}, "richTextData": {}},
        "editVersion": 0,
        "customWidgetInfo": "",
        "useCustomWidgetInfo": False,
        "variableList": [_variable(name, kind) for name, kind in template.variables.items()],
        **{name: [] for name in ("formList", "expList", "localList", "hsfList", "lwpList")},
        "extension": {"extendType": "NORMAL", "fileTypeList": []},
    }
    if states:
        editor["variableList"].append({**_variable(FLOW, "text"), "disabled": True, "visible": False})
        editor["extension"] = {
            "extendType": "AI",
            "aiStatusList": [PENDING, WRITING, FINISHED, FAILED],
            "fileTypeList": [],
        }
    inner = json.dumps(editor, ensure_ascii=False, separators=(",", ":"))
    return json.dumps({"editorData": inner, "widgetInfo": "", "type": "im", "mode": "card"}, ensure_ascii=False) + "\n"


def _component(kind: str) -> Node:
    where = {"package": "@ali/dxComponent", "version": "1.0.0", "main": "./src/index.tsx"}
    return {**where, "exportName": kind, "componentName": kind, "destructuring": False, "subName": ""}


def _variable(name: str, kind: str) -> Node:
    said = {"description": "", "private": False, "editorVarType": "variables", "disabled": False}
    return {"id": name, "name": name, "type": _KINDS.get(kind, kind), **said}


def _kinds(node: Node) -> set[str]:
    return {node["componentName"]}.union(*(_kinds(child) for child in node.get("children", ())))


def _margins(side: int = 12, edge: int = 6) -> Node:
    return dict(zip(_EDGES, (side, side, edge, edge), strict=True))


def _string(content: str) -> Node:
    return {"type": "dynamicString", "content": content, "i18n": False}


def _choice(value: str) -> Node:
    return {"type": "dynamicSelect", "valueType": "fixed", "value": value, "variable": "", "variableType": "global"}


def _number(value: int) -> Node:
    return {"type": "dynamicNumber", "valueType": "fixed", "value": value, "variable": "", "variableType": "global"}


def _param(number: int, name: str, value: str) -> Node:
    return {"id": str(number), "name": name, "value": value, "type": "fixed", "variable": "", "variableType": "global"}


def _always() -> Node:
    return _visible()


def _when_true(variable: str) -> Node:
    return _visible((variable, "isTrue"))


def _when_filled(variable: str) -> Node:
    return _visible((variable, "isNotEmpty"))


def _visible(*tests: tuple[str, str]) -> Node:
    conditions: Sequence[Node] = [
        {
            "type": "variable",
            "variable": variable,
            "variableType": "global",
            "op": op,
            "value": "",
            "valueType": "fixed",
            "valueVariableType": "global",
        }
        for variable, op in tests
    ]
    kind = "condition" if conditions else "fixed"
    return {
        "type": "dynamicVisible",
        "value": True,
        "valueType": kind,
        "condition": {"op": "and", "conditions": conditions},
    }


if __name__ == "__main__":
    main()
