"""Words that advertising law does not allow are found where they stand, and their harmless neighbours are not."""

import json
from pathlib import Path

import pytest

import app.copywriting
from app.copywriting.banned import find_banned, rules
from app.copywriting.check import check_copy
from app.copywriting.product import Goods, Product

CASES = json.loads((Path(__file__).parent / "banned_cases.json").read_text(encoding="utf-8"))
HITS: list[tuple[str, str]] = [(text, said) for text, said in CASES["hits"]]
MISSES: list[str] = CASES["misses"]


@pytest.mark.parametrize(("text", "said"), HITS, ids=[text for text, _ in HITS])
def test_it_is_found_where_it_stands(text: str, said: str) -> None:
    found = find_banned(text)
    assert said in [text[hit.start : hit.end] for hit in found]


@pytest.mark.parametrize("text", MISSES)
def test_it_is_not_found_in_what_only_looks_like_it(text: str) -> None:
    assert [text[hit.start : hit.end] for hit in find_banned(text)] == []


def test_the_tables_are_as_long_as_they_claim_and_name_nothing_twice() -> None:
    assert len({text for text, _ in HITS}) == len(HITS) >= 60
    assert len(set(MISSES)) == len(MISSES) >= 60


@pytest.mark.parametrize(
    ("text", "goods", "found"),
    [
        ("抗菌砧板", "general", False),
        ("抗菌面霜", "cosmetics", True),
        ("治疗仪，用于治疗颈椎病", "medical_device", False),
        ("治疗仪，用于治疗颈椎病", "general", True),
        ("保证治愈", "medical_device", True),
        ("增强免疫力", "supplement", True),
    ],
)
def test_the_kind_of_goods_decides_about_some(text: str, goods: Goods, found: bool) -> None:
    assert bool(find_banned(text, goods=goods)) is found


def test_a_brand_may_contain_what_copy_may_not() -> None:
    product = Product.model_validate({"name": "面膜", "brand": "极致", "facts": {"型号": "王牌X1", "功效": "顶级保湿"}})
    assert check_copy("极致面膜 王牌X1", product) == []
    assert [one.text for one in check_copy("极致面膜，顶级保湿", product)] == ["顶级"]


def test_a_flag_names_the_law_and_what_to_write_instead_in_both_languages() -> None:
    found = check_copy("本店最好的杯子，治疗失眠")[0]
    assert (found.rule, found.category, found.start, found.end, found.text) == ("banned_word", "absolute", 2, 4, "最好")
    assert "广告法" in (found.source or "")
    assert "第九条" in (found.source or "")
    assert set(found.suggestion) == set(found.message) == {"zh", "en"}
    assert all(found.suggestion.values())


def test_every_entry_of_the_list_has_a_source_a_suggestion_and_words_that_it_finds() -> None:
    for rule in rules():
        assert rule.source
        assert set(rule.suggestion) == {"zh", "en"}
    path = Path(app.copywriting.__file__).parent / "banned_words.json"
    entries = json.loads(path.read_text(encoding="utf-8"))["entries"]
    by_id = {rule.id: rule for rule in rules()}
    assert len(by_id) == len(entries)
    for entry in entries:
        for term in entry.get("terms", []):
            assert by_id[entry["id"]].found.search(term), term
