"""What cards show, and that the files for DingTalk's card builder agree with it."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest

from app.chat.history import REASONS
from bots.dingtalk import cards
from bots.dingtalk.cards import ANSWER, JOB, REJECTIONS, VALUE_BYTES, AnswerState, CardTemplate
from bots.dingtalk.templates import build
from knowledge.models import Passage, Place

CITED = [
    (1, Passage("c1", "d1", "退货规则.docx", "kb", "…", 0.9, Place(heading="售后 > 运费", page=3))),
    (3, Passage("c2", "d2", "价格 [2026].xlsx", "kb", "…", 0.8, Place(sheet="清单", row=12))),
]
MANY = [(n, Passage(f"c{n}", "d", f"很长的文件名称第{n}份" * 5, "kb", "…", 0.5)) for n in range(1, 40)]
LANGUAGES = ("zh", "en")


def _answers() -> Iterator[dict[str, str]]:
    for language in LANGUAGES:
        yield cards.answer_opening(language)
        yield cards.answer_opening(language, whole=True)
        for state in get_args(AnswerState):
            yield cards.answer_closing(language, state, CITED)
            yield cards.answer_closing(language, state, MANY, notice="长" * 2000)
        yield cards.answer_asking(language)
        yield cards.answer_rated(language, "up")
        for reason in (*REASONS, None):
            yield cards.answer_rated(language, "down", reason)
        yield cards.answer_handed_over(language, 12, announced=True)
        yield cards.answer_handed_over(language, 12, announced=False)


def _jobs() -> Iterator[dict[str, str]]:
    for language in LANGUAGES:
        yield cards.job_opening(language, title="白底图", status="进行中")
        yield cards.job_opening(language, title="标题" * 900, status="", waiting=True)
        yield cards.job_progress(language, 40, "cutting")
        yield cards.job_progress(language, 140, "unheard_of")
        for state in ("succeeded", "failed", "cancelled"):
            yield cards.job_ended(language, state, title="白底图", status="已完成", pictures=["@lAD" + "x" * 60] * 40)
            yield cards.job_ended(
                language, state, title="标题", status="", text="```\n" + "卖点 " * 900, page="https://a/1"
            )
        yield cards.job_asking(language)
        yield cards.job_reviewed("已通过 · 王芳")
        yield cards.job_redone("已重新生成")


@pytest.mark.parametrize(("template", "shown"), [(ANSWER, _answers), (JOB, _jobs)])
def test_every_value_is_a_short_string_of_a_variable_of_the_template(template: CardTemplate, shown: Any) -> None:
    for values in shown():
        assert set(values) <= set(template.variables)
        for name, value in values.items():
            assert isinstance(value, str)
            assert len(value.encode()) <= VALUE_BYTES, name
            if template.variables[name] == "boolean":
                assert value in ("true", "false")
            if template.variables[name] == "number":
                assert 0 <= int(value) <= 100


def test_opening_gives_every_value_but_the_streamed_one() -> None:
    assert set(cards.answer_opening("zh")) == set(ANSWER.variables) - {ANSWER.streaming_key}
    assert set(cards.job_opening("zh", title="", status="")) == set(JOB.variables)


def test_nothing_but_frames_changes_the_streamed_text() -> None:
    assert all("content" not in values for values in _answers())


def test_an_answer_can_be_stopped_while_it_is_written_and_rated_afterwards() -> None:
    opened = cards.answer_opening("zh")
    assert (opened["show_stop"], opened["show_feedback"], opened["status"]) == ("true", "false", "正在查资料…")
    closed = cards.answer_closing("zh", "done", CITED)
    assert (closed["show_stop"], closed["show_feedback"], closed["status"]) == ("false", "true", "")
    assert closed["notice"] == ""


def test_a_card_that_is_not_changed_afterwards_has_its_buttons_from_the_beginning() -> None:
    whole = cards.answer_opening("zh", whole=True)
    assert [whole[name] for name in ("show_stop", "show_feedback", "show_regenerate", "show_ask_person")] == [
        "false", "true", "true", "true",
    ]  # fmt: skip


def test_a_refusal_offers_a_person_and_not_the_same_again() -> None:
    refused = cards.answer_closing("zh", "refused", [])
    assert refused["show_ask_person"] == "true"
    assert refused["show_regenerate"] == "false"
    assert "问人工" in refused["notice"]
    assert refused["sources"] == ""


def test_what_failed_or_was_stopped_can_be_asked_again_and_is_not_rated() -> None:
    for state in ("failed", "stopped"):
        closed = cards.answer_closing("en", state, [])
        assert (closed["show_regenerate"], closed["show_feedback"]) == ("true", "false")


def test_sources_are_numbered_as_in_the_answer_and_say_where() -> None:
    assert cards.sources_markdown(CITED, "zh") == (
        "**参考资料**\n\n- [1] 退货规则.docx · 运费 · 第 3 页\n- [3] 价格 ［2026］.xlsx · 清单 · 第 12 行"
    )
    assert cards.sources_markdown([], "zh") == ""


def test_more_sources_than_fit_are_counted() -> None:
    shown = cards.sources_markdown(MANY, "zh").splitlines()
    assert shown[-1] == f"- 还有 {len(MANY) - (len(shown) - 3)} 份"


def test_not_helpful_asks_why_and_a_reason_thanks() -> None:
    asked = cards.answer_asking("zh")
    assert (asked["show_reasons"], asked["show_feedback"]) == ("true", "false")
    rated = cards.answer_rated("zh", "down", "outdated")
    assert "信息过时" in rated["rated"]
    assert rated["show_reasons"] == "false"


def test_progress_is_a_bar_and_says_nothing_of_the_state() -> None:
    assert cards.job_progress("zh", 40, "cutting") == {"percent": "40", "stage": "▰▰▰▰▱▱▱▱▱▱ 40% 抠图"}


def test_a_finished_job_is_reviewed_and_an_unfinished_one_is_not() -> None:
    done = cards.job_ended("zh", "succeeded", title="白底图", status="已完成", pictures=["@lADx"])
    assert (done["show_review"], done["show_cancel"], done["pictures"]) == ("true", "false", "![](@lADx)")
    failed = cards.job_ended("zh", "failed", title="白底图", status="失败", text="图片太小。")
    assert (failed["show_review"], failed["show_regenerate"], failed["text"]) == ("false", "true", "图片太小。")


def test_pictures_are_shown_whole_or_not_at_all() -> None:
    shown = cards.job_ended("zh", "succeeded", title="", status="", pictures=["@" + "x" * 300] * 5)["pictures"]
    assert shown.count("![](@" + "x" * 300 + ")") == 3


def test_a_text_is_not_rejected_for_its_background() -> None:
    text = cards.job_ended("zh", "succeeded", title="标题", status="", text="1. 保温杯")
    assert text["label_reason_background"] == ""
    assert text["label_reason_unlike"] == "与商品不符"
    assert cards.rejection("flaws", "zh") == "有瑕疵"
    assert cards.rejection("flaws", "zh", textual=True) == "表达不好"
    assert cards.rejection("something new", "en") == "something new"


# The files


def _editor(name: str) -> dict[str, Any]:
    file = json.loads((Path(build.__file__).parent / f"{name}.json").read_text(encoding="utf-8"))
    assert set(file) == {"editorData", "widgetInfo", "type", "mode"}
    assert (file["type"], file["mode"]) == ("im", "card")
    editor: dict[str, Any] = json.loads(file["editorData"])
    return editor


def _nodes(node: Any) -> Iterator[dict[str, Any]]:
    if isinstance(node, dict) and "componentName" in node:
        yield node
        for child in node.get("children", ()):
            yield from _nodes(child)


def _tree(name: str) -> list[dict[str, Any]]:
    return list(_nodes(_editor(name)["schema"]["componentsTree"][0]))


both = pytest.mark.parametrize("template", [ANSWER, JOB], ids=["answer", "job"])


@both
def test_a_file_has_the_variables_of_its_template(template: CardTemplate) -> None:
    words = {"text": "string"}
    listed = {each["id"]: each["type"] for each in _editor(template.name)["variableList"]}
    listed.pop("flowStatus", None)
    assert listed == {name: words.get(kind, kind) for name, kind in template.variables.items()}


@both
def test_a_file_has_the_actions_of_its_template(template: CardTemplate) -> None:
    found: dict[str, set[str]] = {}
    sent: dict[str, set[str]] = {}
    for node in _tree(template.name):
        if node["componentName"] == "FixedSingleButton":
            action = node["props"]["actionId"]["content"]
            params = {each["name"]: each["value"] for each in node["props"]["params"]}
            assert params.pop("action") == action
            found.setdefault(action, set()).update(params)
            sent.setdefault(action, set()).update(params.values())
    assert {action: tuple(params) for action, params in found.items()} == dict(template.actions)
    assert sent["reason" if template is ANSWER else "reject_reason"] == set(
        REASONS if template is ANSWER else REJECTIONS
    )


@both
def test_a_file_shows_every_variable_and_no_other(template: CardTemplate) -> None:
    tree = json.dumps([node["props"] for node in _tree(template.name)], ensure_ascii=False)
    used = {name for name in template.variables if f'"{name}"' in tree or f"${{{name}}}" in tree}
    assert set(template.variables) - used <= {"percent"}  # stage says it; for cards with a bar of their own
    named = {
        each["variable"]
        for node in _tree(template.name)
        for each in node["props"].get("visible", {}).get("condition", {}).get("conditions", ())
    }
    assert named <= set(template.variables)


@both
def test_a_file_names_its_components_once_each_and_has_no_id_twice(template: CardTemplate) -> None:
    nodes = _tree(template.name)
    components = [each["componentName"] for each in _editor(template.name)["schema"]["componentsMap"]]
    assert sorted(components) == sorted({node["componentName"] for node in nodes})
    assert len({node["id"] for node in nodes}) == len(nodes)


def test_only_the_answer_streams_and_only_while_it_is_written() -> None:
    streams = [node for name in ("answer", "job") for node in _tree(name) if node["props"].get("isStreaming")]
    assert [node["props"]["content"]["variable"] for node in streams] == [ANSWER.streaming_key]
    assert _editor("answer")["extension"]["extendType"] == "AI"
    assert _editor("job")["extension"]["extendType"] == "NORMAL"


def test_the_files_are_what_is_built() -> None:
    for name, text in build.files().items():
        assert (Path(build.__file__).parent / name).read_text(encoding="utf-8") == text
