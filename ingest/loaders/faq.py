"""Recognising questions and answers: by what their columns or keys are called, or by 问： and 答： before them."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from ingest.blocks import Block, Faq, Text


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# Names as they stand in export templates of customer-service systems and knowledge bases, without remarks in brackets.
_QUESTIONS = _words("""
    问题 问 提问 标准问 标准问题 标准问法 标准问句 主问题 用户问题 客户问题 常见问题 问题标题 问题描述 问题内容
    知识标题 分段标题 問題 問 提問 標準問題 常見問題
    q question questions query prompt instruction faq faqquestion
""")
_SIMILAR = _words("""
    相似问 相似问法 相似问题 相似问句 相似提问 扩展问 扩展问法 扩展问题 其他问法 同义问 相似問題
    similar similarquestion similarquestions alternativequestions variants
""")
_ANSWERS = _words("""
    答案 答 回答 答复 标准答案 标准回答 标准答复 回复 回复内容 标准回复 答案内容 知识内容 解答 解决方案 解决方法
    处理方法 分段内容 答覆 回覆 解決方案
    a answer answers response reply completion output faqanswer
""")
_INPUTS = _words("input 补充输入")
_UNINFORMATIVE = _words("""
    序号 编号 no id index # 状态 status 创建时间 更新时间 创建人 更新人 createdat updatedat
""")
_REMARK = re.compile(r"[（(\[【].*$|[\s:：*＊_\-.]|\d+$", re.DOTALL)
_ASKED = re.compile(r"\s*(?:Q\s*\d{0,3}\s*[:：]|(?:问|提问|问题)\s*\d{0,3}\s*[:：、.．])\s*(\S.*)", re.IGNORECASE)
_ANSWERED = re.compile(r"\s*(?:A\s*\d{0,3}\s*[:：]|(?:答|回答|答案)\s*\d{0,3}\s*[:：、.．])\s*(.*)", re.IGNORECASE)
_FEWEST_PAIRS = 2  # a single 问： may be anything
_MOST_OTHER_COLUMNS = 3  # more, and it is a table that also has a question in it


@dataclass(frozen=True, slots=True)
class FaqColumns:
    """Positions of what makes a question, its answer, and what else a row says."""

    questions: tuple[int, ...]
    answer: int
    others: tuple[tuple[int, str], ...]

    def block(self, cells: Sequence[str], *, sheet: str | None = None, row: int | None = None) -> Faq | Text | None:
        """One row as a question with its answer; without a question its text alone; None if it says nothing."""
        answer = cells[self.answer].strip()
        lines = [line.strip() for at in self.questions for line in cells[at].splitlines() if line.strip()]
        question = "\n".join(dict.fromkeys(lines))
        if not answer:
            return None
        answer = "\n".join([answer, *(f"{name}：{cells[at].strip()}" for at, name in self.others if cells[at].strip())])
        return Faq(question, answer, sheet=sheet, row=row) if question else Text(answer)


def faq_columns(names: Sequence[str]) -> FaqColumns | None:
    """Which of these columns (or keys) hold questions and answers; None if they do not."""
    keys = [_key(name) for name in names]
    answers = [at for at, key in enumerate(keys) if key in _ANSWERS]
    questions = [at for at, key in enumerate(keys) if key in _QUESTIONS]
    if not answers or not questions:
        return None
    answer = answers[0]
    asked = [at for at, key in enumerate(keys) if at in questions or key in _SIMILAR or key in _INPUTS]
    others = [
        (at, name.strip())
        for at, (name, key) in enumerate(zip(names, keys, strict=True))
        if at != answer and at not in asked and key and key not in _UNINFORMATIVE
    ]
    return FaqColumns(tuple(asked), answer, tuple(others)) if len(others) <= _MOST_OTHER_COLUMNS else None


def pair_up(blocks: list[Block]) -> list[Block]:
    """Lines that begin with 问： and 答： (Q: and A:) as questions with their answers, where there are several.

    An answer lasts until the next question or anything that is not text. Blocks with pages keep them and are left.
    """
    paired: list[Block] = []
    pair: _Pair | None = None
    for block in blocks:
        if not isinstance(block, Text) or block.page is not None or block.text.startswith("```"):
            paired += pair.blocks() if pair else []
            paired.append(block)
            pair = None
            continue
        before: list[str] = []
        for line in block.text.split("\n"):
            if asked := _ASKED.fullmatch(line):
                paired += pair.blocks() if pair else [Text("\n".join(before))] if before else []
                pair = _Pair([asked[1]])
            elif pair is None:
                before.append(line)
            else:
                pair.take(line)
        if pair is None:
            paired.append(block)
    paired += pair.blocks() if pair else []
    return paired if sum(isinstance(block, Faq) for block in paired) >= _FEWEST_PAIRS else blocks


@dataclass(slots=True)
class _Pair:
    """A question while its answer is gathered."""

    question: list[str]
    answer: list[str] = field(default_factory=list)
    answered: bool = False

    def take(self, line: str) -> None:
        answered = None if self.answered else _ANSWERED.fullmatch(line)
        if answered is not None:
            self.answered = True
            self.answer.append(answered[1])
        else:
            (self.answer if self.answered else self.question).append(line)

    def blocks(self) -> list[Block]:
        question, answer = "\n".join(self.question), "\n".join(self.answer).strip()
        return [Faq(question, answer) if answer else Text(question)]


def _key(name: str) -> str:
    return _REMARK.sub("", name.strip().lower())
