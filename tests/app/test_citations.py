import pytest

from app.chat.citations import check


@pytest.mark.parametrize(
    ("text", "answer", "cited"),
    [
        ("佣金 8%[1]，见[2][1]。", "佣金 8%[1]，见[2][1]。", (1, 2)),
        ("佣金 8%【1】。", "佣金 8%[1]。", (1,)),
        ("See [1, 3].", "See [1][3].", (1, 3)),
        ("没有这条[7]。", "没有这条。", ()),
        ("有一半[1,7]。", "有一半[1]。", (1,)),
        ("链接 [1](https://example.com) 不是引用", "链接 [1](https://example.com) 不是引用", ()),
        ("数组 [2026] 不是引用", "数组 [2026] 不是引用", ()),
    ],
)
def test_marks_point_at_passages_or_are_taken_out(text: str, answer: str, cited: tuple[int, ...]) -> None:
    assert check(text, passages=3) == (answer, cited)
