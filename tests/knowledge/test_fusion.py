"""One order from several: words and meaning, single characters, the document around a chunk."""

from knowledge.catalog import FoundChunk
from knowledge.fusion import compared, fuse, ordered
from knowledge.models import Chunk
from knowledge.ports import Hit
from knowledge.weights import SHIPPED


def order(question: str, dense: list[Hit], lexical: list[Hit], texts: dict[str, str], **documents: str) -> list[str]:
    """Ids, best first; a chunk is a document of its own unless ``documents`` says which it is of."""
    found = {
        id_: FoundChunk(Chunk(id_, documents.get(id_, id_), 0, text), document=id_, kb_id="kb")
        for id_, text in texts.items()
    }
    candidates = compared(question, fuse([dense], lexical), found)
    return [candidate.chunk_id for _, candidate in ordered(candidates, found, SHIPPED)]


def test_what_both_stages_find_comes_before_what_one_finds() -> None:
    dense = [Hit("a", 0.90), Hit("b", 0.89), Hit("c", 0.70)]
    lexical = [Hit("b", 9.0), Hit("d", 8.0)]
    assert fuse([dense], lexical)[0].chunk_id == "b"


def test_characters_of_the_question_decide_between_equals_in_any_spelling() -> None:
    dense = [Hit("a", 0.9), Hit("b", 0.9), Hit("c", 0.9)]
    texts = {"a": "发票三日内开出", "b": "商品如何邮寄", "c": "運費誰付"}
    assert order("由谁付运的费？", dense, [], texts)[0] == "c"


def test_a_code_that_is_asked_for_beats_what_only_means_nearly_the_same() -> None:
    texts = {f"n{number}": f"编号 S{number:03d} 的商品按 {number} 元计价" for number in range(30)}
    dense = [Hit(f"n{number}", 0.9 - number / 1000) for number in range(20)]
    lexical = [Hit("n25", 9.0), *[Hit(f"n{number}", 2.0) for number in range(20)]]
    assert order("编号 s025 的商品价格", dense, lexical, texts)[0] == "n25"
    texts["n26"] = "HB-KT-2048 每件 9 元"
    assert order("hbkt2048 每件多少元", dense, [*lexical, Hit("n26", 1.0)], texts)[0] == "n26"


def test_a_document_with_several_good_chunks_comes_before_one_with_a_single_chance_hit() -> None:
    dense = [Hit("lone", 0.90), Hit("x1", 0.895), Hit("x2", 0.89), Hit("x3", 0.885), Hit("far", 0.5)]
    texts = dict.fromkeys(("lone", "x1", "x2", "x3", "far"), "text")
    assert order("plain", dense, [], texts, x1="x", x2="x", x3="x")[0] == "x1"


def test_what_is_not_live_any_more_is_left_out() -> None:
    assert order("问", [Hit("gone", 0.9), Hit("there", 0.8)], [], {"there": "问"}) == ["there"]
    assert order("问", [], [], {}) == []
