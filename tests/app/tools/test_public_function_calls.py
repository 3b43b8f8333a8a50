"""Public Chinese function-calling items (ACEBench, MIT) through the tool layer, played by a scripted model.

The model's part is scripted from the gold answers, so this measures our layer, not a model: right arguments pass, what
is missing is asked for by name, what breaks its schema is flagged, tools that do not exist are refused.
"""

import json
from collections.abc import AsyncGenerator, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from app.chat import prompts
from app.chat.working import Effort, Worker, work
from app.jobs.models import Job
from app.llm.ports import Delta, TextDelta, ToolCall, ToolSpec
from app.llm.scripted import ScriptedModel
from app.tools.arguments import check
from app.tools.commands import Commands
from app.tools.registry import Caller, Did, Registry, ToolOutcome

SETS = (
    "normal_single_turn_parallel_function",
    "normal_single_turn_single_function",
    "normal_similar_api",
    "normal_atom_bool",
    "normal_atom_number",
    "normal_atom_object_deep",
)


def parameters(function: Mapping[str, Any]) -> Mapping[str, Any]:
    schema: Mapping[str, Any] = function.get("parameters") or function["arguments"]
    return schema


class Recorder:
    """A tool from somebody's catalogue: remembers what it was called with."""

    def __init__(self, function: Mapping[str, Any]) -> None:
        self.spec = ToolSpec(function["name"], function.get("description", ""), parameters(function))
        self.calls: list[Mapping[str, Any]] = []

    async def call(self, arguments: Mapping[str, Any], caller: Caller) -> ToolOutcome:
        self.calls.append(arguments)
        return Did({"ok": True}, "好了。")


def items(folder: Path, name: str) -> Iterator[tuple[dict[str, Any], Any]]:
    path = folder / "acebench_zh" / f"data_{name}.json"
    if not path.exists():
        return
    answers = path.parent / "possible_answer" / path.name
    gold = {row["id"]: row["ground_truth"] for row in map(json.loads, answers.read_text("utf-8").splitlines())}
    for line in path.read_text("utf-8").splitlines():
        row = json.loads(line)
        if row["id"] in gold:
            answer = gold[row["id"]]
            yield row, answer[0] if isinstance(answer, list) else answer  # of several right answers the first


async def play(item: dict[str, Any], calls: list[ToolCall]) -> tuple[list[Recorder], str, ScriptedModel]:
    """The calls as a model's first message, then a closing word; → the tools, what was said, the model."""
    tools = [Recorder(function) for function in item["function"]]
    registry = Registry.of(tools)
    worker = Worker(registry, Commands(registry), prompts.load("work"))
    model = ScriptedModel(calls, ["完成。"])
    effort = Effort(item["question"], Caller("t", None, "c", "api", "zh"))
    stream: AsyncGenerator[Delta | Job, None] = work(worker, model, effort, temperature=0, max_tokens=100)
    said = [delta.text async for delta in stream if isinstance(delta, TextDelta)]
    return tools, "".join(said), model


def called(name: str, arguments: Any) -> ToolCall:
    return ToolCall("c", name, json.dumps(arguments, ensure_ascii=False))


def known_name(item: dict[str, Any], named: str) -> str:
    """Gold answers number calls of the same function: route_1, route_2."""
    names = [function["name"] for function in item["function"]]
    return named if named in names else named.rpartition("_")[0]


def schema_of(item: dict[str, Any], name: str) -> Mapping[str, Any]:
    return next(parameters(function) for function in item["function"] if function["name"] == name)


def example(schema: Mapping[str, Any], without: set[str] = frozenset()) -> Any:  # type: ignore[assignment]
    """A value that fits a schema; properties named in ``without`` are left out at any depth."""
    if "enum" in schema:
        return schema["enum"][0]
    match schema.get("type"):
        case "object" | "dict":
            inner = schema.get("properties", {})
            return {name: example(inner[name], without) for name in inner if name not in without}
        case "array" | "list" | "tuple":
            return [example(schema.get("items", {"type": "string"}), without)]
        case "number" | "float" | "integer" | "int":
            return max(schema.get("minimum", 1), 1)
        case "boolean":
            return True
        case _:
            return {"date-time": "2026-01-01T00:00:00Z", "date": "2026-01-01"}.get(schema.get("format", ""), "甲")


