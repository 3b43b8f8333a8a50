"""The protocol's bytes in every shape that endpoints give them."""

from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.llm.ports import Delta, Finished, ReasoningDelta, TextDelta, Usage
from app.llm.wire import BrokenStream, ChatStreamReader, ErrorInStream, as_event

DONE = b"data: [DONE]\n\n"


def event(**fields: Any) -> bytes:
    return b"data: " + orjson.dumps(fields) + b"\n\n"


def chunk(finish: str | None = None, **delta: str) -> bytes:
    return event(choices=[{"index": 0, "delta": delta, "finish_reason": finish}])


def read(pieces: Iterable[bytes]) -> list[Delta]:
    reader = ChatStreamReader()
    deltas = [delta for piece in pieces for delta in reader.feed(piece)]
    return deltas + reader.close()


def text(deltas: Sequence[Delta]) -> str:
    return "".join(delta.text for delta in deltas if isinstance(delta, TextDelta))


def reasoning(deltas: Sequence[Delta]) -> str:
    return "".join(delta.text for delta in deltas if isinstance(delta, ReasoningDelta))


STREAM = b"".join(
    [
        b": processing\n\n",
        chunk(role="assistant", content=""),
        chunk(content="<thi"),
        chunk(content="nk>想一想 👍\n</thi"),
        chunk(content="nk>\n\n七天"),
        b": still here\r\n\r\n",
        chunk(content="内可以退货 [1]。"),
        chunk(finish="stop"),
        event(choices=[], usage={"prompt_tokens": 9, "completion_tokens": 7}),
        DONE,
    ]
)


@given(cuts=st.lists(st.integers(0, len(STREAM)), max_size=40))
def test_where_the_bytes_are_cut_changes_nothing(cuts: list[int]) -> None:
    edges = [0, *sorted(cuts), len(STREAM)]
    deltas = read(STREAM[start:end] for start, end in pairwise(edges))

    assert text(deltas) == "七天内可以退货 [1]。"
    assert reasoning(deltas) == "想一想 👍"
    assert deltas[-2:] == [Usage(9, 7), Finished("stop")]


def test_one_byte_at_a_time_is_as_good_as_all_at_once() -> None:
    one_by_one = read(STREAM[at : at + 1] for at in range(len(STREAM)))

    assert text(one_by_one) == text(read([STREAM]))
    assert reasoning(one_by_one) == reasoning(read([STREAM]))


def test_tokens_that_arrive_together_come_out_as_one_delta() -> None:
    assert read([chunk(content="a") + chunk(content="b") + chunk(content="c", finish="stop")]) == [
        TextDelta("abc"),
        Finished("stop"),
    ]


@pytest.mark.parametrize("line_end", [b"\n", b"\r\n"])
def test_both_line_ends_are_read(line_end: bytes) -> None:
    assert text(read([STREAM.replace(b"\r\n", b"\n").replace(b"\n", line_end)])) == "七天内可以退货 [1]。"


def test_a_data_field_needs_no_space() -> None:
    assert text(read([STREAM.replace(b"data: ", b"data:")])) == "七天内可以退货 [1]。"


def test_json_spread_over_several_data_lines_is_one_event() -> None:
    spread = b'data: {"choices": [\ndata: {"delta": {"content": "ok"}}\ndata: ]}\n\n'
    assert text(read([spread, DONE])) == "ok"


def test_a_character_that_a_gateway_has_cut_into_surrogates_is_made_whole() -> None:
    halves = [b'data: {"choices":[{"delta":{"content":"%s"}}]}\n\n' % half for half in (b"a\\ud83d", b"\\udc4db")]
    assert text(read([*halves, DONE])) == "a👍b"


def test_half_a_character_without_its_other_half_is_replaced() -> None:
    lone = b'data: {"choices":[{"delta":{"content":"a\\udc4db"}}]}\n\n'
    assert text(read([lone, DONE])) == "a\N{REPLACEMENT CHARACTER}b"


@pytest.mark.parametrize(
    ("said", "passed_on"),
    [("stop", "stop"), ("length", "length"), ("content_filter", "content_filter"), ("eos", "stop")],
)
def test_every_reason_to_finish_is_one_of_three(said: str, passed_on: str) -> None:
    assert read([chunk(content="a"), chunk(finish=said)])[-1] == Finished(passed_on)


@pytest.mark.parametrize(
    "end", [chunk(finish="stop"), DONE, chunk(finish="stop") + DONE, chunk(finish="stop") + DONE.strip()]
)
def test_finish_reason_or_done_is_end_enough(end: bytes) -> None:
    assert read([chunk(content="a"), end]) == [TextDelta("a"), Finished("stop")]


@pytest.mark.parametrize(
    "stream",
    [
        b"",
        DONE,
        chunk(content="a"),
        chunk(content="a") + b'data: {"choi',
        b"data: {nonsense}\n\n" + DONE,
        b"data: 7\n\n" + DONE,
        b'data: {"choices": [7]}\n\n' + DONE,
        b'data: {"choices": [{"delta": {"content": 7}}]}\n\n' + DONE,
    ],
)
def test_what_is_no_complete_stream_is_broken(stream: bytes) -> None:
    with pytest.raises(BrokenStream):
        read([stream])


@pytest.mark.parametrize(
    ("stream", "code"),
    [
        (event(error={"message": "busy", "code": "rate_limit_exceeded"}), "rate_limit_exceeded"),
        (event(error={"message": "busy", "type": "server_error", "code": None}), "server_error"),
        (event(error="busy"), ""),
        (b"event: error\n" + event(message="busy", code=503), "503"),
        (event(object="error", message="busy", code=400), "400"),
        (chunk(content="a") + chunk(finish="insufficient_system_resource"), "insufficient_system_resource"),
    ],
)
def test_an_error_in_the_stream_is_found_in_each_of_its_shapes(stream: bytes, code: str) -> None:
    with pytest.raises(ErrorInStream) as raised:
        read([stream])
    assert raised.value.code == code


def test_tags_count_only_at_the_beginning() -> None:
    assert read([chunk(content="Use <think>"), chunk(content=" like this</think>."), DONE]) == [
        TextDelta("Use <think>"),
        TextDelta(" like this</think>."),
        Finished("stop"),
    ]


def test_after_reasoning_of_its_own_field_a_tag_is_text() -> None:
    deltas = read([chunk(reasoning_content="hm"), chunk(content="<think> is a tag"), DONE])
    assert (reasoning(deltas), text(deltas)) == ("hm", "<think> is a tag")


def test_reasoning_that_is_never_closed_is_still_reasoning() -> None:
    deltas = read([chunk(content="<think>so far "), chunk(content="so good </thi"), chunk(finish="length")])
    assert (reasoning(deltas), text(deltas)) == ("so far so good </thi", "")
    assert deltas[-1] == Finished("length")


def test_the_last_usage_counts() -> None:
    counts = [event(choices=[], usage={"prompt_tokens": 5, "completion_tokens": n}) for n in (1, 2, None)]
    assert read([chunk(content="a", finish="stop"), *counts])[-2] == Usage(5, 0)


def test_a_whole_completion_reads_like_a_stream() -> None:
    whole = {"choices": [{"message": {"content": "<think>x</think>ok"}, "finish_reason": "length"}]}
    deltas = read([as_event(orjson.dumps(whole))])
    assert deltas == [ReasoningDelta("x"), TextDelta("ok"), Finished("length")]
