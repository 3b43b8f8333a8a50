"""The corpora are read as described, and the suites count what they say they count."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from evals.commands import CONTRADICTIONS
from evals.corpora import Corpus, CorpusDocument, Question, read
from evals.suites import answers, conflicts, retrieval, sheets
from ingest.chunk import chunk
from ingest.loaders import load_bytes
from knowledge.errors import InvalidInput
from knowledge.models import Passage, StageScores
from knowledge.retriever import Retrieval
from tests.products import FEES

RETURNS = "退货运费由买家承担。退款三天内到账。"
SHIPPING = "订单付款后48小时内发货。"
INVOICES = "可以开具增值税专用发票。"


def corpus(*questions: Question) -> Corpus:
    texts = {"退货.md": RETURNS, "物流.md": SHIPPING, "发票.md": INVOICES}
    return Corpus("little", tuple(CorpusDocument(name, text.encode()) for name, text in texts.items()), questions)


def asked(text: str, document: str = "", *golds: str, answerable: bool = True) -> Question:
    return Question(text, text, frozenset([document] if document else []), answers=golds, answerable=answerable)


def passage(document: str, text: str, cosine: float) -> Passage:
    scores = StageScores(dense=cosine, dense_rank=1 if cosine > 0.9 else 2)
    return Passage(document, document, document, "kb", text, cosine, scores=scores)


async def search(question: str, limit: int) -> Retrieval:
    """Finds the document that shares a word, far nearer than the others; two passages of the first one."""
    texts = {"退货.md": RETURNS, "物流.md": SHIPPING, "发票.md": INVOICES}
    hit = next(
        (name for name, text in texts.items() if any(question[i : i + 2] in text for i in range(len(question) - 1))), ""
    )
    found = [passage(name, text, 0.93 if name == hit else 0.8) for name, text in texts.items()]
    found.sort(key=lambda one: -one.score)
    return Retrieval(tuple([found[0], *found][:limit]), lambda term: 5.0)


async def test_ranks_are_of_documents_and_plain_bm25_stands_beside() -> None:
    report = await retrieval.evaluate(
        corpus(
            asked("运费谁承担", "退货.md"),
            asked("何时发货", "物流.md"),
            asked("能寄到火星吗", "发票.md"),
            asked("月球", answerable=False),
        ),
        search,
    )
    assert report.questions == 3
    assert [row.system for row in report.rows] == ["BM25", "words", "meaning", "both", "copilot"]
    plain, words, meaning, _, ours = report.rows
    assert (words.mrr, meaning.mrr) == (0, pytest.approx(ours.mrr))  # this search has no lexical stage
    assert plain.gain is None
    assert ours.gain is not None
    assert ours.gain[1] <= ours.gain[0] <= ours.gain[2]
    assert ours.recall == pytest.approx((2 / 3, 1, 1))  # nothing found by words: the third document, twice passed over
    assert ours.mrr == pytest.approx((1 + 1 + 1 / 3) / 3)
    assert plain.recall == pytest.approx((2 / 3, 2 / 3, 2 / 3))
    assert report.first_five == 1
    assert report.missed == ()
    assert "BM25" in "\n".join(report.lines())


async def test_fewer_found_than_in_the_committed_baseline_is_a_regression() -> None:
    questions = corpus(*[asked(f"运费谁承担{number}", "发票.md") for number in range(10)])
    kept = {"little": {"questions": 10, "recall": [0.2, 1.0, 1.0], "mrr": 0.45}}
    assert not (await retrieval.evaluate(questions, search, baseline=kept)).regressions
    kept["little"]["recall"] = [0.3, 1.0, 1.0]
    report = await retrieval.evaluate(questions, search, baseline=kept)
    assert report.regressions == ("regression: R@1 is 0.000, the committed baseline has 0.300.",)
    assert report.regressions[0] in report.lines()
    kept["little"] |= {"recall": [0.0, 1.0, 1.0], "mrr": 0.6}
    report = await retrieval.evaluate(questions, search, baseline=kept)
    assert report.regressions == ("regression: MRR is 0.333, the committed baseline has 0.600.",)


async def test_with_a_reranker_the_order_without_it_stands_beside() -> None:
    async def reranked(question: str, limit: int) -> Retrieval:
        """The far one first; a second question comes too late."""
        found = list((await search(question, limit)).passages)
        if "发货" in question:
            return Retrieval(tuple(replace(one, scores=StageScores(unranked="rerank_timeout")) for one in found), float)
        scored = [replace(one, scores=StageScores(rerank=float(n))) for n, one in enumerate(found)]
        return Retrieval(tuple(scored[::-1]), lambda term: 5.0)

    report = await retrieval.evaluate(corpus(asked("运费谁承担", "退货.md"), asked("何时发货", "物流.md")), reranked)
    *_, without, ours = report.rows
    assert (ours.system, without.system) == ("copilot", "no rerank")
    assert ours.recall[0] == pytest.approx(1 / 2)
    assert without.recall[0] == pytest.approx(1)
    assert report.unranked == 1
    assert "1 of 2" in report.lines()[-1]


async def test_rows_of_a_price_list_and_cells_of_a_table_are_asked_for() -> None:
    of = sheets.corpus(rows=60)
    assert of.questions == sheets.corpus(rows=60).questions
    texts = {
        document.name: [piece.text for piece in chunk(load_bytes(document.data, name=document.name), document_id="d")]
        for document in of.documents
    }
    facts = {question.text: question.facts for question in of.questions}

    async def knows(question: str, limit: int) -> Retrieval:
        """The chunk that says all; of the last question another one."""
        name = sheets.FEES if question in {q.text for q in of.questions if sheets.FEES in q.documents} else sheets.LIST
        right = [text for text in texts[name] if all(fact in text for fact in facts[question])]
        text = "" if question == of.questions[-1].text else right[0]
        return Retrieval((passage(name, text, 0.9),)[:limit], lambda term: 5.0)

    report = await sheets.evaluate(of, knows, rows=60)
    assert (report.asked, report.first) == (50, 1)
    assert (report.cells_asked, report.cells) == (24, pytest.approx(23 / 24))
    assert report.missed == (of.questions[-1].text,)


async def test_answers_are_counted_with_their_refusals() -> None:
    report = await answers.evaluate(
        corpus(
            asked("退货运费由谁承担", "退货.md", "买家"),
            asked("付款后多久发货", "物流.md", "48小时"),
            asked("退款几天到账", "退货.md", "九天"),
            asked("火星天气怎么样", answerable=False),
        ),
        search,
    )
    assert (report.answerable, report.unanswerable) == (3, 1)
    assert report.quoted == pytest.approx(2 / 3)
    assert report.wrong == ("退款几天到账",)
    assert report.false_refusals == 0
    assert report.refused_removed == 1
    assert report.refused_unanswerable == 1
    assert report.accepted == ()
    assert 0 < report.median_ms <= report.p95_ms
    assert "1.000" in "\n".join(report.lines())


def test_gold_is_any_answer_or_every_fact_whatever_the_spaces() -> None:
    assert asked("问", "a", "48 小时", "两天").answered_by("48小时内发货")
    facts = Question("q", "问", frozenset(), facts=("5%", "48 小时"))
    assert facts.answered_by("48小时内，收 5 %")
    assert not facts.answered_by("48小时内")
    assert not asked("问").answered_by("什么都行")


def test_a_paragraph_set_becomes_one_document_a_paragraph(tmp_path: Path) -> None:
    paragraph = {
        "id": "P1",
        "context": RETURNS,
        "qas": [
            {"id": "P1_Q0", "question": "谁承担运费？", "answers": [{"text": "买家"}]},
            {"id": "P1_Q1", "question": " ", "answers": [{"text": "无"}]},
        ],
    }
    (tmp_path / "cmrc2018_trial.json").write_text(json.dumps({"data": [{"paragraphs": [paragraph]}]}))
    found = read("cmrc", tmp_path)
    assert [document.name for document in found.documents] == ["P1.txt"]
    assert [(question.id, question.answers) for question in found.questions] == [("P1_Q0", ("买家",))]
    found.write(tmp_path / "out")
    assert (tmp_path / "out/P1.txt").read_text() == RETURNS


def test_guides_are_asked_for_by_their_description_which_is_not_indexed(tmp_path: Path) -> None:
    (tmp_path / "pay").mkdir()
    (tmp_path / "pay/setup.md").write_text("---\ntitle: 设置\ndescription: “了解如何设置付款。”\n---\n# 设置\n正文。\n")
    (tmp_path / "pay/TOC.md").write_text("---\ntitle: 目录\n---\n# 目录\n")
    (tmp_path / "_repo_license.md").write_text("MIT")
    found = read("adobe", tmp_path)
    assert {document.name: document.data.decode() for document in found.documents} == {
        "pay/TOC.md": "# 目录\n",
        "pay/setup.md": "# 设置\n正文。\n",
    }
    assert [(question.text, question.documents) for question in found.questions] == [
        ("了解如何设置付款。", frozenset({"pay/setup.md"}))
    ]


def test_rgb_and_afqmc_are_read(tmp_path: Path) -> None:
    item = {
        "id": 3,
        "query": "谁？",
        "answer": [["甲", "乙"]],
        "positive": ["甲说的。"],
        "negative": [f"别的{i}" for i in range(20)],
    }
    (tmp_path / "zh_refine.json").write_text(json.dumps(item))
    rgb = read("rgb", tmp_path)
    assert len(rgb.documents) == 13
    assert rgb.questions[0].answers == ("甲", "乙")
    (tmp_path / "afqmc_dev.txt").write_text("怎么还款\t如何还款\t1\n怎么还款\t怎么借钱\t0\n")
    afqmc = read("afqmc", tmp_path)
    assert len(afqmc.documents) == 2
    assert [question.documents for question in afqmc.questions] == [frozenset({"00000.txt"})]


def test_the_samples_are_their_files_and_questions(tmp_path: Path) -> None:
    (tmp_path / "docs/规则").mkdir(parents=True)
    (tmp_path / "docs/规则/退货.md").write_text(RETURNS)
    item = {
        "id": "s1",
        "question": "谁付？",
        "documents": ["规则/退货.md"],
        "facts": ["买家"],
        "answerable": True,
        "kind": "policy",
    }
    (tmp_path / "samples.jsonl").write_text(json.dumps(item))
    found = read("samples", tmp_path / "samples.jsonl", documents=tmp_path / "docs")
    assert found.documents[0].name == "规则/退货.md"
    assert found.questions[0].answered_by("由买家承担")


def test_a_corpus_that_is_not_there_says_so(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput) as unknown:
        read("nothing", tmp_path)
    assert unknown.value.error_code == "corpus_unknown"
    with pytest.raises(InvalidInput) as missing:
        read("cmrc", tmp_path)
    assert missing.value.error_code == "corpus_missing"


def test_conflicts_are_found_in_changed_copies_and_not_in_documents_that_agree(tmp_path: Path) -> None:
    (tmp_path / "费用.md").write_text(FEES)
    report = conflicts.folder("fees", tmp_path)
    assert (report.false, report.found, report.changed) == ((), 5, 5)
    pairs = conflicts.pairs(CONTRADICTIONS)
    assert pairs.wrong == 0
    assert pairs.right >= 13