@pytest.mark.parametrize("name", SETS)
async def test_right_calls_reach_their_tools_with_the_gold_arguments(shared_data: Path, name: str) -> None:
    played = good = 0
    for item, gold in items(shared_data, name):
        wanted = [(known_name(item, named), arguments) for named, arguments in gold.items()]
        tools, said, _ = await play(item, [called(*call) for call in wanted])
        reached = [(tool.spec.name, call) for tool in tools for call in tool.calls]
        played += 1
        good += sorted(map(repr, reached)) == sorted(map(repr, wanted)) and said == "完成。"
    if not played:
        pytest.skip(f"{name} is not among the public data here")
    print(f"{name}: {good} of {played}")
    assert good >= 0.9 * played  # the rest break their own schema: see the next test for what is then said


async def test_gold_arguments_that_break_their_own_schema_are_named(shared_data: Path) -> None:
    """Every item of the sets above that does not pass has a reason in it: a question or a refusal, never silence."""
    for name in SETS:
        for item, gold in items(shared_data, name):
            calls = [called(known_name(item, named), arguments) for named, arguments in gold.items()]
            tools, said, model = await play(item, calls)
            if sum(len(tool.calls) for tool in tools) != len(calls):
                told = [
                    message.content for call in model.calls[1:] for message in call.messages if message.role == "tool"
                ]
                assert "请补充" in said or "需要您补充" in said or any('"error"' in text for text in told), item["id"]


async def test_missing_arguments_are_asked_for_by_name_and_nothing_is_called(shared_data: Path) -> None:
    """Where the schema requires what the gold says is missing; where it does not, only a model can know."""
    required = 0
    for item, gold in items(shared_data, "special_incomplete"):
        ((name, missing),) = gold.items()
        schema = schema_of(item, name)
        arguments = example(schema, set(missing))
        absent = [path for path in check(schema, json.dumps(arguments)).missing if path.split(".")[-1] in missing]
        if not absent:
            continue
        required += 1
        tools, said, model = await play(item, [called(name, arguments)])
        assert not any(tool.calls for tool in tools), item["id"]
        assert len(model.calls) == 1, "a question to the person ends the turn"
        assert said.startswith("还需要您补充"), item["id"]
    print(f"special_incomplete: all asked of {required} whose schema requires it (50 in all)")
    assert required >= 35


async def test_arguments_that_break_their_schema_are_flagged(shared_data: Path) -> None:
    """The gold names the value that is wrong; many schemas say so only in words, which no validation can see."""
    played = flagged = 0
    for item, gold in items(shared_data, "special_error_param"):
        wrong = {name: values[0] for name, values in gold.items()}
        for function in item["function"]:
            if not set(wrong) & set(parameters(function).get("properties", {})):
                continue
            arguments = {**example(parameters(function)), **wrong}
            _, _, model = await play(item, [called(function["name"], arguments)])
            played += 1
            told = [message.content for message in model.calls[-1].messages if message.role == "tool"]
            flagged += any("tool_arguments_invalid" in text for text in told)
            break
    print(f"special_error_param: flagged {flagged} of {played}")
    assert flagged >= 0.9 * played


async def test_tools_that_do_not_exist_are_refused(shared_data: Path) -> None:
    count = 0
    for item, _ in items(shared_data, "special_irrelevant"):
        tools, said, model = await play(item, [called("send_email", {"to": "a@b.c"})])
        assert not any(tool.calls for tool in tools)
        assert said == "完成。"
        assert "tool_unknown" in model.calls[1].messages[-1].content
        count += 1
    assert count == 50
